"""The 3-D solver by two MPI processes: the same flow as by one, refusals in sentences, nothing left behind."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.errors import BadInput, SolverFailed
from cfd.flow_problem import FlowBoundary
from cfd.flow_space import flow_space
from cfd.lumen import lumens_from_case
from cfd.mesh import MeshSettings, build_mesh
from cfd.parts import Part
from cfd.ranks import LAUNCHER, RanksLost, by_processes, solve_and_measure, solve_by_ranks
from cfd.steady import SteadySettings, solve_steady
from tests.cfd.lumens import closed_y
from tests.cfd.test_steady import BLOOD, PRESSURES, axis_of
from tests.conftest import run_ccta


@pytest.fixture(scope="module")
def problem():
    """A forked lumen that loses some flow through its wall."""
    (lumen,) = lumens_from_case(*closed_y())
    mesh = build_mesh(lumen, MeshSettings(elements_per_diameter=3))
    aside = np.array([[0.0, 0.0, 4.0], [0.0, 0.0, 6.0]]), np.array([5e-8, 2e-8])
    return mesh, FlowBoundary(**PRESSURES, resistance_pa_s_m3={"outlet_0": 8e9, "outlet_1": 16e9}, wall_flow=aside), BLOOD, axis_of(lumen, 2e-6)


def test_two_processes_find_the_flow_of_one(problem):
    """With as many pieces of the incomplete factorisation the two take the same steps."""
    alone, said = solve_steady(*problem, SteadySettings(parts=2)), []
    with by_processes(2):
        shared, usage = solve_and_measure(*problem, progress=lambda text, share: said.append((text, share)))
    assert len(usage) == 2 and all(one.processor_s > 0 and one.peak_bytes > 2**20 for one in usage)
    assert len(said) == len(shared.residual) == len(alone.residual) and said[0][0].startswith("3-D flow: step 1") and said[-1][1] > 0.9
    assert shared.mass_error < 1e-6 and shared.criterion.startswith("steady")
    np.testing.assert_allclose(shared.pressure_pa, alone.pressure_pa, atol=0.05)
    np.testing.assert_allclose(shared.velocity_m_s, alone.velocity_m_s, atol=1e-4 * np.abs(alone.velocity_m_s).max())
    np.testing.assert_allclose(shared.wall_shear_pa, alone.wall_shear_pa, atol=2e-3 * np.nanmax(alone.wall_shear_pa))
    assert shared.port_flow_m3_s == pytest.approx(alone.port_flow_m3_s, rel=1e-6)


def test_every_node_has_one_owner_and_every_owned_row_its_cells(problem):
    class Rank:
        def __init__(self, rank):
            self.rank, self.size = rank, 3

        def alltoall(self, wanted):
            return [[]] * 3

    mesh = problem[0]
    cells = flow_space(mesh, 1).cells
    parts = [Part(cells, len(mesh.points_m), Rank(rank)) for rank in range(3)]
    assert np.concatenate([part.nodes[part.owned] for part in parts]).tolist() == list(range(len(mesh.points_m)))
    for part in parts:
        touching = np.isin(cells, part.nodes[part.owned]).any(axis=1)
        assert (part.mine == touching).all() and np.isin(cells[touching], part.nodes).all() and not part.mine.all()
        assert sum(len(at) for _, at in part.receive) == len(part.nodes) - (part.owned.stop - part.owned.start)


def test_what_one_process_cannot_solve_two_say_alike(problem):
    impossible = replace(problem[1], resistance_pa_s_m3={"outlet_0": 8e9})
    with by_processes(2), pytest.raises(SolverFailed, match="no resistance was given for"):
        solve_by_ranks(problem[0], impossible, *problem[2:])


def test_a_launcher_that_fails_is_said(problem, monkeypatch):
    monkeypatch.setenv(LAUNCHER, "false")
    with by_processes(2), pytest.raises(RanksLost, match="the 2 MPI processes ended with status 1"):
        solve_by_ranks(*problem)


def test_processes_are_for_the_steady_3d_model(tmp_path, capsys):
    assert run_ccta("flow", tmp_path, "--processes", "2", "--model", "rom") == 2
    assert "give it with --model 3d" in capsys.readouterr().err
    assert run_ccta("flow", tmp_path / "out.json", "--network", tmp_path / "net.json", "--processes", "2") == 2
    assert "a 0-D network is solved by one" in capsys.readouterr().err
    with pytest.raises(BadInput, match="mpiexec"):
        _without_mpiexec()


def _without_mpiexec():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cfd.ranks.shutil.which", lambda *words, **more: None)
        patch.delenv(LAUNCHER, raising=False)
        with by_processes(2):
            pass
