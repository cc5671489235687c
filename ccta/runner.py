"""Runs stages on a case: what is current is skipped, what is stale says so, a refusal becomes `Unavailable` and the run goes on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from ccta.case import SECTION, SHAPE_OF, Case
from ccta.errors import BadInput, Refusal
from ccta.model import Unavailable
from ccta.settings import Settings


class Progress(Protocol):
    """What a stage may call while it works: a short sentence and, where known, the share that is done (0 to 1)."""

    def __call__(self, message: str, share: float | None = None) -> None: ...


@dataclass(frozen=True)
class Stage:
    """One arrow of the pipeline.

    needs: items without which the stage cannot run. uses: items that it takes when they are there. makes: items and findings sections.
    settings: names of the settings tables that it reads. run(case, settings, progress) does the work; it raises Refusal when the image can give nothing
    of it, and returns {item: reason} for single files that it could not make. sources(settings): digests of what it reads outside the case, by name.
    """

    name: str
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    run: Callable[[Case, Settings, Progress], dict[str, str] | None]
    uses: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    sources: Callable[[Settings], dict[str, str]] | None = None


@dataclass(frozen=True)
class StageResult:
    """How one stage ended: done, current (skipped), or refused with its reason."""

    name: str
    status: str
    seconds: float = 0.0
    reason: str = ""


def select(stages: Sequence[Stage], names: Sequence[str]) -> list[Stage]:
    """The stages of these names in pipeline order; BadInput for an unknown name."""
    known = [stage.name for stage in stages]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(f"there is no stage {', '.join(unknown)}; the stages are {', '.join(known)}")
    return [stage for stage in stages if stage.name in names]


def is_current(case: Case, stage: Stage, settings: Settings) -> bool:
    """True if the stage has run, from the inputs and sources as they are now, with these settings, and its outputs are still there."""
    entry = case.record()["stages"].get(stage.name)
    if entry is None or entry["settings"] != _settings_of(stage, settings) or _present(entry["inputs"]) != _present(_digests(case, stage.needs + stage.uses)):
        return False
    if not all(case.digest(item) or not entry["outputs"].get(item) for item in stage.makes):
        return False
    return stage.sources is None or stage.sources(settings) == entry.get("sources")


def stale_stages(case: Case, stages: Sequence[Stage], settings: Settings) -> list[str]:
    """Names of stages that have run, but from other inputs or settings than there are now."""
    recorded = case.record()["stages"]
    return [stage.name for stage in stages if stage.name in recorded and not is_current(case, stage, settings)]


def changed_since(case: Case) -> list[str]:
    """Names of the recorded stages that read something else than what the case holds now. The settings of a command are not asked."""
    recorded = case.record()["stages"].items()
    return [name for name, entry in recorded if _present(entry["inputs"]) != _present(_digests(case, tuple(entry["inputs"])))]


def run_stages(
    case: Case, stages: Sequence[Stage], settings: Settings, progress: Callable[[str], Progress], resume: bool = False, command: str = ""
) -> list[StageResult]:
    """Runs the stages in order. With `resume`, a stage that is current is skipped. `progress(name)` gives each stage its reporter."""
    results = []
    for stage in stages:
        if resume and is_current(case, stage, settings):
            results.append(StageResult(stage.name, "current"))
            continue
        results.append(_run_one(case, stage, settings, progress(stage.name), command))
    return results


def _run_one(case: Case, stage: Stage, settings: Settings, progress: Progress, command: str) -> StageResult:
    started = time.monotonic()
    reason, absent = _missing(case, stage), {}
    if not reason:
        try:
            absent = stage.run(case, settings, progress) or {}
        except Refusal as refusal:
            reason = str(refusal)
    if reason:
        absent = {item: reason for item in stage.makes if not item.startswith(SECTION)}
        case.update_findings(**{item.removeprefix(SECTION): Unavailable(reason) for item in stage.makes if item.startswith(SECTION)})
    for item in absent:
        case.path(item).unlink(missing_ok=True)  # what an earlier run had made
    entry = {
        "command": command,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 2),
        "settings": _settings_of(stage, settings),
        "versions": {"ccta-workstation": importlib.metadata.version("ccta-workstation")},
        "sources": stage.sources(settings) if stage.sources else {},
        "inputs": _digests(case, stage.needs + stage.uses),
        "outputs": {item: "" if item in absent else case.digest(item) for item in stage.makes},
    }
    case.note_stage(stage.name, entry, absent)
    return StageResult(stage.name, "refused" if reason else "done", entry["seconds"], reason)


def _missing(case: Case, stage: Stage) -> str:
    """The reason why a needed item is unavailable, or ''. An item that nobody has tried to make is MissingStage."""
    for item in stage.needs:
        if item.startswith(SECTION):
            value = getattr(case.findings(), item.removeprefix(SECTION))
            if isinstance(value, Unavailable):
                return value.reason
            continue
        file = item.removeprefix(SHAPE_OF)
        if not case.path(file).exists():
            reason = case.unavailable(file)
            if reason is None:
                case.require(file)
            return reason.reason
    return ""


def _settings_of(stage: Stage, settings: Settings) -> dict:
    """As JSON gives them back (tuples become lists), so that they compare equal to the record."""
    return json.loads(json.dumps({name: dataclasses.asdict(getattr(settings, name)) for name in stage.settings}))


def _digests(case: Case, items: Sequence[str]) -> dict[str, str]:
    return {item: case.digest(item) for item in items}


def _present(digests: dict[str, str]) -> dict[str, str]:
    """Without the items that are not there: a case made before an item existed is as current as one that has none of it."""
    return {item: digest for item, digest in digests.items() if digest}
