"""Fixtures that several tests share: one phantom patient, analysed once with the truth taken away."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

ROOT = Path(__file__).parents[1]
REAL_DATA = ROOT.parent / "shared" / "data"


def run_ccta(*words) -> int:
    """The exit code of `ccta WORDS`, run in this process."""
    from ccta.cli import main as command_line

    before, sys.argv = sys.argv, ["ccta", *map(str, words)]
    try:
        command_line.main()
    except SystemExit as stop:
        return stop.code
    finally:
        sys.argv = before


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real patient data beside the checkout; the test is skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip("there is no ../shared/data with real patient data beside this checkout")
    return REAL_DATA


@pytest.fixture(scope="session")
def phantom_study(tmp_path_factory) -> tuple[Path, dict]:
    """A phantom study on disk without its truth.json, and that truth."""
    folder = tmp_path_factory.mktemp("phantom")
    assert run_ccta("phantom", folder / "study", "--seed", "5", "--spec", ROOT / "data_samples" / "patient.json") == 0
    shutil.move(folder / "study" / "truth.json", folder / "truth.json")
    return folder / "study", json.loads((folder / "truth.json").read_text())


@pytest.fixture(scope="session")
def phantom_case(phantom_study, tmp_path_factory) -> Path:
    """The case that `ccta analyse --flow rom` makes of the phantom study. The truth file is not in its reach."""
    case = tmp_path_factory.mktemp("case") / "case"
    assert run_ccta("analyse", phantom_study[0], case, "--flow", "rom") == 0
    return case
