"""One frozen dataclass of settings per stage, every default with its reason (habit 7). Read from `case.toml` in the Case directory."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from ccta.errors import BadSettings


@dataclass(frozen=True)
class ReadSettings:
    """Which series is read."""

    series_uid: str = ""  # empty: chosen by content, and the choice is explained
    calcium_series_uid: str = ""


@dataclass(frozen=True)
class SegmentSettings:
    """Heart, aorta and coronary segmentation."""


@dataclass(frozen=True)
class TreeSettings:
    """Centerlines and names."""


@dataclass(frozen=True)
class MeasureSettings:
    """Contours, stenoses, plaque, fat."""

    plaque_thresholds: str = "fixed"  # "fixed" ranges, or "adapted": the same scaled by this scan's lumen enhancement over 350 HU
    plaque_normal_wall_mm: float = 0.5  # a wall thinner than this is no plaque: normal wall is below what CT resolves
    plaque_min_area_mm2: float = 1.0  # on a plane; the smallest plaque that SCCT (Leipsic 2014) counts
    plaque_min_length_mm: float = 1.5  # along the vessel: shorter is a contour's flaw rather than a plaque
    plaque_min_vessel_mm: float = 1.5  # outer diameter; smaller vessels are not graded
    plaque_border_mm: float = 0.3  # half a scanner blur: HU this close to lumen or fat is a mixture, the value next to it is taken

    plane_step_mm: float = 0.25  # half a voxel: a 2 mm lesion still gets eight planes
    psf_fwhm_mm: float = 0.7  # blur of a medium cardiac kernel; used where the image's own vessel edges are too few to measure it
    normal_wall_mm: float = 0.4  # intima and media of a healthy coronary artery, below what CT resolves (0.3-0.5 mm)
    normal_wall_hu: float = 60.0  # muscle-like tissue, unenhanced
    max_lumen_radius_mm: float = 3.5  # left main plus ectasia; larger is an aneurysm, which the contour would cut
    stenosis_min_pct: float = 25.0  # CAD-RADS 2 begins here; smaller narrowings are within the contour's noise
    stenosis_min_length_mm: float = 1.5  # about two point-spread widths: shorter dips are noise or a step artefact
    stenosis_min_reference_mm: float = 1.5  # smaller vessels are not graded (CLINICAL: CAD-RADS 2.0)


@dataclass(frozen=True)
class CalciumSettings:
    """Calcium scoring on a non-contrast series."""


@dataclass(frozen=True)
class FlowSettings:
    """Blood flow and FFR. A patient number of 0 means: not measured; the default that then stands in for it is printed with the result."""

    systolic_mmhg: float = 0.0  # cuff; 120/80 stands in
    diastolic_mmhg: float = 0.0
    height_cm: float = 0.0  # body size stands in for a myocardial mass that the image does not show
    weight_kg: float = 0.0
    lv_mass_g: float = 0.0  # given here, it overrides the segmented myocardium
    haematocrit: float = 0.0  # fraction; sets the viscosity when known
    distal_pressure_mmhg: float = 5.0  # mean right atrial pressure at rest, 2-6 mmHg in health
    rest_flow_law: str = "allometric"  # 5.09 M^0.75 (Choy and Kassab 2008); "per_gram": rest_flow_ml_min_g
    rest_flow_ml_min_g: float = 1.0  # resting perfusion by PET is 0.7-1.2 mL/min/g
    hyperaemia_factor: float = 0.24  # total coronary resistance under adenosine over that at rest (Wilson 1990)
    outlet_exponent: float = 2.66  # resistance ~ diameter^-m; 7/3 (Murray with Huo's law) to 3 (Murray) are in use
    interval_samples: int = 200  # of the reduced model, for the 95 % interval; 200 put its ends within about 0.005
    pressure_sd_mmhg: float = 7.0  # of a single cuff reading of the mean pressure against the catheter
    resistance_sd: float = 0.2  # relative, of the hyperaemic resistance between people of the same mass
    exponent_sd: float = 0.25  # published exponents run from 2.15 to 3
    lumen_sd_mm: float = 0.1  # where the contours do not state their own


@dataclass(frozen=True)
class ReportSettings:
    """What the report prints."""

    institution: str = ""  # printed in the head of the report when given
    indication: str = ""  # clinical question, printed as given; an image file does not say it
    language: str = "en"


@dataclass(frozen=True)
class Settings:
    """All stages. The table names in case.toml are these field names."""

    read: ReadSettings = field(default_factory=ReadSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    tree: TreeSettings = field(default_factory=TreeSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    calcium: CalciumSettings = field(default_factory=CalciumSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    report: ReportSettings = field(default_factory=ReportSettings)


def settings_from(cls, values: dict):
    """A settings dataclass from one table of case.toml; an unknown key is an error, not a typo."""
    known = {f.name: f for f in fields(cls)}
    unknown = set(values) - set(known)
    if unknown:
        raise BadSettings(f"{cls.__name__} has no setting {sorted(unknown)}; it has {sorted(known)}")
    for name, value in values.items():
        wanted = known[name].type
        if isinstance(wanted, type) and not isinstance(value, (wanted, int) if wanted is float else wanted):
            raise BadSettings(f"{cls.__name__}.{name} must be a {wanted.__name__}, got {value!r}")
    return cls(**values)


def load_settings(path: Path) -> Settings:
    """Settings from a TOML file, defaults where it is absent or silent."""
    if not path.exists():
        return Settings()
    try:
        tables = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML ({error}); correct it or delete it to use the defaults") from error
    known = {f.name: f.type for f in fields(Settings)}
    unknown = set(tables) - set(known)
    if unknown:
        raise BadSettings(f"{path} has the table {sorted(unknown)}; it may have {sorted(known)}")
    return Settings(**{name: settings_from(known[name], table) for name, table in tables.items()})
