"""Every command that a message, a help text or a document names exists, with the options that it names."""

import ast
import dataclasses
import re
import shlex
from pathlib import Path

import pytest
import typer

from ccta.case import LAYOUT, Case
from ccta.cli.main import app
from ccta.cli.stage_commands import tell_stale
from ccta.cli.stages import AGAIN, NAMES, pipeline
from ccta.errors import MissingStage
from ccta.settings import FlowSettings, Settings
from tests.conftest import ROOT, run_ccta

SOURCES = sorted(path for package in ("ccta", "cfd", "viewer") for path in (ROOT / package).rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "data_samples").rglob("README.md")), ROOT / "Makefile"]


def commands() -> dict:
    """Name -> click command, those of groups with both words."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        found[name] = command
        found |= {f"{name} {inner}": sub for inner, sub in getattr(command, "commands", {}).items()}
    return found


def problem_of(hint: str) -> str:
    """'' for `ccta NAME ...` or `ccta NAME|NAME ...` whose names and options exist."""
    known = commands()
    words = hint.split()
    if words[1] == "--help":
        return ""
    if "|" in words[1]:
        return "".join(problem_of(" ".join(["ccta", one, *words[2:]])) for one in words[1].split("|"))
    name = next((n for n in (" ".join(words[1:3]), " ".join(words[1:2])) if n in known), None)
    if name is None:
        return f"there is no command `{hint}`"
    options = {option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word.rstrip(":,;.") not in options]
    return f"`{hint}` has no option {unknown}" if unknown else ""


def named_in(text: str) -> list[str]:
    """What stands between backticks and begins with the program's name, with the values of f-strings as X."""
    return [hint for hint in re.findall(r"`(ccta [^`]*)`", text) if not hint.startswith("ccta [")]


def strings_of(path: Path) -> list[str]:
    """Every string of a module; in f-strings, values become X."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values))
    return found


def test_the_commands_in_messages_exist():
    hints = {(path, hint) for path in SOURCES for text in strings_of(path) for hint in named_in(text)}
    wrong = {path.name: problem_of(hint) for path, hint in hints if not hint.startswith("ccta X") and problem_of(hint)}
    assert len(hints) > 15 and not wrong
    filled_in = {(path.name, hint) for path, hint in hints if hint.startswith("ccta X")}
    assert not filled_in, "a command whose name is filled in cannot be checked here"


def test_the_commands_in_examples_and_documents_exist():
    examples = [part for command in commands().values() for part in re.sub(r"^Examples?: ", "", command.epilog or "").split(" | ")]
    lines = [line for path in DOCUMENTS for line in path.read_text().splitlines()]
    examples += [line.split("#")[0] for line in lines if line.startswith("ccta ")] + [hint for line in lines for hint in named_in(line)]
    wrong = [problem_of(example) for example in examples if example.strip() and problem_of(example)]
    assert len(examples) > 20 and not wrong


@pytest.mark.parametrize("item", LAYOUT)
def test_a_missing_item_names_a_command_that_exists(item, tmp_path):
    with pytest.raises(MissingStage) as error:
        Case.create(tmp_path / "case").require(item)
    (hint,) = named_in(str(error.value))
    assert not problem_of(hint)


@pytest.mark.parametrize("stage", pipeline(), ids=lambda stage: stage.name)
def test_a_stale_stage_names_a_command_that_exists_and_takes_the_case(stage, tmp_path, capsys):
    case = Case.create(tmp_path / "case")
    case.note_stage(stage.name, {"settings": {"old": 1}, "inputs": {}, "outputs": {}}, {})
    tell_stale(case, Settings())
    said = capsys.readouterr().err
    (hint,) = named_in(said)
    assert stage.name in said and not problem_of(hint) and shlex.split(hint)[-1] == str(case.root)
    needed = [p.name for p in commands()[hint.split()[1]].params if p.param_type_name == "argument" and p.required]
    assert len(hint.split()) - 2 == len(needed)


def test_reading_is_never_called_stale_by_a_command_that_cannot_read(tmp_path, capsys):
    """The series and the regions of a command line are not in case.toml: `ccta report` knows nothing against them."""
    case = Case.create(tmp_path / "case")
    for name in ("read", "read_calcium"):
        case.note_stage(name, {"settings": {"read": {"series_uid": "1.2.3"}}, "inputs": {}, "outputs": {}}, {})
    assert run_ccta("report", case.root) == 0
    assert "stale" not in capsys.readouterr().err


@pytest.mark.parametrize("recorded, stale", [(FlowSettings(model="rom"), False), (FlowSettings(model="rom", systolic_mmhg=150.0), True)])
def test_the_flow_model_of_a_command_line_is_not_stale(recorded, stale, tmp_path, capsys):
    """`ccta analyse --flow rom` leaves the settings' model as it is; other settings of the flow still count."""
    case, flow = Case.create(tmp_path / "case"), next(stage for stage in pipeline() if stage.name == "flow")
    inputs = {item: case.digest(item) for item in flow.needs + flow.uses}
    case.note_stage("flow", {"settings": {"flow": dataclasses.asdict(recorded)}, "inputs": inputs, "outputs": {}}, {})
    tell_stale(case, Settings())
    assert ("stale now: flow" in capsys.readouterr().err) == stale


def test_every_stage_has_a_command():
    assert set(AGAIN) | {"read", "read_calcium"} == set(NAMES)
