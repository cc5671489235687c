"""The calcium list of the page, and what a reader may change in it. Neither trame nor files."""

from __future__ import annotations

from ccta.disease.calcium_list import NOT_CORONARY, candidate
from ccta.findings import Calcium, CalciumLesion
from ccta.model import VESSELS
from viewer.app import logic
from viewer.app.state import ReadingState
from viewer.app.study import Study
from viewer.app.words import NotPossible


def calcium_rows(study: Study, say: dict[str, str]) -> list[dict]:
    """One row per lesion that counts, then per rejected one with the reason; [] where calcium was not scored."""
    calcium = study.findings.calcium
    if not isinstance(calcium, Calcium):
        return []
    rows = [_row(one, one.vessel, one.note) for one in calcium.lesions]
    return rows + [_row(one, "", one.reason) for one in calcium.rejected]


def _row(one, counts_as: str, why: str) -> dict:
    return {
        "id": one.id,
        "counts_as": counts_as,
        "accept_as": one.vessel if not counts_as else "",
        "agatston": f"{one.agatston:.0f}",
        "volume": f"{one.volume_mm3:.0f} mm³",
        "peak": f"{one.peak_hu:.0f} HU",
        "why": why,
        "mark": "†" if one.source == "corrected" else "",
    }


def calcium_line(study: Study, say: dict[str, str]) -> str:
    """Score, category and arteries in one line, or why there is none."""
    calcium = study.findings.calcium
    if not isinstance(calcium, Calcium):
        return f"{say['agatston']}: {calcium.reason}"
    arteries = ", ".join(f"{name} {score:.0f}" for name, score in calcium.vessels.items() if score > 0)
    return " · ".join(part for part in (f"{say['agatston']} {calcium.agatston:.0f}", calcium.cac_drs, arteries) if part)


def calcium_choices(say: dict[str, str]) -> list[list[str]]:
    """(what a lesion can count as, name)."""
    return [*([vessel, vessel] for vessel in VESSELS), ["", say["not_coronary"]]]


def wanted(study: Study, lesion: int, counts_as: str, by: str) -> str:
    """What a lesion shall count as, in the words of the record. NotPossible without a name, a list, or where nothing would change."""
    calcium = study.findings.calcium
    if not isinstance(calcium, Calcium):
        raise NotPossible("no_calcium")
    if not by.strip():
        raise NotPossible("needs_name")
    entry = candidate(calcium, int(lesion))
    held = entry.vessel if isinstance(entry, CalciumLesion) else ""
    if counts_as == held or counts_as not in ("", *VESSELS):
        raise NotPossible("nothing_changed")
    return counts_as or NOT_CORONARY


def on_calcium(state: ReadingState, study: Study, lesion: int) -> None:
    """A row of the calcium list: every view goes there."""
    if isinstance(study.findings.calcium, Calcium):
        logic.on_position(state, study, candidate(study.findings.calcium, int(lesion)).center_mm)


def calcium_corrections(study: Study, say: dict[str, str]) -> list[dict]:
    """Rows of the list of corrections, the latest first."""
    calcium = study.findings.calcium
    edits = calcium.corrections if isinstance(calcium, Calcium) else []
    return [
        {
            "who": one.by,
            "what": say["kind_calcium"],
            "where": f"#{one.lesion}",
            "change": f"{_said(one.before, say)} → {_said(one.after, say)}",
            "state": "applied",
            "shown": say["state_applied"],
        }
        for one in reversed(edits)
    ]


def _said(standing: str, say: dict[str, str]) -> str:
    return standing if standing in VESSELS else standing.replace(NOT_CORONARY, say["not_coronary"])
