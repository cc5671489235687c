import numpy as np
import pyvista as pv

from cfd.curved_walls import LumenWall, curved_edges, on_wall
from tests.cfd.lumens import cube


def sphere(n, radius=3.0):
    ball = pv.Icosphere(radius=radius, nsub=n)
    return np.asarray(ball.points, float), ball.faces.reshape(-1, 4)[:, 1:]


def test_points_over_a_faceted_sphere_come_to_stand_on_the_round_one():
    """A twentieth of the facets' depth is left, and where facets are uneven an eighth; their corners stay."""
    points, triangles = sphere(2)
    wall = LumenWall(points, triangles, np.zeros(len(triangles)))
    middle = points[triangles].mean(axis=1)
    depth = 3 - np.linalg.norm(middle, axis=1)
    left = 3 - np.linalg.norm(wall.nearest(middle), axis=1)
    assert depth.min() > 0.02 and np.abs(left).mean() < depth.mean() / 20 and np.abs(left).max() < depth.max() / 8
    np.testing.assert_allclose(wall.nearest(points), points, atol=1e-6)


def test_a_point_of_another_wall_stays_where_it_is():
    points, triangles = sphere(3)
    wall = LumenWall(points, triangles, np.zeros(len(triangles)))
    moved = points * 1.01
    moved[7] *= 1.5
    back = on_wall(moved, triangles, np.zeros(len(triangles)), wall)
    assert np.abs(np.linalg.norm(np.delete(back, 7, axis=0), axis=1) - 3).max() < 1e-3
    np.testing.assert_array_equal(back[7], moved[7])


def test_no_cell_is_turned_inside_out():
    """Edges that a wall far from flat would bend through their own cells are bent less, or not at all; the others keep their whole bend."""
    mesh = cube(3)
    points = mesh.points_m * 1e3

    class Wavy:
        def nearest(self, at):
            return at + 0.08 * np.array([1.0, 0, 0]) * (at[:, [1]] > 0.5)

    edges, middle = curved_edges(points, mesh.tetrahedra, mesh.triangles, mesh.label, Wavy())
    bend = np.linalg.norm(middle - points[edges].mean(axis=1), axis=1)
    assert set(np.round(bend[bend > 0] / 0.08, 6)) <= {2.0**-k for k in range(7)} and (bend > 0.079).any() and (bend < 0.041).any()
    assert (bend[points[edges].mean(axis=1)[:, 1] < 0.5] == 0).all()
