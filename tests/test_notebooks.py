"""Every notebook runs, and says something that is checked."""

import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path):
    assert runpy.run_path(str(path))


def test_a_tighter_stenosis_gives_a_lower_ffr():
    ffr = list(runpy.run_path(str(NOTEBOOKS[0]))["distal_ffr"].values())
    assert ffr == sorted(ffr, reverse=True) and ffr[0] > 0.8 > ffr[-1]
