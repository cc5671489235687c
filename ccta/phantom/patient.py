"""A patient with truth: the heart, its arteries and plaques, all as analytic geometry in patient LPS mm."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from ccta.coordinates import to_patient_mm
from ccta.errors import BadSettings
from ccta.model import HEART_LABELS, CoronaryTree, CrossSections, Volume
from ccta.phantom.anatomy import Anatomy, lay_patient
from ccta.phantom.deposits import Deposit
from ccta.phantom.heart import VEINS, HeartForm
from ccta.phantom.plaques import Plaque, PlaqueSpec, Vessel, diseased
from ccta.phantom.tissue import Fields, fields_of, paint_layers
from ccta.phantom.vessels import CALCIUM, LUMEN, Tubes, classes, touched, tubes_of


@dataclass(frozen=True)
class PatientSpec:
    """What can be asked of a patient; None is drawn from the seed."""

    dominance: str | None = None
    ramus: bool | None = None
    plaques: tuple[PlaqueSpec, ...] | None = None
    calibre: float | None = None  # factor on Dodge's normal diameters
    blood_hu: float | None = None  # left heart, aorta and coronary arteries in the CCTA
    right_hu: float | None = None
    fat_hu: float = -95.0  # true attenuation of the fat around the arteries
    age_years: int | None = None
    sex: str | None = None
    murray_exponent: float = 3.0
    body_size: float = 1.0  # of the thorax, without the heart
    heart_size: float = 1.0
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)  # of the heart in the chest, about x, y, z, on top of the seed's own

    def __post_init__(self):
        for name, allowed in (("dominance", ("right", "left", "co-dominant", None)), ("sex", ("M", "F", None))):
            if getattr(self, name) not in allowed:
                raise BadSettings(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(str(a) for a in allowed)}")
        for name, low, high in (
            ("calibre", 0.6, 1.5),
            ("blood_hu", 150, 900),
            ("right_hu", 50, 900),
            ("fat_hu", -150, -40),
            ("age_years", 18, 110),
            ("murray_exponent", 2, 4),
            ("body_size", 0.7, 1.4),
            ("heart_size", 0.7, 1.4),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise BadSettings(f"{name} is {value}; it must be {low} to {high}")


def drawn(seed: int, spec: PatientSpec) -> PatientSpec:
    """The specification with every None decided by the seed. Seed 1 is the demonstration patient: 60 % mid LAD, 35 % proximal RCA."""
    rng = np.random.default_rng([seed, 1])
    values = {
        "dominance": str(rng.choice(["right", "left", "co-dominant"], p=[0.80, 0.11, 0.09])),
        "ramus": bool(rng.random() < 0.25),
        "calibre": float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.2)),
        "blood_hu": float(rng.uniform(340, 500)),
        "right_hu": float(rng.uniform(150, 260)),
        "age_years": int(rng.integers(45, 80)),
        "sex": str(rng.choice(["M", "F"])),
    }
    if seed == 1:
        values |= {"dominance": "right", "ramus": False, "calibre": 1.0, "blood_hu": 420.0, "right_hu": 200.0, "age_years": 62, "sex": "M"}
    decided = replace(spec, **{name: value for name, value in values.items() if getattr(spec, name) is None})
    return decided if decided.plaques is not None else replace(decided, plaques=drawn_plaques(seed, decided, rng))


def drawn_plaques(seed: int, spec: PatientSpec, rng) -> tuple[PlaqueSpec, ...]:
    """None to five plaques of 10-95 %, at most one per segment, in segments that the patient has."""
    if seed == 1:
        return (PlaqueSpec(7, "mixed", 60.0, 14.0, 0.45, 0.75, 1.15, 60.0, 500.0), PlaqueSpec(1, "calcified", 35.0, 12.0, 0.55, 0.75, 1.15, 200.0, 400.0))
    places = [5, 6, 7, 9, 11, 13, 12, 1, 2] + ([3] if spec.dominance != "left" else [])
    found = []
    for segment in rng.choice(places, size=rng.integers(0, 6), replace=False, p=None):
        kind = str(rng.choice(["soft", "mixed", "calcified"]))
        stenosis = float(np.round(10 + 85 * rng.beta(1.2, 1.8)))
        length = float(np.round(rng.uniform(7, 18) if segment != 5 else 6.0, 1))
        rest = rng.uniform(0.45, 0.85), rng.uniform(1.0, 1.3), rng.uniform(0, 360), rng.uniform(250, 900)
        found.append(PlaqueSpec(int(segment), kind, stenosis, length, 0.5, *[float(np.round(x, 2)) for x in rest]))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class PhantomPatient:
    """Anatomy, arteries and plaques of one seed. Everything is a function of `seed` and `spec`."""

    seed: int
    spec: PatientSpec
    form: HeartForm
    anatomy: Anatomy
    plaques: tuple[Plaque, ...]
    vessels: tuple[Vessel, ...]
    deposits: tuple[Deposit, ...] = ()
    _cache: dict = field(default_factory=dict, repr=False)

    @cached_property
    def tree(self) -> CoronaryTree:
        """True centerlines with the radius of the diseased lumen."""
        return CoronaryTree(tuple(vessel.branch for vessel in self.vessels), self.spec.dominance)

    @cached_property
    def tubes(self) -> Tubes:
        return tubes_of(list(self.vessels), self.plaques)

    @cached_property
    def sections(self) -> list[CrossSections]:
        """True contours at every point of every branch (0.25 mm), 64 angles."""
        theta = np.arange(64) * 2 * np.pi / 64
        return [true_sections(number, vessel, theta) for number, vessel in enumerate(self.vessels)]

    def fields(self, affine: np.ndarray, shape) -> Fields:
        """Distances of the tissue layers over the box of a grid; the last box is kept."""
        corners = to_patient_mm(np.array(np.meshgrid(*[[-0.5, n - 0.5] for n in shape])).reshape(3, -1).T, affine)
        key = tuple(np.round([*corners.min(0), *corners.max(0)], 3))
        if self._cache.get("key") != key:
            layers = [layer.shape for layer in self.anatomy.layers]
            self._cache.update(fields=fields_of(layers, corners.min(0), corners.max(0), self.seed), key=key)
        return self._cache["fields"]

    def heart_labels(self, affine: np.ndarray, shape, veins: bool = True) -> Volume:
        """True HEART_LABELS at the voxel centres of a grid. veins: whether an atrium's veins are part of it beyond their first `VEIN_STUMP_MM`."""
        code = np.array([HEART_LABELS.get(layer.label, 0) * (veins or layer.name not in VEINS) for layer in self.anatomy.layers], float)
        image = paint_layers(affine[:3], tuple(shape), self.fields(affine, shape), code, 0 * code, 1e-6)
        return Volume(np.maximum(image, 0).astype(np.uint8), affine)

    def lumen_labels(self, affine: np.ndarray, shape) -> Volume:
        """True CORONARY_LABELS (lumen, calcified) at the voxel centres of a grid."""
        index, near = touched(self.tubes, affine, shape)
        labels = np.zeros(shape, np.uint8)
        if len(index):
            kind = classes(to_patient_mm(index, affine), near, self.tubes)
            labels[tuple(index.T)] = np.where(kind == LUMEN, 1, np.where(kind == CALCIUM, 2, 0))
        return Volume(labels, affine)


def true_sections(number: int, vessel: Vessel, theta: np.ndarray) -> CrossSections:
    """The exact contours of one vessel."""
    branch, (normal, u, v) = vessel.branch, vessel.frame
    count = len(branch.points_mm)
    lumen = np.repeat(branch.radius_mm[:, None], len(theta), axis=1)
    wall = np.maximum(vessel.wall_at(theta), lumen)
    return CrossSections(number, branch.distance_mm, branch.points_mm, normal, u, v, lumen, wall, np.zeros(count), np.ones(count, bool))


def form_of(rng: np.random.Generator) -> HeartForm:
    """A heart of this patient's size."""
    vary = {"lv_radius_mm": 1.2, "lv_length_mm": 3.0, "wall_mm": 0.6, "rv_scale": 0.03, "la_scale": 0.04, "ra_scale": 0.03, "root_scale": 0.04, "fat_mm": 0.6}
    base = HeartForm()
    return HeartForm(**{name: getattr(base, name) + float(np.clip(rng.normal(0, sd), -1.7 * sd, 1.7 * sd)) for name, sd in vary.items()})


def make_patient(seed: int = 1, spec: PatientSpec | None = None, form: HeartForm | None = None) -> PhantomPatient:
    """The patient of a seed, its heart's form drawn unless given. Raises BadSettings where a plaque names a segment that this patient does not have."""
    decided = drawn(seed, spec or PatientSpec())
    rng = np.random.default_rng([seed, 2])
    form = form or form_of(rng)
    turn = Rotation.from_euler("xyz", rng.normal(0, [4, 4, 6]) + decided.turn_deg, degrees=True).as_matrix()
    scale = decided.heart_size * float(np.clip(rng.normal(1.0, 0.04), 0.92, 1.08))
    anatomy, branches = lay_patient(form, decided, turn, scale, rng)
    plaques = tuple(placed(plaque, branches) for plaque in decided.plaques)
    vessels = tuple(diseased(b, [(k, p) for k, p in enumerate(plaques) if p.branch == n]) for n, b in enumerate(branches))
    return PhantomPatient(seed, decided, form, anatomy, plaques, vessels)


def placed(spec: PlaqueSpec, branches) -> Plaque:
    """The plaque at its fraction of its segment, clear of the branch's ends."""
    for number, branch in enumerate(branches):
        here = branch.segment == spec.segment
        if here.any():
            s = branch.distance_mm
            first, last = s[here].min(), s[here].max()
            middle = first + spec.position * (last - first)
            return Plaque(spec, number, float(np.clip(middle, spec.length_mm / 2 + 0.5, s[-1] - spec.length_mm / 2 - 0.5)))
    raise BadSettings(f"a plaque names segment {spec.segment}, which this patient does not have; choose another segment or dominance")
