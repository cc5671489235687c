"""Fixtures that several tests share: one phantom patient, analysed once with the truth taken away."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

settings.register_profile("any machine", deadline=None)  # no test has a time limit
settings.load_profile("any machine")

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


def made_once(name: str, make: Callable[[Path], object], tmp_path_factory) -> Path:
    """The folder that make(folder) filled, shared by pytest's workers: the first that comes makes it, the others wait."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def phantom_study(tmp_path_factory) -> tuple[Path, dict]:
    """A phantom study on disk without its truth.json, and that truth."""

    def make(folder: Path) -> None:
        assert run_ccta("phantom", folder / "study", "--seed", "5", "--spec", ROOT / "data_samples" / "patient.json") == 0
        shutil.move(folder / "study" / "truth.json", folder / "truth.json")

    folder = made_once("phantom", make, tmp_path_factory)
    return folder / "study", json.loads((folder / "truth.json").read_text())


@pytest.fixture(scope="session")
def phantom_case(phantom_study, tmp_path_factory) -> Path:
    """The case that `ccta analyse --flow rom` makes of the phantom study. The truth file is not in its reach; tests copy what they change."""

    def make(folder: Path) -> None:
        assert run_ccta("analyse", phantom_study[0], folder / "case", "--flow", "rom") == 0

    return made_once("case", make, tmp_path_factory) / "case"
