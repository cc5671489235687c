"""The whole patient: the reference heart turned into the thorax, the tissue layers in painter's order, and the named arteries."""

from dataclasses import dataclass

import numpy as np

from ccta.model import Branch, arc_length_mm
from ccta.phantom.arteries import Course, Courses, calibre, lay_left, lay_right, lay_vein
from ccta.phantom.heart import HeartForm, heart_shapes
from ccta.phantom.shapes import Shape, beads, grown, remembered, union
from ccta.phantom.thorax import thorax_shapes

NORMAL_MM = {"LAD": 3.7, "LCx": 3.4, "RCA": 3.9, "D1": 2.0, "D2": 1.7, "RI": 2.1, "OM1": 2.1, "OM2": 1.8, "L-PDA": 2.0, "L-PLB": 1.8}
"""Diameter at each artery's origin, mm (LAD, LCx, RCA: Dodge et al. 1992); R-PDA and R-PLB follow from the RCA's end, LM from LAD and LCx."""
TAPER_PER_MM = {"LAD": 0.0035, "LCx": 0.004, "RCA": 0.0025}
SIDE_TAPER_PER_MM = 0.005
SEGMENT = {"D1": 9, "D2": 10, "OM1": 12, "OM2": 14, "R-PDA": 4, "R-PLB": 16, "L-PDA": 15, "L-PLB": 18, "RI": 17}


@dataclass(frozen=True)
class Layer:
    """One tissue. hu: mean attenuation in the CCTA and without contrast; texture_hu: SD of its slow variation."""

    name: str
    shape: Shape
    hu: float
    plain_hu: float
    texture_hu: float = 0.0
    label: str = ""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """layers in painter's order; to_patient: (4, 4) reference heart -> patient mm; shapes: heart shapes in the patient."""

    layers: tuple[Layer, ...]
    to_patient: np.ndarray
    shapes: dict[str, Shape]


def moved(shape: Shape, to_patient: np.ndarray) -> Shape:
    """A reference shape under a similarity transform."""
    inverse = np.linalg.inv(to_patient)
    scale = np.cbrt(np.linalg.det(to_patient[:3, :3]))
    return lambda points: scale * shape(points @ inverse[:3, :3].T + inverse[:3, 3])


def lay_patient(form: HeartForm, spec, turn: np.ndarray, scale: float, rng) -> tuple[Anatomy, tuple[Branch, ...]]:
    """Arteries on the reference heart, then everything in its place in the patient."""
    courses = Courses(form, rng)
    dominance = {"co-dominant": "co"}.get(spec.dominance, spec.dominance)
    lay_left(courses, dominance, spec.ramus)
    lay_right(courses, dominance)
    vein = lay_vein(courses)
    to_patient = np.eye(4)
    to_patient[:3, :3] = scale * turn
    to_patient[:3, 3] = rng.normal(0, 3.0, 3)
    courses_mm = {name: carried(course, to_patient, scale) for name, course in courses.found.items()}
    shapes = {name: moved(shape, to_patient) for name, shape in heart_shapes(form).items()}
    sleeve = beads(np.vstack([course.points_mm[::4] for course in courses_mm.values()]), 4.5)
    shapes["pericardium"] = remembered(union(shapes["pericardium"], sleeve, smooth_mm=6.0))
    vein = vein @ to_patient[:3, :3].T + to_patient[:3, 3]
    shapes["vein"] = beads(vein, np.linspace(1.1, 3.2, len(vein)))
    return Anatomy(tuple(layers_of(shapes, spec, rng)), to_patient, shapes), named(courses_mm, spec)


def carried(course: Course, to_patient: np.ndarray, scale: float) -> Course:
    points = course.points_mm @ to_patient[:3, :3].T + to_patient[:3, 3]
    return Course(course.name, points, course.parent, course.parent_distance_mm * scale)


def layers_of(shapes: dict[str, Shape], spec, rng) -> list[Layer]:
    """Every tissue with its HU at 120 kVp."""
    fat, blood, right = spec.fat_hu, spec.blood_hu, spec.right_hu
    body = thorax_shapes(shapes["pericardium"], rng, spec.body_size)
    hu = {
        "skin_fat": -105,
        "muscle": 55,
        "bone": 520,
        "marrow": 160,
        "lung": -850,
        "mediastinum": -98,
        "sternum": 420,
        "sternum_marrow": 110,
        "muscle_back": 55,
    }
    hu |= {
        "bone_spine": 480,
        "marrow_spine": 190,
        "canal": 25,
        "diaphragm": 45,
        "liver": 75,
        "stomach": 35,
        "esophagus": 35,
        "aorta_wall_descending": 50,
        "lung_vessels": 0.6 * blood,
    }
    texture = {"lung": 25, "mediastinum": 5, "liver": 4, "marrow_spine": 25, "marrow": 20, "muscle": 5}
    plain = hu | {"liver": 58, "lung_vessels": 42}
    layers = [Layer(name, shape, hu.get(name, blood), plain.get(name, 44), texture.get(name, 0)) for name, shape in body.items()]
    layers[-1] = Layer("aorta_descending", body["aorta_descending"], blood, 44, 4, "aorta")
    tissue = [("pulmonary_artery_outer", 45, ""), ("aorta_outer", 50, "")]
    layers += [Layer("pericardial_sac", grown(shapes["pericardium"], 1.0), 35, 25), Layer("fat", shapes["pericardium"], fat, fat, 3, "heart")]
    layers += [Layer("vein", shapes["vein"], 0.45 * blood, 42, 3, "heart")]
    layers += [Layer(name, shapes[name], value, 42, 0, label) for name, value, label in tissue]
    layers += [Layer(f"{name}_outer", shapes[f"{name}_outer"], 75, 40, 0, "heart") for name in ("ra", "la", "rv")]
    layers += [Layer("lv_outer", shapes["lv_outer"], 105, 45, 5, "myocardium")]
    layers += [Layer("cava", shapes["cava"], right, 44, 30, "ra"), Layer("pulmonary_veins", shapes["pulmonary_veins"], 1.02 * blood, 44, 5, "la")]
    blood_hu = {"ra": (right, 30), "rv": (right * 1.05, 18), "la": (blood * 1.02, 5), "lv": (blood * 0.99, 5)}
    layers += [Layer(name, shapes[name], value, 44, vary, name) for name, (value, vary) in blood_hu.items()]
    layers += [Layer("papillary", shapes["papillary"], 105, 45, 5, "lv")]
    layers += [Layer("pulmonary_artery", shapes["pulmonary_artery"], 0.3 * blood + 0.7 * right, 44, 8, "pulmonary_artery")]
    return [*layers, Layer("aorta", shapes["aorta"], blood, 44, 4, "aorta")]


def named(courses: dict[str, Course], spec) -> tuple[Branch, ...]:
    """Branches with healthy calibres and SCCT segments, parents first, as model.Branch describes."""
    order = [n for n in ("LAD", "LCx", "RI", "D1", "D2", "OM1", "OM2", "L-PDA", "L-PLB", "RCA", "R-PDA", "R-PLB") if n in courses]
    diameters = calibres(courses, order, spec)
    result = []
    for name in order:
        course = courses[name]
        parent = order.index(course.parent) if course.parent else None
        result.append(Branch(course.points_mm, diameters[name] / 2, parent, course.parent_distance_mm, segments_of(name, courses), name))
    return tuple(result)


def calibres(courses: dict[str, Course], order: list[str], spec) -> dict[str, np.ndarray]:
    """Healthy diameters along each artery, mm."""
    normal = {name: spec.calibre * value for name, value in NORMAL_MM.items()}
    k = spec.murray_exponent
    if spec.dominance == "left":
        normal |= {"LCx": spec.calibre * 4.2, "RCA": spec.calibre * 2.8}
    at_end = normal["RCA"] * np.exp(-TAPER_PER_MM["RCA"] * arc_length_mm(courses["RCA"].points_mm)[-1])
    terminal = [name for name in ("R-PDA", "R-PLB") if name in courses]
    normal |= {name: at_end * len(terminal) ** (-1 / k) for name in terminal}
    lm_sides = ["LCx"] + (["RI"] if "RI" in courses else [])
    lm = (normal["LAD"] ** k + sum(normal[name] ** k for name in lm_sides)) ** (1 / k)
    found = {}
    for name in order:
        origin = lm if name == "LAD" else normal[name]
        sides = {n: (c.parent_distance_mm, normal[n]) for n, c in courses.items() if c.parent == name and n not in terminal}
        found[name], given = calibre(courses[name], origin, sides, TAPER_PER_MM.get(name, SIDE_TAPER_PER_MM), k)
        normal |= given
    return found


def segments_of(name: str, courses: dict[str, Course]) -> np.ndarray:
    """(N,) SCCT ids along one artery (JCCT 2014;8:342)."""
    course = courses[name]
    s = arc_length_mm(course.points_mm)
    if name in SEGMENT:
        return np.full(len(s), SEGMENT[name])
    if name == "LAD":
        first = courses["D1"].parent_distance_mm
        return np.select([s < courses["LCx"].parent_distance_mm, s < first, s < 0.5 * (first + s[-1])], [5, 6, 7], 8)
    if name == "LCx":
        return np.where(s < courses["OM1"].parent_distance_mm, 11, 13)
    margin = s[np.argmax(course.points_mm @ np.array([-0.75, -0.45, -0.45]))]
    return np.select([s < 0.5 * margin, s < margin], [1, 2], 3)
