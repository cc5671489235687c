"""What a case says, as data: the schema of findings.json and pullback.json (INTERFACES). Units stand in the key names.

Frozen pydantic models: an object that exists is valid, NaN and infinity are refused, and what could not be measured is
`Unavailable(reason)`, written as {"unavailable": "reason"}. Adding a key is free; changing one needs a changelog line. Over 300 lines, because a schema
that others rely on is read as a whole.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, InstanceOf, PlainSerializer, WithJsonSchema

from ccta.model import Unavailable

Refused = Annotated[
    InstanceOf[Unavailable],
    BeforeValidator(lambda value: Unavailable(value["unavailable"]) if isinstance(value, dict) and set(value) == {"unavailable"} else value),
    PlainSerializer(lambda value: {"unavailable": value.reason}),
    WithJsonSchema({"type": "object", "properties": {"unavailable": {"type": "string"}}, "required": ["unavailable"], "additionalProperties": False}),
]
Number = FiniteFloat | Refused
Text = str | Refused
Point = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Vessel = Literal["LM", "LAD", "LCx", "RCA"]


class Value(BaseModel):
    """Base of all findings: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Patient(Value):
    id: str = ""
    name: str = ""
    sex: Literal["M", "F", "O", ""] = ""
    age_years: Number = Unavailable("the header has no age")
    study_date: str = ""
    study_description: str = ""
    accession_number: str = ""
    study_uid: str = ""


class Acquisition(Value):
    """Of the series that the anatomy is read from."""

    kvp: Number = Unavailable("the file names no tube voltage")
    kernel: str = ""
    spacing_mm: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    shape: tuple[int, int, int] | None = None
    phase_percent: Number = Unavailable("the file names no cardiac phase")
    contrast: bool | None = None
    gated: bool | None = None
    manufacturer: str = ""
    model: str = ""
    series_uid: str = ""
    series_description: str = ""
    source: str = ""
    chosen_because: str = ""


class Quality(Value):
    noise_hu: Number
    snr: Number
    cnr: Number
    aorta_hu: Number
    fat_hu: Number = Unavailable("no epicardial fat was measured")
    rv_lv_ratio: Number = Unavailable("the ventricles were not found")
    """Right over left ventricular HU: contrast timing."""
    steps_mm: list[FiniteFloat] = []
    """Patient z of each step between slabs."""
    edge_mm: Number = Unavailable("the arteries were not traced")
    """Width of the lumen's edge in the segment that moved most; a still artery has the scanner's blur, 0.7-1.2 mm."""
    segments: dict[str, int] = {}
    """SCCT id -> 1 non-diagnostic, 2 poor, 3 adequate, 4 good, 5 excellent."""
    segments_because: dict[str, str] = {}
    """What lowered the score of segments of 3 and less."""
    verdict: dict[str, str] = {}
    """Per task (calcium, anatomy, plaque, ffr): "good" or the sentence that says what is wrong with this image for it."""
    warnings: list[str] = []


class CalciumQuality(Value):
    """Of the non-contrast series."""

    noise_hu: Number
    noise_3mm_hu: Number
    """As it is after averaging to the 3 mm that are scored."""
    verdict: str
    """"good" or the sentence that says what is wrong, the gravest first."""


class CalciumLesion(Value):
    vessel: Vessel
    agatston: FiniteFloat
    volume_mm3: FiniteFloat
    mass_mg: FiniteFloat
    peak_hu: FiniteFloat
    center_mm: Point
    probability: FiniteFloat = 1.0
    id: int = 0
    """Its value in calcium_labels.nii.gz; kept through hand corrections."""
    source: Literal["automatic", "reader", "corrected"] = "automatic"
    restarts: list[FiniteFloat] = []
    """Agatston score at other places of the first slice; see Calcium.agatston_interval."""
    note: str = ""
    """What a reader has to check."""


class RejectedCalcium(Value):
    agatston: FiniteFloat
    center_mm: Point
    reason: str
    id: int = 0
    vessel: Vessel | Literal[""] = ""
    """Of the nearest artery, where one is known."""
    volume_mm3: FiniteFloat = 0.0
    mass_mg: FiniteFloat = 0.0
    peak_hu: FiniteFloat = 0.0
    source: Literal["automatic", "reader", "corrected"] = "automatic"
    restarts: list[FiniteFloat] = []


class CalciumEdit(Value):
    """One hand correction of the lesion list: by whom, when, what stood there, what stands there now. An artery, or "not coronary"."""

    lesion: int
    center_mm: Point
    by: str
    at: str
    """ISO 8601, UTC."""
    before: str
    after: Literal["LM", "LAD", "LCx", "RCA", "not coronary"]
    series_uid: str = ""
    """Of the series, and whether of a reader's regions on it, that the list was made from: a correction holds for no other."""
    of_regions: bool = False


class Percentile(Value):
    value: Number
    table: str


class Calcium(Value):
    agatston: FiniteFloat
    volume_mm3: FiniteFloat
    mass_mg: FiniteFloat
    mass_calibration: str = "uncalibrated"
    vessels: dict[Vessel, FiniteFloat]
    lesions: list[CalciumLesion] = []
    rejected: list[RejectedCalcium] = []
    rejected_unlisted: dict[str, int] = {}
    """How many more spots above the threshold were rejected, by kind of reason: outside the heart, bone, noise away from the arteries."""
    cac_drs: str
    percentile: Percentile | Refused = Unavailable("age or sex is not known")
    threshold_hu: FiniteFloat = 130.0
    method: str = ""
    agatston_interval: tuple[FiniteFloat, FiniteFloat] | Refused = Unavailable("the spread over slice starts was not computed")
    """Lowest and highest score over other places of the first slice in the same patient; noise and motion come on top."""
    corrections: list[CalciumEdit] = []


class Segment(Value):
    id: int
    name: str
    vessel: Vessel
    length_mm: FiniteFloat
    mean_diameter_mm: FiniteFloat
    ostium_mm: Point
    """Where the segment begins."""
    confidence: Number = Unavailable("the coronary network was not asked")
    """Share of the segment's length on which the network, asked by itself, sees an artery too."""


class Tree(Value):
    dominance: str
    segments: list[Segment] = []
    unnamed_length_mm: FiniteFloat = 0.0


class Stenosis(Value):
    segment: int
    vessel: Vessel
    branch: int
    """Index of the branch in tree.json."""
    diameter_pct: FiniteFloat
    area_pct: FiniteFloat
    mld_mm: FiniteFloat
    mla_mm2: FiniteFloat
    reference_diameter_mm: FiniteFloat
    position_mm: FiniteFloat
    """Of the minimal lumen, along the branch from its origin."""
    entry_mm: FiniteFloat
    exit_mm: FiniteFloat
    length_mm: FiniteFloat
    center_mm: Point
    diameter_pct_interval: tuple[FiniteFloat, FiniteFloat] | Refused = Unavailable("the contour uncertainty was not propagated")
    """90 %, from the contour's and the reference's own error."""
    plaque_type: str = ""
    high_risk: list[str] = []


class PlaqueVolumes(Value):
    total_mm3: FiniteFloat
    calcified_mm3: FiniteFloat
    noncalcified_mm3: FiniteFloat
    low_attenuation_mm3: FiniteFloat
    pav_pct: FiniteFloat


class Plaque(PlaqueVolumes):
    vessels: dict[Vessel, PlaqueVolumes] = {}
    segments: dict[int, PlaqueVolumes] = {}
    """By SCCT id, only segments that have plaque."""
    stage: str = ""
    thresholds: str = "fixed: < 30, 30-130, 131-350, > 350 HU"
    segments_with_plaque: list[int] = []


class Fat(Value):
    fai_hu: Number
    note: str = ""


class CadRads(Value):
    category: str
    plaque_burden: str
    modifiers: list[str] = []
    text: str
    because: str


class Scores(Value):
    sis: Number
    sss: Number
    leiden: Number


class Heart(Value):
    lv_mass_g: Number
    lv_edv_ml: Number
    lv_ef_pct: Number
    eat_ml: Number


class VesselFfr(Value):
    ffr: Number
    low: Number = Unavailable("the uncertainty was not sampled")
    high: Number = Unavailable("the uncertainty was not sampled")
    causes: dict[str, float] = {}
    """Of the 90 % interval from low to high: share of its variance by what is uncertain."""
    at_mm: Number
    delta: Number


class LesionFfr(Value):
    segment: int
    ffr: Number
    low: Number = Unavailable("the uncertainty was not sampled")
    high: Number = Unavailable("the uncertainty was not sampled")
    causes: dict[str, float] = {}
    delta: Number


class Ffr(Value):
    model: Literal["rom", "3d", "pulsatile", "3d-pulsatile"]
    pa_mmhg: FiniteFloat
    flow_ml_min: FiniteFloat
    vessels: dict[Vessel, VesselFfr] = {}
    lesions: list[LesionFfr] = []
    assumptions: list[str] = []
    """Each default that stood in for a measurement of this patient, in words."""


class Findings(Value):
    """The whole of findings.json. A section that no stage has produced says so."""

    schema_: Literal["1.0"] = Field("1.0", alias="schema")
    patient: Patient = Patient()
    acquisition: Acquisition | Refused = Unavailable("no contrast-enhanced image was read")
    calcium_acquisition: Acquisition | Refused = Unavailable("no calcium image was read")
    calcium_quality: CalciumQuality | Refused = Unavailable("no calcium series was read")
    quality: Quality | Refused = Unavailable("image quality was not measured")
    calcium: Calcium | Refused = Unavailable("calcium was not measured")
    tree: Tree | Refused = Unavailable("the coronary tree was not extracted")
    stenoses: list[Stenosis] | Refused = Unavailable("stenoses were not measured")
    plaque: Plaque | Refused = Unavailable("plaque was not measured")
    fat: dict[str, Fat] | Refused = Unavailable("pericoronary fat was not measured")
    cad_rads: CadRads | Refused = Unavailable("CAD-RADS was not assigned")
    scores: Scores | Refused = Unavailable("scores were not computed")
    heart: Heart | Refused = Unavailable("the heart was not measured")
    ffr: Ffr | Refused = Unavailable("flow was not solved")

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    @property
    def task_verdicts(self) -> dict[str, str]:
        """Per task "good" or what is wrong: of the CCTA, and for calcium of the calcium series where one was read."""
        found = dict(self.quality.verdict) if self.quality else {}
        return {**found, "calcium": self.calcium_quality.verdict} if self.calcium_quality else found


class Port(Value):
    """One opening of the flow domain."""

    name: str
    pressure_mmhg: FiniteFloat
    flow_ml_min: FiniteFloat
    diameter_mm: FiniteFloat
    resistance_pa_s_m3: FiniteFloat = 0.0
    """0 at an inlet (pressure prescribed)."""


class PullbackBranch(Value):
    """Along one branch of the tree, from its origin: equal-length lists."""

    name: str
    vessel: str
    distance_mm: list[FiniteFloat]
    ffr: list[FiniteFloat]
    flow_ml_min: list[FiniteFloat]
    pressure_mmhg: list[FiniteFloat]
    diameter_mm: list[FiniteFloat]
    points_mm: list[Point]


class PullbackFile(Value):
    """pullback.json: one result type for the reduced and the 3-D model. Branches in the order of the tree."""

    model: Literal["rom", "3d", "pulsatile", "3d-pulsatile"]
    pa_mmhg: FiniteFloat
    inlets: list[Port]
    outlets: list[Port]
    branches: list[PullbackBranch]
    mass_error: FiniteFloat
    """|sum of inlet flow - sum of outlet flow| / inlet flow."""
    notes: list[str] = []
