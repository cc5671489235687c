"""What surrounds the heart: body wall, ribs, sternum, spine, lungs, mediastinum, descending aorta, liver. Patient LPS mm, heart at the origin."""

import numpy as np

from ccta.phantom.shapes import Shape, beads, ellipsoid, grown, half_space, intersection, scaled, tube, union, without

MIDLINE_MM = -32.0
"""x of the body's midline: two thirds of the heart lie left of it."""


def cylinder(center_xy, half_axes_xy) -> Shape:
    """Elliptical column along z."""
    return ellipsoid([*center_xy, 0.0], np.eye(3), [*half_axes_xy, 1e5])


def ribs(cavity: Shape, pitch_mm: float = 27.0) -> Shape:
    """Oblique rings around the cavity, 10 x 13 mm thick, lower in front than behind."""

    def distance(points):
        radial = cavity(points) - 6.5
        height = points[..., 2] - 0.35 * points[..., 1]
        axial = (np.mod(height, pitch_mm) - pitch_mm / 2) / 1.3
        return np.hypot(radial, axial) - 5.0

    return distance


def stacked(shape: Shape, pitch_mm: float, gap_mm: float) -> Shape:
    """A column cut into blocks: vertebral bodies between discs."""

    def distance(points):
        return np.maximum(shape(points), np.abs(np.mod(points[..., 2], pitch_mm) - pitch_mm / 2) - (pitch_mm - gap_mm) / 2)

    return distance


def lung_vessels(rng: np.random.Generator, count: int = 60) -> Shape:
    """Arteries and veins that run from the hila into the lungs, tapering from 6 to 2 mm and bending a little."""
    points, radii = [], []
    for n in range(count):
        side = 1 if n % 2 else -1
        start = np.array([MIDLINE_MM + 38 * side, 22, 15]) + rng.normal(0, 12, 3)
        aim = np.array([side * rng.uniform(0.2, 1.0), rng.uniform(-1, 1), rng.uniform(-1, 0.8)])
        along = np.linspace(0, 1, 100)[:, None] * rng.uniform(40, 100)
        points.append(start + along * aim / np.linalg.norm(aim) + (along / 60) ** 2 * rng.normal(0, 8, 3))
        radii.append(np.linspace(rng.uniform(1.8, 3.2), 1.0, 100))
    return beads(np.vstack(points), np.concatenate(radii), 6.0)


def thorax_shapes(pericardium: Shape, rng: np.random.Generator, size: float = 1.0) -> dict[str, Shape]:
    """Painter's order: each shape covers those before it. size: of the body about the heart's centre; the pericardium stays as it is."""
    if size == 1.0:
        return normal_shapes(pericardium, rng)
    return {name: scaled(shape, size) for name, shape in normal_shapes(scaled(pericardium, 1 / size), rng).items()}


def normal_shapes(pericardium: Shape, rng: np.random.Generator) -> dict[str, Shape]:
    """The thorax of a body of normal size."""
    x = MIDLINE_MM
    cavity = cylinder([x, 4], [128, 88])
    bones = ribs(cavity)
    body = cylinder([x, 86], [21, 16])
    arch = union(
        tube([[x, 124, -200], [x, 124, 200]], [13.0, 13.0]),
        tube([[x - 34, 112, -200], [x - 34, 112, 200]], [9.0, 9.0]),
        tube([[x + 34, 112, -200], [x + 34, 112, 200]], [9.0, 9.0]),
        smooth_mm=12.0,
    )
    spine = union(body, arch, smooth_mm=8.0)
    sternum = ellipsoid([x, -91, 0], np.eye(3), [19.0, 6.0, 400.0])
    middle = union(cylinder([x, 40], [30, 52]), cylinder([x + 6, -40], [26, 46]), ellipsoid([x + 14, -10, 70], np.eye(3), [52.0, 50.0, 42.0]), smooth_mm=15.0)
    wall_fat = intersection(cavity, half_space([0, -74, 0], [0, 1, 0]))
    liver = ellipsoid([x - 45, 2, -112], np.eye(3), [96.0, 80.0, 66.0])
    stomach = ellipsoid([x + 82, 20, -112], np.eye(3), [62.0, 60.0, 52.0])
    aorta = tube([[x + 24, 62, -200], [x + 25, 60, 0], [x + 22, 62, 200]], [12.0, 12.5, 13.0])
    return {
        "skin_fat": cylinder([x, 8], [172, 128]),
        "muscle": grown(cavity, 16.0),
        "bone": bones,
        "marrow": grown(bones, -1.8),
        "lung": cavity,
        "lung_vessels": lung_vessels(rng),
        "mediastinum": union(middle, grown(pericardium, 2.0), wall_fat, smooth_mm=6.0),
        "sternum": sternum,
        "sternum_marrow": grown(sternum, -1.6),
        "muscle_back": grown(spine, 9.0),
        "bone_spine": stacked(spine, 26.0, 5.0),
        "marrow_spine": grown(stacked(spine, 26.0, 5.0), -1.8),
        "canal": cylinder([x, 109], [9, 7.5]),
        "diaphragm": grown(union(liver, stomach), 2.5),
        "liver": intersection(liver, half_space([0, 0, -48], [0, 0, 1]), smooth_mm=15.0),
        "stomach": without(stomach, grown(liver, 3.0)),
        "esophagus": tube([[x + 10, 54, -200], [x + 8, 57, 200]], [6.5, 6.5]),
        "aorta_wall_descending": grown(aorta, 1.4),
        "aorta_descending": aorta,
    }
