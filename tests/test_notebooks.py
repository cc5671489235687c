"""Every notebook and every recipe runs, and says something that is checked."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9]*.py"))
RECIPES = re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", (FOLDER / "RECIPES.md").read_text(), re.S | re.M)


@pytest.fixture(autouse=True)
def shared(phantom_case, phantom_study, monkeypatch, tmp_path):
    """Notebooks use the session's case instead of making their own."""
    monkeypatch.setenv("CCTA_NOTEBOOK_CASE", str(phantom_case))
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)
    yield
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path):
    assert runpy.run_path(str(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_is_listed_and_opens_with_what_one_learns(path):
    assert f"`{path.name}`" in (FOLDER / "README.md").read_text()
    assert path.stem.startswith("00") or "What one learns" in path.read_text()[:600]


def test_a_tighter_stenosis_gives_a_lower_ffr():
    ffr = list(runpy.run_path(str(FOLDER / "00_reduced_flow.py"))["distal_ffr"].values())
    assert ffr == sorted(ffr, reverse=True) and ffr[0] > 0.8 > ffr[-1]


@pytest.mark.parametrize(("title", "code"), RECIPES, ids=[title for title, _ in RECIPES])
def test_recipe_runs(title, code, phantom_case, phantom_study):
    exec(compile(code, title, "exec"), {"CASE": phantom_case, "STUDY": phantom_study[0]})


def test_there_are_recipes():
    assert len(RECIPES) >= 8
