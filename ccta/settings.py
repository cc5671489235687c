"""One frozen dataclass of settings per stage, every default with its reason (habit 7). Read from `case.toml` in the Case directory."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from ccta.errors import BadSettings


@dataclass(frozen=True)
class ReadSettings:
    """Which series is read."""

    series_uid: str = ""  # UID, or number in `ccta list`; empty: chosen by content, and the choice is explained
    calcium_series_uid: str = ""
    calcium_regions: str = ""  # file with a reader's regions (OsiriX XML, DICOM SEG, label image); empty: calcium is found automatically
    calcium_label_names: tuple[str, ...] = ("LM", "LAD", "LCx", "RCA")  # of the labels 1, 2, ... in a label image of regions


@dataclass(frozen=True)
class SegmentSettings:
    """Heart, aorta and coronary segmentation."""

    heart_step_mm: float = 1.5  # working grid: chamber walls of 2 mm still show, and a whole chest takes seconds
    heart_min_blood_hu: float = 180.0  # darker blood is not a coronary angiogram (SCCT asks for > 250 HU in the aorta)
    heart_blood_fraction: float = 0.25  # blood begins a quarter of the way from muscle to the aorta: the right heart is often dimmer
    coronary_grid_mm: float = 0.5  # isotropic working grid: near the scanner's resolution, four times fewer voxels than 0.35 mm
    coronary_smoothing_mm: float = 0.5  # Gaussian sigma: halves the noise, takes a third of a 1.5 mm vessel's contrast
    coronary_radii_mm: tuple[float, ...] = (0.6, 0.9, 1.3, 1.8, 2.4, 3.0)  # probed tube radii: 1.2 mm side branches to an ectatic left main
    coronary_max_voxel_mm: float = 1.0  # larger voxels mix a 1.5-2 mm artery with its surroundings
    coronary_min_blood_hu: float = 200.0  # SCCT 2016 asks for more than 250 HU; below 200 a distal lumen looks like muscle
    coronary_min_cnr: float = 4.0  # (aorta - myocardium) over noise; below it noise makes tubes of its own
    coronary_margin_mm: float = 12.0  # about the labelled heart: its border is trusted to a few millimetres only
    coronary_outside_mm: float = 5.0  # epicardial arteries lie inside the pericardium; label error on top
    coronary_pocket_mm: float = 10.0  # half-width of the grooves that are filled: the circumflex runs in the fat between left atrium, appendage and ventricle
    coronary_pool_mm: float = 3.2  # a ball of this radius fits in a chamber or the aorta, not in an artery
    coronary_pool_core_mm3: float = 50.0  # places of such a ball's centre: a chamber has thousands, a fork or a small aneurysm a few
    coronary_label_error_mm: float = 2.5  # deeper than this inside a labelled chamber there is no artery
    coronary_root_reach_mm: float = 40.0  # ostia lie within 25 mm of the annulus; label error on top
    coronary_path_floor_hu: float = 0.0  # a path may cross non-calcified plaque (20-130 HU), not fat
    coronary_tube_floor: float = 0.25  # of the aorta's HU: dimmer voxels hold no lumen axis, so tubes are not looked for
    coronary_full_tube: float = 0.6  # tube answer of a perfect artery after the scanner's and our blur, of the aorta-fat contrast
    coronary_good_tube: float = 0.35  # a voxel that speaks for an artery: three times what noise gives at contrast-to-noise 10
    coronary_asked_tube: float = 0.2  # the network is asked about windows with such a trace of a tube: half of what speaks for an artery
    coronary_network_share: float = 0.5  # of the image's tree that the network must see too before it may judge: else this image is none it knows
    coronary_min_tube: float = 0.4  # mean over 5 mm of an accepted artery; veins at half the enhancement stay near 0.4
    coronary_min_blood: float = 0.62  # of the aorta's HU, vessels wider than 2 mm: arteries lose up to a quarter distally, veins lie near a half
    coronary_bridge_mm: float = 6.0  # a severe stenosis or motion gap that evidence behind it may bridge
    coronary_min_branch_mm: float = 5.0  # shorter side branches are wall roughness as often as arteries
    coronary_min_system_mm: float = 25.0  # all branches of one ostium: a right coronary that is not dominant still exceeds it


@dataclass(frozen=True)
class TreeSettings:
    """Centerlines and names."""

    mask_grid_mm: float = 0.4  # grid on which ways through the label map are sought: the image's own resolution
    step_mm: float = 0.5  # between centerline points: one voxel
    smoothing_mm: float = 1.0  # Gaussian sigma along the centerline: removes voxel stairs, keeps bends of 5 mm radius to 0.1 mm
    refinements: int = 4  # moves towards the lumen's middle; the last changes less than 0.05 mm
    max_gap_mm: float = 5.0  # hole in the label map at a severe stenosis that is bridged
    ostium_reach_mm: float = 5.0  # labelled arteries nearer than this to the aorta label may begin there: both labels are wrong by 1-2 mm
    min_branch_mm: float = 4.0  # side branch beyond its parent's lumen; shorter ones are roughness of the mask
    min_root_mm: float = 15.0  # a shorter artery from the aorta is a piece of wall or of a sinus
    min_diameter_mm: float = 1.0  # a centerline ends where the lumen stays smaller: two voxels, nothing can be measured


@dataclass(frozen=True)
class MeasureSettings:
    """Contours, stenoses, plaque, fat."""

    plaque_thresholds: str = "fixed"  # "fixed" ranges, or "adapted": the same scaled by this scan's lumen enhancement over 350 HU
    plaque_normal_wall_mm: float = 0.5  # the healthy wall is taken as the vessel's own, at most this: CT hardly resolves it
    plaque_min_area_mm2: float = 1.0  # on a plane, beyond the healthy vessel's wall: SCCT (Leipsic 2014); the contours of a healthy vessel reach 0.5
    plaque_min_excess_mm: float = 0.1  # and of thickness, all round: the contours of a healthy vessel reach this, whatever its calibre
    plaque_edge_area_mm2: float = 0.35  # beside such planes, a plaque's shoulders reach to here
    plaque_shoulder_mm2: float = 0.15  # and on to where the wall is so little above that of the healthy vessel, whose contours vary by about as much
    plaque_min_length_mm: float = 2.0  # along the vessel: shorter is a contour's flaw rather than a plaque
    plaque_min_vessel_mm: float = 1.5  # outer diameter; smaller vessels are not graded
    plaque_border_mm: float = 0.3  # half a scanner blur: HU this close to lumen or fat is a mixture, the value next to it is taken

    plane_step_mm: float = 0.25  # half a voxel: a 2 mm lesion still gets eight planes
    psf_fwhm_mm: float = 0.7  # blur of a medium cardiac kernel; used where the image's own vessel edges are too few to measure it
    normal_wall_mm: float = 0.4  # intima and media of a healthy coronary artery, below what CT resolves (0.3-0.5 mm)
    normal_wall_hu: float = 60.0  # muscle-like tissue, unenhanced
    max_lumen_radius_mm: float = 3.5  # left main plus ectasia; larger is an aneurysm, which the contour would cut
    stenosis_min_pct: float = 20.0  # just below CAD-RADS 2 (25 %), since the contour errs by about 5 points; less is noise
    stenosis_min_length_mm: float = 1.5  # about two point-spread widths: shorter dips are noise or a step artefact
    stenosis_min_reference_mm: float = 1.5  # smaller vessels are not graded (CLINICAL: CAD-RADS 2.0)


@dataclass(frozen=True)
class CalciumSettings:
    """Calcium scoring on a non-contrast series."""

    threshold_hu: float = 0.0  # 0: 130 HU at 120 kVp, adapted to the tube voltage by published thresholds
    reach_mm: float = 6.0  # from the artery's wall: breathing and phase move the heart by some mm between the calcium scan and the CCTA
    mass_mg_per_hu_mm3: float = 0.001  # typical of 120 kVp; the scanner's own factor comes from its calibration phantom
    mass_calibration: str = "uncalibrated"  # name the phantom here when the factor above was measured


@dataclass(frozen=True)
class FlowSettings:
    """Blood flow and FFR. A patient number of 0 means: not measured; the default that then stands in for it is printed with the result."""

    model: str = "3d"  # "rom": the reduced model, within about 0.03 of it in a second
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
    solver: str = "everyday"  # of the 3-D model; "reference": DOLFINx's Taylor-Hood elements, FFR within about 0.003 of it and several times slower
    elements_per_diameter: float = 4.5  # of the 3-D mesh; its velocities are of degree 2. 6 takes about two and a half times as long
    outlet_exponent: float = 2.66  # resistance ~ diameter^-m; 7/3 (Murray with Huo's law) to 3 (Murray) are in use
    side_branches: bool = False  # true: the taper between visible branches is flow that leaves through those too small to be seen; not yet validated
    interval_samples: int = 1000  # of the reduced model, for the 90 % interval; they put its ends within about 0.002
    pressure_sd_mmhg: float = 7.0  # of a single cuff reading of the mean pressure against the catheter
    lv_mass_sd: float = 0.1  # relative, of the segmented or expected myocardial mass
    resistance_sd: float = 0.2  # relative, of the hyperaemic resistance between people of the same mass
    exponent_sd: float = 0.25  # published exponents run from 2.15 to 3
    loss_sd: float = 0.15  # relative, of the reduced model's loss behind narrowings against 3-D; twice that outside the range it was fitted in
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
