"""Coronary arteries of the reference heart: courses in the grooves of the epicardium and calibres by Murray's law.

A course begins as a polyline through rough landmarks and relaxes on the epicardial surface: each point is moved to the height of the vessel's own
outer radius (plus a little fat) above the nearest chamber, into the groove between two chambers where it has one, and the curve is smoothed.

Calibres: normal diameters at the origins are those of Dodge et al., Circulation 1992;86:232 (men, right dominant: LM 4.5, pLAD 3.7, pLCx 3.4, pRCA
3.9 mm; left dominant LCx 4.2, small RCA 2.8). At each bifurcation parent^k = main^k + side^k with k = 3 (Murray, PNAS 1926;12:207), and between
bifurcations the diameter tapers exponentially.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.curves import resampled_curve, smoothed_curve
from ccta.model import arc_length_mm
from ccta.phantom.heart import FLOW, HeartForm, at, epicardial_surface, heart_shapes, sinus_center, sinus_direction
from ccta.phantom.shapes import Shape, beads, gradient, union

STEP_MM = 0.25
"""Distance of the points of a branch."""
CLEARANCE_MM = 1.2
"""Fat between an artery's outer wall and the muscle."""
ROUNDS = 30
"""Of relaxation; the last eight only settle the height."""
WALL_MM = 0.35
"""Healthy wall: intima, media and adventitia of a normal coronary artery."""


@dataclass(frozen=True)
class Course:
    """One artery before it has a calibre. points_mm: (N, 3) at STEP_MM steps. parent_distance_mm along the parent."""

    name: str
    points_mm: np.ndarray
    parent: str | None = None
    parent_distance_mm: float = 0.0


def level(circle_deg, apexward, radius_mm=38.0):
    """Position at an angle about the left ventricular axis (0 septal, 90 superior, 180 lateral, 270 inferior)."""
    angle = np.deg2rad(circle_deg)
    return at(apexward, radius_mm * np.cos(angle), radius_mm * np.sin(angle))


def ostium(name: str, scale: float, aorta: Shape) -> np.ndarray:
    """On the inner surface of a sinus, in its upper third."""
    point = (sinus_center(name, scale) + 10.0 * scale * sinus_direction(name) + 3.5 * FLOW)[None]
    for _ in range(20):
        point = point - aorta(point)[:, None] * gradient(aorta, point)
    return point[0]


def relaxed(points_mm, surface: Shape, height_mm: float, groove=None, free_mm: float = 9.0) -> np.ndarray:
    """The course pulled onto the epicardium: distance `height_mm` to `surface`, in the groove between the two shapes of `groove`.

    The first `free_mm` stay as given, so that an artery leaves its sinus or its parent smoothly.
    """
    curve = resampled_curve(np.asarray(points_mm, float), 2.0)
    for round_ in range(ROUNDS):
        weight = np.clip((arc_length_mm(curve) - 1.0) / free_mm, 0, 1)[:, None]
        if groove is not None and round_ < ROUNDS - 8:
            curve = curve - 0.5 * weight * groove_step(curve, *groove)
        error = surface(curve) - height_mm
        step = np.where(error < 0, error, 0.7 * error)[:, None] * gradient(surface, curve)
        curve = curve - weight * np.clip(step, -2.0, 2.0)
        curve = smoothed_curve(curve, 3.0 if round_ < ROUNDS - 8 else 1.5)
        curve = resampled_curve(curve, 2.0)
    return resampled_curve(smoothed_curve(resampled_curve(curve, STEP_MM), 1.5), STEP_MM)


def groove_step(points, first: Shape, second: Shape) -> np.ndarray:
    """Newton step towards equal distance from two chambers, limited to 2 mm and to where the groove is near."""
    unequal = first(points) - second(points)
    slope = gradient(first, points) - gradient(second, points)
    step = unequal[:, None] * slope / (np.sum(slope**2, axis=1, keepdims=True) + 0.1)
    return np.clip(step, -2.0, 2.0)


class Courses:
    """Lays the arteries of one heart, parents first."""

    def __init__(self, form: HeartForm, rng: np.random.Generator):
        self.form, self.rng = form, rng
        self.shapes = heart_shapes(form)
        self.surface = epicardial_surface(self.shapes)
        self.found: dict[str, Course] = {}

    def wander(self, points, sd_mm=2.0):
        """Landmarks moved by the patient's own amount, the first two excepted."""
        points = np.array(points, float)
        points[2:] += self.rng.normal(0, sd_mm, points[2:].shape)
        return points

    def groove(self, first: str, second: str):
        return self.shapes[f"{first}_outer"], self.shapes[f"{second}_outer"]

    def lay(self, name, landmarks, radius_mm, groove=None, free_mm=9.0):
        """An artery from an ostium."""
        height = radius_mm + WALL_MM + CLEARANCE_MM
        self.found[name] = Course(name, relaxed(self.wander(landmarks), self.surface, height, groove, free_mm))

    def branch(self, name, parent, distance_mm, landmarks, groove=None):
        """An artery from a point of its parent; it leaves forward at an angle and then follows its landmarks."""
        curve = self.found[parent].points_mm
        start = min(round(distance_mm / STEP_MM), len(curve) - 1)
        ahead = curve[start] - curve[max(start - 8, 0)]
        ahead /= np.linalg.norm(ahead)
        aim = np.asarray(landmarks[0]) - curve[start]
        turn = curve[start] + 5.0 * (0.55 * ahead + 0.75 * aim / np.linalg.norm(aim))
        course = relaxed(self.wander([curve[start], turn, *landmarks]), self.surface, (1.6 if name == "LCx" else 1.0) + WALL_MM + CLEARANCE_MM, groove, 5.0)
        self.found[name] = Course(name, course, parent, start * STEP_MM)

    def nearest_mm(self, name, target) -> float:
        """Arc length at which an artery passes closest to a position."""
        curve = self.found[name].points_mm
        return float(arc_length_mm(curve)[np.argmin(np.linalg.norm(curve - target, axis=1))])


def lay_vein(courses: Courses) -> np.ndarray:
    """Great cardiac vein and coronary sinus: beside the LAD, then beside the LCx in the groove, into the right atrium. (N, 3)."""
    arteries = beads(np.vstack([course.points_mm[::2] for course in courses.found.values()]), 2.2, 30.0)
    ring = [level(a, -4, 43) for a in np.arange(108, 285, 14)]
    landmarks = [level(72, 62), level(74, 45), level(76, 28), level(84, 12, 42), *ring, [-40, 4, -20]]
    beside = union(courses.surface, arteries)
    return relaxed(np.array(landmarks), beside, 2.6, courses.groove("lv", "la"), 3.0)


def lay_left(courses: Courses, dominance: str, ramus: bool) -> None:
    """LM + LAD, LCx, D1, D2, OM1, OM2, and RI, L-PDA, L-PLB where the patient has them."""
    start, outward, rng = ostium("left", courses.form.root_scale, courses.shapes["aorta"]), sinus_direction("left"), courses.rng
    lm_mm = rng.uniform(8, 13)
    forward = [level(58, a) for a in (16, 28, 42, 56, 70)]
    courses.lay(
        "LAD",
        [start, start + 4 * outward, start + 9 * outward + [3, -2, 1], *forward, level(48, 84, 26), level(10, 96, 10), level(280, 92, 16)],
        2.1,
        courses.groove("lv", "rv"),
        8.0,
    )
    end = {"left": 285, "co": 262, "right": 235}[dominance] + rng.uniform(-8, 8)
    ring = [level(a, -3, 40) for a in np.arange(115, end, 15)]
    courses.branch("LCx", "LAD", lm_mm, [level(98, 2, 40), *ring], courses.groove("lv", "la"))
    first = lm_mm + rng.uniform(14, 24)
    courses.branch("D1", "LAD", first, [level(80, 28), level(96, 42), level(106, 58), level(112, 70, 32), level(116, 80, 26)])
    courses.branch("D2", "LAD", first + rng.uniform(20, 30), [level(74, 56), level(84, 66, 32), level(94, 78, 26), level(104, 88, 18)])
    if ramus:
        courses.branch("RI", "LAD", lm_mm + 0.5, [level(100, 12, 40), level(116, 30), level(126, 48), level(132, 60, 34)])
    om1 = courses.nearest_mm("LCx", level(138 + rng.uniform(-6, 6), -3, 40))
    courses.branch("OM1", "LCx", om1, [level(146, 10), level(150, 28), level(154, 44), level(158, 58, 34)])
    om2 = courses.nearest_mm("LCx", level(188 + rng.uniform(-6, 6), -3, 40))
    courses.branch("OM2", "LCx", om2, [level(196, 10), level(200, 26), level(204, 44), level(208, 52, 34)])
    if dominance == "left":
        courses.branch(
            "L-PDA",
            "LCx",
            courses.found["LCx"].points_mm.shape[0] * STEP_MM - 3,
            [level(300, 12), level(302, 26), level(304, 44), level(306, 56, 34)],
            courses.groove("lv", "rv"),
        )
    if dominance in ("left", "co"):
        plb = courses.nearest_mm("LCx", level(end - 20, -3, 40))
        courses.branch("L-PLB", "LCx", plb, [level(end - 16, 10), level(end - 14, 26), level(end - 12, 42)])


def lay_right(courses: Courses, dominance: str) -> None:
    """RCA, and R-PDA and R-PLB where they belong to it."""
    start, outward = ostium("right", courses.form.root_scale, courses.shapes["aorta"]), sinus_direction("right")
    margin = [[-26, -47, 14], [-36, -50, 4], [-42, -47, -8], [-43, -40, -22], [-38, -28, -34], [-29, -14, -38]]
    crux = level(296, -3, 39)
    landmarks = [start, start + 4 * outward, start + 9 * outward + [-3, -1, 0], *margin, *([crux] if dominance != "left" else [])]
    courses.lay("RCA", landmarks, 2.0, courses.groove("rv", "ra"), 8.0)
    if dominance == "left":
        return
    length = arc_length_mm(courses.found["RCA"].points_mm)[-1]
    courses.branch("R-PDA", "RCA", length, [level(298, 12), level(300, 26), level(302, 44), level(304, 56, 34)], courses.groove("lv", "rv"))
    if dominance == "right":
        courses.branch("R-PLB", "RCA", length, [level(276, -3, 40), level(262, 2, 40), level(254, 16), level(250, 32), level(246, 44)])


def murray(parent_mm: float, side_mm: float, exponent: float) -> float:
    """Diameter of the main daughter: parent^k = main^k + side^k."""
    return (parent_mm**exponent - side_mm**exponent) ** (1 / exponent)


def calibre(course: Course, origin_mm: float, sides: dict[str, tuple[float, float]], taper_per_mm: float, exponent: float = 3.0):
    """Healthy lumen diameter (N,), mm, and the diameter of each side branch at its origin.

    Exponential taper with a step of Murray's law, spread over 3 mm, at each side branch. sides: name -> (distance_mm, wanted diameter mm); a side
    branch is at most 0.8 of its parent.
    """
    distance = arc_length_mm(course.points_mm)
    diameter, given = origin_mm * np.exp(-taper_per_mm * distance), {}
    for name, (where, wanted) in sorted(sides.items(), key=lambda item: item[1][0]):
        before = float(np.interp(where, distance, diameter))
        given[name] = min(wanted, 0.8 * before)
        behind = distance >= where
        diameter[behind] = murray(before, given[name], exponent) * np.exp(-taper_per_mm * (distance[behind] - where))
    return ndimage.gaussian_filter1d(diameter, 1.0 / STEP_MM, mode="nearest"), given
