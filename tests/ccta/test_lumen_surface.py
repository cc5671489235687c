"""The lumen surface: closed, one piece per tree, and with the calibre of its contours."""

import numpy as np
import pytest
from scipy import ndimage

from ccta.anatomy.lumen_surface import _block_surface, _joined, is_closed, lumen_surface, ports
from ccta.anatomy.reformat import frames_along
from ccta.model import Branch, CoronaryTree, CrossSections, Surface
from tests.ccta.tubes import Tube, arc_points, true_sections


def tube_tree(tube):
    s = np.arange(0, tube.length_mm + 1e-6, 0.5)
    branch = Branch(arc_points(s), tube.healthy(s))
    return CoronaryTree((branch,)), [true_sections(tube, branch)]


def round_sections(number, branch):
    frames = frames_along(branch, 0.25)
    radius = np.repeat(np.interp(frames.distance_mm, branch.distance_mm, branch.radius_mm)[:, None], 48, axis=1)
    sd, trusted = np.full(len(frames), 0.05), np.ones(len(frames), bool)
    return CrossSections(number, frames.distance_mm, frames.center_mm, frames.normal, frames.axis_u, frames.axis_v, radius, radius + 0.4, sd, trusted)


def bifurcation():
    parent = Branch(arc_points(np.arange(0, 40.1, 0.5)), np.full(81, 1.5))
    start, way = parent.point_at(15.0), np.linspace(0, 20, 41)[:, None]
    child = Branch(start + way * [0.7, 0.6, 0.39], np.linspace(1.1, 0.8, 41), parent=0, parent_distance_mm=15.0)
    return CoronaryTree((parent, child))


def cut_area_mm2(surface, origin, normal):
    """Area inside the cut of a closed surface by a plane, near the origin."""
    side = (surface.points_mm - origin) @ normal
    area = 0.0
    for triangle in surface.triangles[(side[surface.triangles] > 0).sum(axis=1) % 3 > 0]:
        p, d = surface.points_mm[triangle], side[triangle]
        ends = [p[i] + (p[j] - p[i]) * d[i] / (d[i] - d[j]) for i, j in ((0, 1), (1, 2), (2, 0)) if (d[i] > 0) != (d[j] > 0)]
        a, b = (e - origin for e in ends)
        if np.linalg.norm(a) < 4:
            outward = np.cross(p[1] - p[0], p[2] - p[0])
            turn = np.cross(a, b) @ normal
            area += 0.5 * abs(turn) * np.sign(outward @ (a + b))
    return area


@pytest.mark.parametrize("tube", [Tube(lesions=((20, 8, 60, 60, 0),)), Tube(healthy_mm=(1.0, 0.7), lesions=((20, 8, 70, 60, 0),))])
def test_areas_are_those_of_the_contours(tube):
    tree, sections = tube_tree(tube)
    surface = lumen_surface(tree, sections)
    assert is_closed(surface)
    for plane in (20, 60, 80, 100, 140):
        found = cut_area_mm2(surface, sections[0].center_mm[plane], sections[0].normal[plane])
        assert found == pytest.approx(sections[0].lumen_area_mm2[plane], rel=0.03 if plane == 80 else 0.02)


def test_bifurcation_is_one_closed_piece_without_a_bulge():
    tree = bifurcation()
    sections = [round_sections(i, branch) for i, branch in enumerate(tree)]
    surface = lumen_surface(tree, sections)
    assert is_closed(surface)
    euler = len(surface.points_mm) - len(surface.triangles) / 2
    assert euler == 2  # one sphere-like piece: V - E + F with E = 3 F / 2
    for plane in (40, 120):
        assert cut_area_mm2(surface, sections[0].center_mm[plane], sections[0].normal[plane]) == pytest.approx(np.pi * 1.5**2, rel=0.02)


def test_triangles_face_outwards():
    surface = lumen_surface(*tube_tree(Tube()))
    p = surface.points_mm[surface.triangles]
    volume = np.einsum("ti,ti->t", p[:, 0], np.cross(p[:, 1], p[:, 2])).sum() / 6
    assert volume == pytest.approx(np.pi * 1.5**2 * 42, rel=0.02)  # 40 mm and an extension of 1 mm at either end


def test_ports_face_out_of_the_tree():
    tree = bifurcation()
    sections = [round_sections(i, branch) for i, branch in enumerate(tree)]
    found = ports(tree, sections)
    assert [(port.branch, port.at_root) for port in found] == [(0, True), (0, False), (1, False)]
    for port in found:
        branch = tree.branches[port.branch]
        inner = branch.points_mm[2] if port.at_root else branch.points_mm[-3]
        assert (port.center_mm - inner) @ port.direction > 0.5
    assert found[0].radius_mm == pytest.approx(1.5, rel=0.01)


def test_an_open_surface_is_not_closed():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    assert is_closed(Surface(points, faces))
    assert not is_closed(Surface(points, faces[:3]))
    assert not is_closed(Surface(points, np.vstack([faces[:3], faces[3][::-1][None]])))


def test_a_surface_through_points_of_the_grid_is_closed():
    """Where the distance is all but 0 at grid points, several points of the surface lie in one place; joined, they must not make edges of four triangles."""
    rng, h = np.random.default_rng(2), 0.2
    values = ndimage.gaussian_filter(rng.normal(size=(20, 20, 20)), 1.5) / 4
    values[rng.random(values.shape) < 0.05] = 2e-5 * h
    values[[0, -1]] = values[:, [0, -1]] = values[:, :, [0, -1]] = 1.0
    assert is_closed(Surface(*_joined(*_block_surface(values, np.zeros(3), h), h)))


def test_a_branch_that_ends_in_a_fork_makes_no_step_between_its_children():
    """The parent's end is a dome between the children: nothing of the surface is farther from all centerlines than their radius."""
    parent = Branch(np.linspace([0, 0, 0], [0, 0, 15.0], 31), np.full(31, 1.5))
    way = np.linspace(0, 12, 25)[:, None]
    arms = [Branch([0, 0, 15.0] + way * [side, 0, 0.8], np.full(25, 1.2), parent=0, parent_distance_mm=15.0) for side in (0.6, -0.6)]
    tree = CoronaryTree((parent, *arms))
    surface = lumen_surface(tree, [round_sections(i, branch) for i, branch in enumerate(tree)])
    axis, radius = np.vstack([branch.points_mm for branch in tree]), np.concatenate([branch.radius_mm for branch in tree])
    inner = (surface.points_mm[:, 2] > 1) & (surface.points_mm[:, 2] < 24)
    outside = (np.linalg.norm(surface.points_mm[inner, None] - axis[None], axis=2) - radius).min(axis=1)
    assert is_closed(surface) and outside.max() < 0.12
