"""What training hearts and chests have that the phantom of the evaluation lacks: an arch, windpipe, lung vessels that are joined to the heart, a
liver at any height, and sizes of all chambers far beyond the normal.
"""

from __future__ import annotations

import numpy as np

from ccta.coordinates import to_patient_mm
from ccta.phantom.heart import FLOW, ROOT, HeartForm, pulmonary_courses
from ccta.phantom.patient import PhantomPatient
from ccta.phantom.shapes import Shape, beads, ellipsoid, grown, half_space, intersection, tube, union, without

VEIN_MOUTHS = ([-58, 36, 34], [-60, 40, -2], [34, 44, 36], [34, 50, 2])
"""Where the phantom's pulmonary veins end, in the reference heart."""


def wide_form(rng: np.random.Generator) -> HeartForm:
    """Small and lean to dilated and hypertrophic: cavity 36-66 mm wide, wall 6-16 mm (normal 35-58 and 6-10, Lang et al., JASE 2015;28:1), atria to twice
    their normal volume, pulmonary trunk 20-36 mm (normal to 29, Truong et al., Circ Cardiovasc Imaging 2012;5:147), ascending aorta to 42 mm."""
    return HeartForm(
        lv_radius_mm=rng.uniform(19, 32), lv_length_mm=rng.uniform(58, 80), wall_mm=rng.uniform(6, 15), rv_scale=rng.uniform(0.88, 1.22),
        la_scale=rng.uniform(0.8, 1.35), ra_scale=rng.uniform(0.8, 1.35), root_scale=rng.uniform(0.85, 1.3), fat_mm=rng.choice([0.2, 1.0, rng.uniform(0, 9)]),
        pa_scale=rng.uniform(0.8, 1.4), pa_rise=rng.uniform(0.6, 1.05),
    )  # fmt: skip


def varied_layers(patient: PhantomPatient, rng: np.random.Generator) -> list[tuple[str, Shape]]:
    """(name of a layer or tissue, shape) in painter's order: the phantom's layers with what this module adds or moves."""
    shapes = {layer.name: layer.shape for layer in patient.anatomy.layers}
    turn = patient.anatomy.to_patient
    shapes |= abdomen(shapes, rng)
    top, arch, behind = aortic_arch(patient, rng)
    shapes["aorta_descending"] = intersection(shapes["aorta_descending"], half_space(behind, [0, 0, 1]))
    shapes["aorta_wall_descending"] = intersection(shapes["aorta_wall_descending"], half_space(behind, [0, 0, 1]))
    shapes["aorta"] = union(intersection(shapes["aorta"], half_space(top, turn[:3, :3] @ FLOW)), arch, smooth_mm=3.0)
    shapes["aorta_outer"] = without(grown(shapes["aorta"], rng.uniform(1.0, 2.5)), shapes["aorta_descending"])  # no wall across the blood
    shapes["pulmonary_artery_outer"] = grown(shapes["pulmonary_artery"], 1.2)
    for name in ("ra", "la"):  # veins have no wall that is seen
        shapes[f"{name}_outer"] = intersection(shapes[f"{name}_outer"], grown(shapes[name], 3.0))
    air, wall = windpipe(top, behind, rng)
    extra = {
        "diaphragm": [("spleen", spleen(shapes["stomach"], rng))],
        "esophagus": [("bronchial_wall", wall), ("bronchial_air", air)],
        "lung_vessels": lung_trees(patient, rng),
    }
    return [pair for layer in patient.anatomy.layers for pair in ((layer.name, shapes[layer.name]), *extra.get(layer.name, []))]


def abdomen(shapes: dict[str, Shape], rng) -> dict[str, Shape]:
    """Liver with a left lobe of its own size, and stomach, higher or lower than usual: the heart lies on them without fat, or clear of them."""
    shift = np.array([rng.normal(0, 8), rng.normal(0, 8), rng.uniform(-14, 30)])
    lobe = ellipsoid(np.array([-10, -25, -106]) + rng.normal(0, 8, 3), np.eye(3), np.array([75, 55, 48]) * rng.uniform(0.7, 1.1))
    if rng.random() < 0.3:  # a small left lobe
        lobe = ellipsoid([-70, 0, -130], np.eye(3), [50, 50, 40])
    liver = _shifted(union(shapes["liver"], intersection(lobe, half_space([0, 0, -50], [0, 0, 1]), smooth_mm=12.0), smooth_mm=10.0), shift)
    stomach = _shifted(shapes["stomach"], np.add(shift, [rng.normal(0, 10), rng.normal(0, 10), rng.uniform(-15, 10)]))
    stomach = without(stomach, grown(liver, rng.uniform(0.5, 4)))
    return {"liver": liver, "stomach": stomach, "diaphragm": grown(union(liver, stomach), rng.uniform(1.5, 4.0))}


def spleen(stomach: Shape, rng) -> Shape:
    """Behind the stomach and below the left dome."""
    return without(ellipsoid([70 + rng.normal(0, 10), 62 + rng.normal(0, 8), -95 + rng.normal(0, 12)], np.eye(3), [34.0, 36.0, 45.0]), grown(stomach, 2.0))


def _shifted(shape: Shape, by_mm) -> Shape:
    return lambda points: shape(points - by_mm)


def aortic_arch(patient: PhantomPatient, rng) -> tuple[np.ndarray, Shape, np.ndarray]:
    """(where the ascending aorta ends, arch, where the descending aorta begins): 68-100 mm above the valve, in an arc to the left and back."""
    form, turn = patient.form, patient.anatomy.to_patient
    top = to_patient_mm(ROOT + rng.uniform(62, 90) * (0.5 + 0.5 * form.pa_rise) * FLOW, turn)
    descending = next(layer.shape for layer in patient.anatomy.layers if layer.name == "aorta_descending")
    behind = _deepest(descending, top[2] - rng.uniform(0, 10))
    rise, scale = rng.uniform(14, 26), np.cbrt(np.linalg.det(turn[:3, :3])) * form.root_scale
    middle = 0.5 * (top + behind) + [rng.normal(0, 3), rng.normal(0, 3), rise + 8]
    course = np.array([top, 0.85 * top + 0.15 * behind + [0, 0, 0.7 * rise], middle, 0.15 * top + 0.85 * behind + [0, 0, 0.7 * rise], behind])
    arch = tube(course, np.linspace(14.5 * scale, 12.0, 5))
    starts = course[1] + np.linspace(0.2, 0.9, 3)[:, None] * (course[3] - course[1])
    heads = [tube([point, np.add(point, [rng.normal(0, 6), -5, 60])], [5.0, 4.0]) for point in starts]
    return top, union(arch, *heads, smooth_mm=3.0), behind


def _deepest(shape: Shape, z: float) -> np.ndarray:
    """(3,) the place farthest inside a shape on one axial plane."""
    x, y = np.meshgrid(np.arange(-120.0, 80, 3), np.arange(0.0, 140, 3), indexing="ij")
    points = np.stack([x, y, np.full_like(x, z)], axis=-1)
    return points[np.unravel_index(np.argmin(shape(points)), x.shape)]


def windpipe(top: np.ndarray, behind: np.ndarray, rng) -> tuple[Shape, Shape]:
    """(air, wall) of trachea and main bronchi; the carina lies below the arch, behind the ascending aorta."""
    fork = np.array([0.55 * top[0] + 0.45 * behind[0] - 8, 0.5 * (top[1] + behind[1]) + 4, top[2] - rng.uniform(0, 18)])
    sides = fork + np.array([[[0, 0, 0], [-32, 6, -24], [-62, 12, -40]], [[0, 0, 0], [36, 10, -24], [60, 16, -42]]])
    air = union(tube([np.add(fork, [-3, -2, 120]), fork], [8.5, 8.0]), *[tube(side, [6.5, 5.5, 4.0]) for side in sides], smooth_mm=2.0)
    return air, grown(air, 1.5)


def lung_trees(patient: PhantomPatient, rng) -> list[tuple[str, Shape]]:
    """Arteries that go on from the pulmonary artery's ends, and veins that come to the left atrium, in the lungs."""
    turn = patient.anatomy.to_patient
    left, right = pulmonary_courses(patient.form.pa_rise)
    arteries = [end for end in (left[-1], right[-1]) for _ in range(7)]
    veins = [np.array(mouth, float) for mouth in VEIN_MOUTHS for _ in range(4)]
    return [("lung_arteries", _tree(arteries, turn, rng)), ("lung_veins", _tree(veins, turn, rng))]


def _tree(starts: list[np.ndarray], turn: np.ndarray, rng) -> Shape:
    """Bent, tapering branches away from the middle, each with two of the next order."""
    points, radii = [], []
    for start in starts:
        side = np.sign(start[0] + 15.0)
        aim = np.array([side * rng.uniform(0.3, 1.2), rng.uniform(-0.9, 0.9), rng.uniform(-1.0, 0.9)])
        trunk, size = _branch(start, aim, rng.uniform(30, 70), rng.uniform(3.0, 6.0), rng)
        points.append(trunk)
        radii.append(size)
        for at in rng.integers(len(trunk) // 3, len(trunk), 2):
            twig, thin = _branch(trunk[at], aim + rng.normal(0, 0.7, 3), rng.uniform(20, 50), 0.7 * size[at], rng)
            points.append(twig)
            radii.append(thin)
    scale = np.cbrt(np.linalg.det(turn[:3, :3]))
    return beads(to_patient_mm(np.vstack(points), turn), scale * np.concatenate(radii), 8.0)


def _branch(start, aim, length_mm: float, radius_mm: float, rng) -> tuple[np.ndarray, np.ndarray]:
    """((N, 3) points, (N,) radii) at about 1 mm."""
    along = np.linspace(0, 1, int(length_mm))[:, None]
    return start + along * length_mm * aim / np.linalg.norm(aim) + along**2 * rng.normal(0, 8, 3), np.linspace(radius_mm, 0.4 * radius_mm, len(along))
