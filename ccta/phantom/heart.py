"""The heart and great vessels as implicit shapes, in a reference frame: LPS axes, origin at the centre of the mitral annulus, mm.

Sizes are those of a normal adult in diastole (LV 5 cm x 8 cm, wall 9 mm, left atrium 5 cm, sinuses of Valsalva 33 mm, ascending aorta 31 mm,
pulmonary trunk 26 mm); `HeartForm` varies them.
"""

from dataclasses import dataclass

import numpy as np

from ccta.phantom.shapes import Shape, ellipsoid, grown, half_space, intersection, tube, union, without

APEX = np.array([0.68, -0.58, -0.45]) / np.linalg.norm([0.68, -0.58, -0.45])
"""Left ventricular long axis, base to apex: left, anterior, inferior."""
SEPTAL = np.cross(np.cross(APEX, [-0.65, -0.76, 0.0]), APEX)
SEPTAL /= np.linalg.norm(SEPTAL)
"""From the left towards the right ventricle."""
UPPER = np.cross(SEPTAL, APEX)
"""Completes the frame: towards the outflow tract (superior)."""
AXES = np.array([APEX, SEPTAL, UPPER])


def at(apexward, septal, upper) -> np.ndarray:
    """Reference position from coordinates along the heart's own axes, mm."""
    return np.array([apexward, septal, upper], float) @ AXES


@dataclass(frozen=True)
class HeartForm:
    """What differs from heart to heart. Lengths in mm."""

    lv_radius_mm: float = 25.0
    lv_length_mm: float = 70.0  # semi-axis; the centre lies 15 mm below the annulus
    wall_mm: float = 9.0
    rv_scale: float = 1.0
    la_scale: float = 1.0
    ra_scale: float = 1.0
    root_scale: float = 1.0
    fat_mm: float = 1.5
    pa_scale: float = 1.0  # of the pulmonary artery's calibre
    pa_rise: float = 1.0  # of its height above its valve


ROOT = np.array([-9.0, -19.0, 14.0])
FLOW = np.array([-0.30, -0.22, 0.93]) / np.linalg.norm([-0.30, -0.22, 0.93])
"""Centre of the aortic annulus and the direction of the ascending aorta."""
VALVE = np.array([9.0, -49.0, 29.0])
TRICUSPID = np.array([-36.0, -29.0, -9.0])
VEIN_STUMP_MM = 7.0
"""Of a caval or pulmonary vein that is part of the atrium for the network and for `ccta evaluate segmentation`."""
VEINS = ("cava", "pulmonary_veins")
"""Layers of what lies beyond."""


def sinus_direction(name: str) -> np.ndarray:
    """Unit vector from the root's axis to the middle of one sinus (left, right, noncoronary)."""
    rough = {"left": [0.93, 0.25, 0.0], "right": [-0.30, -0.95, 0.0], "noncoronary": [-0.75, 0.66, 0.0]}[name]
    flat = np.array(rough) - np.dot(rough, FLOW) * FLOW
    return flat / np.linalg.norm(flat)


def sinus_center(name: str, scale: float) -> np.ndarray:
    return ROOT + 9.0 * FLOW + 6.5 * scale * sinus_direction(name)


def aortic_root(scale: float) -> Shape:
    """Annulus, three bulging sinuses, sinotubular junction and ascending aorta (blood)."""
    axes = np.array([FLOW, sinus_direction("left"), np.cross(FLOW, sinus_direction("left"))])
    sinuses = [ellipsoid(sinus_center(name, scale), axes, np.array([12.0, 10.5, 10.5]) * scale) for name in ("left", "right", "noncoronary")]
    steps = np.array([-6.0, 0.0, 9.0, 21.0, 35.0, 60.0, 110.0])
    bend = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.4, 6.0])[:, None] * np.array([1.0, 1.0, 0.0])
    stem = tube(ROOT + steps[:, None] * FLOW + bend, np.array([11.0, 12.0, 13.0, 13.5, 15.0, 15.5, 15.0]) * scale)
    return union(*sinuses, stem, smooth_mm=3.0)


def pulmonary_courses(rise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(trunk and left branch (5, 3), right branch (4, 3)), from the valve and from the bifurcation to the hila."""
    fork = np.add(VALVE, [6, 38, 36])
    left = np.array([VALVE, np.add(VALVE, [2, 12, 17]), fork, [34, 14, 68], [62, 34, 66]])
    right = np.array([fork, [-18, 4, 66], [-50, 8, 63], [-80, 14, 54]])
    for course in (left, right):
        course[:, 2] = VALVE[2] + rise * (course[:, 2] - VALVE[2])
    return left, right


def pulmonary_artery(scale: float = 1.0, rise: float = 1.0) -> Shape:
    left, right = pulmonary_courses(rise)
    trunk = tube(left, np.array([12.5, 13.0, 13.0, 11.0, 8.0]) * scale)
    trunk = intersection(trunk, half_space(VALVE, left[0] - left[1]))
    return union(trunk, tube(right, np.array([11.5, 10.0, 9.5, 7.0]) * scale), smooth_mm=4.0)


def right_ventricle(form: HeartForm) -> Shape:
    """Body and outflow tract without the bulging septum (blood and trabeculae)."""
    long = np.array([0.80, -0.44, -0.40]) / np.linalg.norm([0.80, -0.44, -0.40])
    across = SEPTAL - (SEPTAL @ long) * long
    across /= np.linalg.norm(across)
    body = ellipsoid(np.array([1.0, -43.0, -16.0]), [long, across, np.cross(long, across)], np.array([47.0, 22.0, 34.0]) * form.rv_scale)
    outflow = tube([[-4, -46, -6], [5, -50, 12], VALVE], [19.0 * form.rv_scale, 16.0 * form.rv_scale, 12.5])
    return union(body, outflow, smooth_mm=8.0)


def left_atrium(scale: float, veins_too: bool = True) -> Shape:
    body = ellipsoid(at(-27, -3, 2), AXES, np.array([22.0, 27.0, 25.0]) * scale)
    veins = [([-20, 30, 22], [-58, 36, 34]), ([-22, 32, 2], [-60, 40, -2]), ([2, 28, 24], [34, 44, 36]), ([2, 32, 4], [34, 50, 2])]
    appendage = tube([at(-26, -14, 16), [17, 9, 37], [23, 2, 41], [33, -12, 43]], [10.0, 7.0, 7.5, 5.0])
    return union(body, *[tube([a, b], [8.0, 6.0]) for a, b in veins if veins_too], appendage, smooth_mm=5.0)


def right_atrium(scale: float, veins_too: bool = True) -> Shape:
    body = ellipsoid([-58, -14, -2], np.eye(3), np.array([25.0, 26.0, 31.0]) * scale)
    appendage = tube([[-52, -24, 14], [-42, -40, 22], [-32, -46, 24]], [14.0, 10.0, 6.0])
    veins = [
        tube([[-57, -6, 18], [-52, -10, 50], [-50, -12, 100]], [10.0, 9.5, 9.5]),
        tube([[-56, 2, -22], [-54, 10, -50], [-50, 14, -110]], [11.0, 11.5, 12.0]),
    ]
    return union(body, appendage, *(veins if veins_too else []), smooth_mm=6.0)


def heart_shapes(form: HeartForm) -> dict[str, Shape]:
    """Blood pools (lv, rv, la, ra, aorta, pulmonary_artery, and the veins that come to the atria: cava, pulmonary_veins), their outer surfaces (*_outer),
    and `pericardium` (without the arteries)."""
    base = half_space(at(0, 0, 0), -APEX)
    cavity = ellipsoid(at(15, 0, 0), AXES, [form.lv_length_mm, form.lv_radius_mm, form.lv_radius_mm])
    epicardium = ellipsoid(at(15, 0, 0), AXES, [form.lv_length_mm + form.wall_mm - 1, *[form.lv_radius_mm + form.wall_mm] * 2])
    lv_outer = intersection(epicardium, grown(base, 3.0), smooth_mm=6.0)
    mitral = tube([at(-12, -4, -4), at(8, -4, -4)], [15.0, 15.0])
    funnel = intersection(mitral, half_space(at(0, 0, 0), APEX))
    outflow = tube([ROOT - 6 * FLOW, at(14, 6, 8)], [11.0, 12.0])
    rv = right_ventricle(form)
    ra, la = right_atrium(form.ra_scale), left_atrium(form.la_scale)
    aorta, pulmonary = aortic_root(form.root_scale), pulmonary_artery(form.pa_scale, form.pa_rise)
    tricuspid = tube([TRICUSPID - [8, -4, -2], np.add(TRICUSPID, [10, -5, -3])], [15.0, 15.0])
    shapes = {
        "lv": union(intersection(cavity, base, smooth_mm=3.0), intersection(mitral, base), outflow),
        "rv": without(union(rv, intersection(tricuspid, half_space(TRICUSPID, [-0.86, 0.45, 0.21]))), lv_outer),
        "la": union(without(la, lv_outer), funnel),
        "ra": without(ra, rv),
        "aorta": aorta,
        "pulmonary_artery": pulmonary,
    }
    shapes["papillary"] = union(tube([at(20, -12, 17), at(52, -9, 13)], [4.0, 6.0]), tube([at(20, -8, -18), at(52, -6, -14)], [4.0, 6.0]))
    bodies = {"ra": right_atrium(form.ra_scale, False), "la": union(left_atrium(form.la_scale, False), funnel)}
    for name, veins in zip(("ra", "la"), VEINS, strict=True):
        shapes[veins] = without(shapes[name], grown(bodies[name], VEIN_STUMP_MM - 1.0))  # under the atrium's edge: no gap is seen between them
        shapes[name] = intersection(shapes[name], grown(bodies[name], VEIN_STUMP_MM))
    outer = {
        "lv": lv_outer,
        "rv": grown(rv, 3.0),
        "la": grown(la, 1.8),
        "ra": grown(ra, 1.8),
        "aorta": grown(aorta, 1.5),
        "pulmonary_artery": grown(pulmonary, 1.2),
    }
    shapes |= {f"{name}_outer": shape for name, shape in outer.items()}
    atria = [grown(left_atrium(form.la_scale, False), 1.8), grown(right_atrium(form.ra_scale, False), 1.8)]
    sac = union(lv_outer, outer["rv"], *atria, grown(tube([ROOT, ROOT + 34 * FLOW], [16.0, 15.0]), 2.0), smooth_mm=16.0)
    shapes["pericardium"] = intersection(grown(sac, form.fat_mm), half_space([0, 0, 46], [0, 0, 1]), smooth_mm=4.0)
    return shapes


def epicardial_surface(shapes: dict[str, Shape]) -> Shape:
    """Union of everything that an artery may not enter."""
    return union(*[shape for name, shape in shapes.items() if name.endswith("_outer")])
