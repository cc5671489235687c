"""A made-up but plausible patient, for tests of the report, the viewer and the command line: findings, pullback, and a refused case.

Nothing here was measured; the tree is a handful of splines.
"""

import numpy as np
from scipy.interpolate import CubicSpline

from ccta.findings import (
    Acquisition,
    CadRads,
    Calcium,
    CalciumLesion,
    Fat,
    Ffr,
    Findings,
    Heart,
    LesionFfr,
    Patient,
    Percentile,
    Plaque,
    PlaqueVolumes,
    Port,
    PullbackBranch,
    PullbackFile,
    Quality,
    RejectedCalcium,
    Scores,
    Segment,
    Stenosis,
    Tree,
    VesselFfr,
)
from ccta.model import SEGMENTS, Unavailable, arc_length_mm

HARD_NAME = 'Müller-Sørensen^"Anna" & <b>#strong</b> $x_1$ 王小明'
"""A name with the markup of HTML and of Typst in it, and Chinese characters."""

BRANCHES = {
    "LAD": (None, [(0, 0, 0), (12, -6, -1), (26, -22, -8), (32, -34, -26), (28, -42, -48), (18, -44, -72), (8, -38, -88)], (2.1, 0.8)),
    "LCx": ("LAD", [(12, -6, -1), (20, -2, -8), (28, 12, -18), (30, 26, -32), (24, 36, -48)], (1.6, 0.8)),
    "D1": ("LAD", [(26, -22, -8), (40, -26, -22), (46, -28, -40), (46, -28, -56)], (1.1, 0.7)),
    "OM1": ("LCx", [(24, 3, -12), (40, 8, -28), (48, 10, -48)], (1.2, 0.7)),
    "RCA": (None, [(-22, -14, -8), (-34, -22, -14), (-46, -20, -32), (-42, -6, -58), (-28, 12, -72), (-10, 20, -74)], (1.9, 1.1)),
    "R-PDA": ("RCA", [(-12, 20, -74), (0, 8, -82), (8, -6, -88), (12, -18, -92)], (0.95, 0.7)),
}
"""Branch -> (parent, spline knots mm, radius mm at both ends)."""

LESIONS = {"LAD": ((46.0, 60.0, 0.62), (26.0, 34.0, 0.30)), "LCx": ((22.0, 30.0, 0.41),), "RCA": ((35.0, 44.0, 0.22),)}
"""Branch -> (entry mm, exit mm, diameter stenosis)."""


def stenosis(segment: int = 7, pct: float = 60.0, **changes) -> Stenosis:
    """One stenosis of `pct` percent in an SCCT segment; any field can be given."""
    reference = changes.get("reference_diameter_mm", 3.0)
    mld = reference * (1 - pct / 100)
    values = {
        "segment": segment,
        "vessel": SEGMENTS[segment][1],
        "branch": 0,
        "diameter_pct": pct,
        "area_pct": 100 * (1 - (1 - pct / 100) ** 2),
        "mld_mm": mld,
        "mla_mm2": np.pi / 4 * mld**2,
        "reference_diameter_mm": reference,
        "position_mm": 40.0,
        "entry_mm": 34.0,
        "exit_mm": 47.0,
        "length_mm": 13.0,
        "center_mm": (10.0, -20.0, -30.0),
    }
    return Stenosis(**{**values, **changes})


def example_findings(name: str = "Example^Patient") -> Findings:
    """A complete case: 62 % stenosis of the mid LAD, mild disease elsewhere, right dominance."""
    return Findings(
        patient=Patient(
            id="PH-0001", name=name, sex="M", age_years=61, study_date="2026-03-14", study_description="CT coronary angiography", accession_number="A7731"
        ),
        acquisition=_acquisition(),
        quality=Quality(
            noise_hu=24.3,
            snr=17.9,
            cnr=21.6,
            aorta_hu=435.0,
            segments={"5": 5, "6": 4, "7": 4, "8": 3, "11": 4, "13": 3, "1": 4, "2": 3, "3": 4, "4": 2},
            verdict={"calcium": "good", "anatomy": "good", "plaque": "good", "ffr": "good"},
            warnings=["Slight motion blur of the mid RCA."],
        ),
        calcium_acquisition=Acquisition(kvp=120.0, kernel="Qr36", spacing_mm=(0.4, 0.4, 3.0), shape=(512, 512, 48), contrast=False, gated=True),
        calcium=_calcium(),
        tree=_tree(),
        stenoses=_stenoses(),
        plaque=_plaque(),
        fat={
            "LAD": Fat(fai_hu=-73.4, note="120 kVp, kernel Bv40, slice spacing 0.50 mm; not above the high-risk limit of -70.1 HU"),
            "LCx": Fat(fai_hu=Unavailable("only 62 mm3 of fat around the vessel (at least 100)")),
            "RCA": Fat(fai_hu=-68.2, note="120 kVp, kernel Bv40, slice spacing 0.50 mm; above the high-risk limit of -70.1 HU"),
        },
        cad_rads=CadRads(
            category="3",
            plaque_burden="P2",
            modifiers=["HRP", "I+"],
            text="3/P2/HRP/I+",
            because="Worst stenosis: mLAD 62 % diameter stenosis (50-69 %); P2 by the calcium score 187 (by segment involvement 4 it would be P2); "
            "high-risk plaque in mLAD (PR, LAP); I+ by computed FFR 0.74 behind mLAD.",
        ),
        scores=Scores(sis=4.0, sss=5.0, leiden=13.1),
        heart=Heart(
            lv_mass_g=128.0, lv_edv_ml=142.0, lv_ef_pct=Unavailable("one cardiac phase was read; an ejection fraction needs end-systole too"), eat_ml=96.0
        ),
        ffr=_ffr(),
    )


def refused_findings() -> Findings:
    """A chest CT with voxels of 1.5 mm: heart and aorta measured, everything coronary refused with its reason."""
    coarse = Unavailable("voxels of 1.50 x 1.50 x 1.50 mm are too large for coronary arteries of 2-4 mm; a reconstruction of at most 0.75 mm is needed")
    return Findings(
        patient=Patient(age_years=Unavailable("the file carries no patient data")),
        acquisition=Acquisition(spacing_mm=(1.5, 1.5, 1.5), shape=(160, 160, 160), contrast=True, source="ct_cropped.nii.gz", chosen_because="the only image"),
        quality=Quality(
            noise_hu=17.0,
            snr=18.0,
            cnr=Unavailable("no perivascular fat could be sampled"),
            aorta_hu=306.0,
            verdict={"anatomy": "voxels are too large for coronary arteries", "ffr": "voxels are too large for coronary arteries"},
        ),
        calcium=Unavailable("no non-contrast series was found; a contrast image is not scored"),
        tree=coarse,
        stenoses=coarse,
        plaque=coarse,
        fat=coarse,
        scores=coarse,
        cad_rads=Unavailable(f"CAD-RADS needs the coronary arteries: {coarse.reason}"),
        heart=Heart(
            lv_mass_g=118.0, lv_edv_ml=121.0, lv_ef_pct=Unavailable("one cardiac phase was read; an ejection fraction needs end-systole too"), eat_ml=74.0
        ),
        ffr=Unavailable("flow needs a coronary lumen, and the coronary arteries were not segmented"),
    )


def example_pullback() -> PullbackFile:
    """FFR along every branch: a fall at each lesion, a little everywhere else, a daughter starting at its parent's value."""
    done: dict[str, PullbackBranch] = {}
    for name, (parent, knots, radii) in BRANCHES.items():
        start = 1.0 if parent is None else _ffr_near(done[parent], knots[0])
        done[name] = _pullback_branch(name, knots, radii, start)
    outlets = [
        Port(name=n, pressure_mmhg=round(93.3 * b.ffr[-1], 1), flow_ml_min=b.flow_ml_min[-1], diameter_mm=b.diameter_mm[-1], resistance_pa_s_m3=9e9)
        for n, b in done.items()
    ]
    inlets = [Port(name=n, pressure_mmhg=93.3, flow_ml_min=done[n].flow_ml_min[0], diameter_mm=done[n].diameter_mm[0]) for n in ("LAD", "RCA")]
    return PullbackFile(model="3d", pa_mmhg=93.3, inlets=inlets, outlets=outlets, branches=list(done.values()), mass_error=2e-5)


def _pullback_branch(name: str, knots: list, radii: tuple[float, float], start_ffr: float) -> PullbackBranch:
    points = np.array(knots, float)
    points = CubicSpline(arc_length_mm(points), points)(np.linspace(0, arc_length_mm(points)[-1], 120))
    s = arc_length_mm(points)
    diameter = 2 * np.linspace(*radii, len(s))
    ffr = start_ffr - 0.0006 * s
    for entry, end, pct in LESIONS.get(name, ()):
        inside = np.clip((s - entry) / (end - entry), 0, 1)
        diameter *= 1 - pct * np.sin(np.pi * inside) ** 2
        ffr = ffr - 0.455 * pct**2 * (1 / (1 + np.exp(-12 * (inside - 0.55)))) * (s > entry)
    ffr = np.round(np.minimum.accumulate(ffr), 4)
    return PullbackBranch(
        name=name,
        vessel=name if name in ("LAD", "LCx", "RCA") else {"D1": "LAD", "OM1": "LCx", "R-PDA": "RCA"}[name],
        distance_mm=s.round(3).tolist(),
        ffr=ffr.tolist(),
        flow_ml_min=np.linspace(120, 80, len(s)).tolist(),
        pressure_mmhg=(93.3 * ffr).tolist(),
        diameter_mm=diameter.round(3).tolist(),
        points_mm=[tuple(p) for p in points.round(3).tolist()],
    )


def _ffr_near(branch: PullbackBranch, point) -> float:
    nearest = np.linalg.norm(np.array(branch.points_mm) - np.array(point, float), axis=1).argmin()
    return branch.ffr[nearest]


def _acquisition() -> Acquisition:
    return Acquisition(
        kvp=120.0,
        kernel="Bv40",
        spacing_mm=(0.4, 0.4, 0.5),
        shape=(512, 512, 280),
        phase_percent=75.0,
        contrast=True,
        gated=True,
        manufacturer="Phantom Works",
        model="Scanner One",
        series_description="CTA 0.5 Bv40 75 %",
        chosen_because="contrast, gated, thinnest slices, best phase at 75 %",
    )


def _calcium() -> Calcium:
    lesions = [
        ("LAD", 96.0, 84.0, 512.0, (26, -24, -10)),
        ("LAD", 41.0, 38.0, 402.0, (30, -33, -24)),
        ("LCx", 32.0, 30.0, 351.0, (24, 4, -13)),
        ("RCA", 18.0, 20.0, 240.0, (-46, -20, -32)),
    ]
    return Calcium(
        agatston=187.0,
        volume_mm3=172.0,
        mass_mg=34.0,
        vessels={"LM": 0.0, "LAD": 137.0, "LCx": 32.0, "RCA": 18.0},
        cac_drs="A2/N3",
        lesions=[CalciumLesion(vessel=v, agatston=a, volume_mm3=m, mass_mg=m / 5, peak_hu=p, center_mm=c) for v, a, m, p, c in lesions],
        rejected=[
            RejectedCalcium(agatston=212.0, center_mm=(0.0, 10.0, 5.0), reason="aortic wall"),
            RejectedCalcium(agatston=9.0, center_mm=(20.0, 40.0, 0.0), reason="mitral annulus"),
        ],
        percentile=Percentile(value=58.0, table="Hoff 2001 (n = 35,246, USA, asymptomatic)"),
        method="gated, 3 mm slices, automatic",
    )


def _tree() -> Tree:
    lengths = {5: 13.4, 6: 24.0, 7: 30.0, 8: 52.0, 9: 41.0, 11: 24.0, 12: 38.0, 13: 36.0, 1: 34.0, 2: 42.0, 3: 40.0, 4: 38.0}
    diameters = {5: 4.1, 6: 3.6, 7: 2.6, 8: 1.9, 9: 1.8, 11: 3.0, 12: 1.9, 13: 1.9, 1: 3.7, 2: 3.2, 3: 2.6, 4: 1.7}
    segments = [
        Segment(id=i, name=SEGMENTS[i][0], vessel=SEGMENTS[i][1], length_mm=lengths[i], mean_diameter_mm=diameters[i], ostium_mm=(0, 0, 0)) for i in lengths
    ]
    return Tree(dominance="right", segments=segments, unnamed_length_mm=7.5)


def _stenoses() -> list[Stenosis]:
    return [
        stenosis(
            7,
            62.0,
            reference_diameter_mm=2.9,
            position_mm=53.0,
            entry_mm=46.0,
            exit_mm=60.0,
            length_mm=14.0,
            center_mm=(30.9, -40.1, -36.6),
            plaque_type="mixed",
            high_risk=["PR", "LAP"],
            diameter_pct_interval=(55.0, 68.0),
        ),
        stenosis(
            6,
            30.0,
            reference_diameter_mm=3.5,
            position_mm=30.0,
            entry_mm=26.0,
            exit_mm=34.0,
            length_mm=8.0,
            center_mm=(22.0, -17.0, -5.0),
            plaque_type="calcified",
        ),
        stenosis(
            11,
            41.0,
            branch=1,
            reference_diameter_mm=2.8,
            position_mm=26.0,
            entry_mm=22.0,
            exit_mm=30.0,
            length_mm=8.0,
            center_mm=(28.6, 13.0, -19.0),
            plaque_type="non-calcified",
            high_risk=["LAP"],
        ),
        stenosis(
            2,
            22.0,
            branch=4,
            reference_diameter_mm=3.3,
            position_mm=39.5,
            entry_mm=35.0,
            exit_mm=44.0,
            length_mm=9.0,
            center_mm=(-46.0, -18.0, -36.0),
            plaque_type="mixed",
        ),
    ]


def _volumes(total: float, calcified: float, low: float, pav: float) -> PlaqueVolumes:
    return PlaqueVolumes(total_mm3=total, calcified_mm3=calcified, noncalcified_mm3=total - calcified, low_attenuation_mm3=low, pav_pct=pav)


def _plaque() -> Plaque:
    vessels = {
        "LM": _volumes(0, 0, 0, 0),
        "LAD": _volumes(186.0, 71.0, 14.5, 13.1),
        "LCx": _volumes(48.0, 3.0, 4.1, 6.2),
        "RCA": _volumes(39.0, 14.0, 0.8, 3.0),
    }
    segments = {6: _volumes(62.0, 48.0, 1.0, 18.0), 7: _volumes(124.0, 23.0, 13.5, 31.0), 11: _volumes(48.0, 3.0, 4.1, 19.0), 2: _volumes(39.0, 14.0, 0.8, 9.0)}
    whole = _volumes(273.0, 88.0, 19.4, 7.6).model_dump()
    return Plaque(**whole, vessels=vessels, segments=segments, stage="2 (moderate)", segments_with_plaque=[2, 6, 7, 11])


def _ffr() -> Ffr:
    return Ffr(
        model="3d",
        pa_mmhg=93.3,
        flow_ml_min=612.0,
        vessels={
            "LAD": VesselFfr(ffr=0.74, low=0.69, high=0.79, at_mm=75.0, delta=0.16),
            "LCx": VesselFfr(ffr=0.89, low=0.86, high=0.92, at_mm=45.0, delta=0.07),
            "RCA": VesselFfr(ffr=0.94, low=0.92, high=0.96, at_mm=59.0, delta=0.02),
            "LM": VesselFfr(ffr=Unavailable("no lesion of the left main to read behind"), at_mm=Unavailable("no lesion"), delta=Unavailable("no lesion")),
        },
        lesions=[
            LesionFfr(segment=7, ffr=0.74, low=0.69, high=0.79, delta=0.16),
            LesionFfr(segment=6, ffr=0.94, low=0.92, high=0.96, delta=0.04),
            LesionFfr(segment=11, ffr=0.89, low=0.86, high=0.92, delta=0.07),
            LesionFfr(segment=2, ffr=Unavailable("the vessel ends 6 mm behind the lesion"), delta=0.02),
        ],
        assumptions=[
            "Aortic pressure 120/80 mmHg (mean 93.3): default, no cuff pressure was given.",
            "Blood viscosity 0.0035 Pa s: default, no haematocrit was given.",
            "Hyperaemia: total coronary resistance falls to 0.24 of rest (Wilson 1990).",
            "Steady flow with the mean pressure; a pulsatile solution reads up to 0.01 lower.",
        ],
    )
