"""The flow stage of a case: what happens when the 3-D model cannot be had."""

import numpy as np
import pytest

import cfd.case_stage
from ccta.errors import SolverFailed
from ccta.model import Branch, CoronaryTree
from ccta.settings import FlowSettings
from cfd.pipeline import Anatomy


def one_artery():
    s = np.linspace(0, 60, 121)
    return Anatomy(CoronaryTree((Branch(np.stack([s, 0 * s, 0 * s], axis=1), np.full(121, 1.5), name="LAD", segment=np.full(121, 6)),)), lv_mass_g=40.0)


def test_the_reduced_model_stands_in_and_says_so(monkeypatch):
    solve = cfd.case_stage.solve_flow

    def failing(anatomy, settings, model, progress):
        if model == "3d":
            raise SolverFailed("no steady flow in 60 steps")
        return solve(anatomy, settings, model, progress)

    monkeypatch.setattr(cfd.case_stage, "solve_flow", failing)
    result = cfd.case_stage._solved(one_artery(), FlowSettings(model="3d", interval_samples=20), lambda text, share=None: None)
    assert result.pullback.model == result.ffr.model == "rom"
    assert "no steady flow in 60 steps" in result.pullback.notes[0] and "reduced model" in result.ffr.assumptions[0]


def test_without_failure_nothing_is_said():
    result = cfd.case_stage._solved(one_artery(), FlowSettings(model="rom", interval_samples=20), lambda text, share=None: None)
    assert not [note for note in result.pullback.notes if "could not be had" in note]


def test_an_unknown_model_is_not_taken_for_a_failed_solution():
    with pytest.raises(Exception, match="flow model"):
        cfd.case_stage._solved(one_artery(), FlowSettings(model="4d", interval_samples=20), lambda text, share=None: None)
