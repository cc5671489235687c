"""Selection and assignment by the distance to a tree; metal; refusals; what is not coronary keeps its reason."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from ccta.coordinates import to_index, to_patient_mm
from ccta.curves import resampled_curve
from ccta.disease.calcium import prepared
from ccta.disease.calcium import score_calcium as scored
from ccta.disease.calcium_selection import Spot, Verdict, looks_metallic, metal_verdict
from ccta.errors import Refusal
from ccta.findings import Acquisition, Findings, Patient
from ccta.model import Branch, CoronaryTree, Volume
from ccta.report.calcium_section import calcium_section
from ccta.settings import CalciumSettings
from ccta.tissues import PLACES, PlaceMap

REAL = Path(__file__).parents[3] / "shared/data/patient_cta/ct_cropped.nii.gz"
CENTER = np.array([15.0, -180.0, -60.0])
HALF = np.array([60.0, 55.0, 58.0])
SPACING = (0.8, 0.8, 3.0)
NONCONTRAST = Acquisition(kvp=120.0, contrast=False, kernel="Qr36")


def chest(spots=(), noise_hu=15.0, spacing=SPACING) -> Volume:
    """Body with lungs, a heart of 40 HU in a fat coat, a spine. spots: (center mm, radius mm, HU) of calcium."""
    hu, affine = plain_chest(noise_hu, spacing)
    hu = hu.copy()
    for center, radius, value in spots:
        low = np.floor(to_index(center - radius, affine)).astype(int)
        box = tuple(slice(a, a + int(2 * radius / step) + 2) for a, step in zip(low, spacing, strict=True))
        index = np.stack(np.mgrid[box], -1)
        hu[box][np.linalg.norm(to_patient_mm(index, affine) - center, axis=-1) < radius] = value
    return Volume(hu, affine)


@lru_cache
def plain_chest(noise_hu, spacing):
    spacing = np.array(spacing)
    extent = np.array([250.0, 200.0, 150.0])
    shape = np.round(extent / spacing).astype(int)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = CENTER - extent / 2 + spacing / 2
    p = to_patient_mm(np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1), affine) - CENTER
    r = np.linalg.norm(p / HALF, axis=-1)
    hu = np.full(shape, 20.0)
    hu[(abs(p[..., 0]) < 115) & (abs(p[..., 1]) < 75)] = -850.0
    hu[(abs(p[..., 0] + 10) < 28) & (p[..., 1] > 40)] = 50.0
    hu[r < 1.0] = -90.0
    hu[r < 0.88] = 40.0
    hu[np.hypot(p[..., 0] + 10, p[..., 1] - 85) < 18] = 400.0  # vertebra
    return (hu + np.random.default_rng(3).normal(0, noise_hu, shape)).astype(np.int16), affine


def on_heart(direction, depth=0.94):
    """A point in the fat coat, in the given direction (L, P, S)."""
    return CENTER + HALF * depth * np.asarray(direction) / np.linalg.norm(direction)


LAD_LINE = np.array([on_heart(d) for d in ([0.1, -0.1, 1], [0.4, -0.3, 0.8], [0.6, -0.7, 0.4], [0.7, -0.9, -0.2], [0.7, -0.7, -0.7])])
RCA_LINE = np.array([on_heart(d) for d in ([-0.3, -0.3, 1], [-0.6, -0.7, 0.5], [-0.8, -0.7, -0.2], [-0.5, -0.3, -0.9])])


def tree():
    lad = Branch(LAD_LINE, np.full(5, 1.6), segment=np.array([5, 6, 6, 7, 8]), name="LAD")
    rca = Branch(RCA_LINE, np.full(4, 1.7), segment=np.array([1, 1, 2, 3]), name="RCA")
    return CoronaryTree((lad, rca), "right")


def known_places(volume: Volume) -> PlaceMap:
    """What a network that knows `chest` would name in it, on a grid of 4 mm: tubes of 8 mm about the two arteries, and the rest of the heart."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = CENTER - 100
    points = to_patient_mm(np.stack(np.meshgrid(*[np.arange(50)] * 3, indexing="ij"), -1), affine)
    label = np.where(np.linalg.norm((points - CENTER) / HALF, axis=-1) < 0.9, PLACES["lv"], 0)
    for name, line in (("LAD", LAD_LINE), ("RCA", RCA_LINE)):
        label[cKDTree(resampled_curve(line, 1.0)).query(points)[0] < 8] = PLACES[name]
    return PlaceMap((label == np.arange(14)[:, None, None, None]).astype(np.float32), affine)


def score_calcium(volume, acquisition, patient, settings=None, tree=None):
    return scored(volume, acquisition, patient, settings, tree).calcium


def test_lesions_on_the_tree_are_scored_and_assigned():
    lad, rca = LAD_LINE[2], RCA_LINE[1]
    found = score_calcium(chest([(lad, 3.0, 600), (rca, 2.5, 350)]), NONCONTRAST, Patient(sex="M", age_years=62), tree=tree())
    assert found.vessels["LAD"] > found.vessels["RCA"] > 0 and found.vessels["LM"] == found.vessels["LCx"] == 0
    assert found.agatston == pytest.approx(sum(found.vessels.values())) and found.cac_drs == "A2/N2"
    assert [x.vessel for x in found.lesions] == ["LAD", "RCA"]
    np.testing.assert_allclose(found.lesions[0].center_mm, lad, atol=1.0)
    assert found.percentile.table.startswith("Hoff") and found.lesions[0].probability > 0.9 and "distance to the coronary tree" in found.method


def test_a_breath_between_the_scans_is_allowed_for_and_a_longer_way_is_not():
    shifted = LAD_LINE[2] + [0, 0, 5.0]
    assert score_calcium(chest([(shifted, 3.0, 600)]), NONCONTRAST, Patient(), tree=tree()).vessels["LAD"] > 0
    inside = LAD_LINE[2] + (CENTER - LAD_LINE[2]) * 0.3
    found = score_calcium(chest([(inside, 3.0, 600)]), NONCONTRAST, Patient(), tree=tree())
    assert found.agatston == 0 and found.cac_drs == "A0" and "mm from the wall of the nearest artery (LAD)" in found.rejected[0].reason


def test_calcium_beyond_the_ostium_is_aortic():
    start = LAD_LINE[0] - 5.5 * (LAD_LINE[1] - LAD_LINE[0]) / np.linalg.norm(LAD_LINE[1] - LAD_LINE[0])
    found = score_calcium(chest([(start, 2.5, 600)]), NONCONTRAST, Patient(), tree=tree())
    assert found.agatston == 0 and "aortic wall or valve" in found.rejected[0].reason


def test_bone_is_no_lesion_even_beside_an_artery():
    found = score_calcium(chest([(RCA_LINE[2] + [-8, 0, 0], 14.0, 500)]), NONCONTRAST, Patient(), tree=tree())
    assert found.agatston == 0


def test_a_scar_of_the_lung_beside_an_artery_is_rejected():
    beside = CENTER + HALF * [-1.0, -0.6, 0.35]
    line = beside + np.array([[5.0, -8, 0], [5.0, 8, 0]])
    only = CoronaryTree((Branch(line, np.full(2, 1.5), segment=np.array([1, 2]), name="RCA"),))
    found = score_calcium(chest([(beside, 2.5, 400)]), NONCONTRAST, Patient(), tree=only)
    assert found.agatston == 0 and found.rejected[0].reason.startswith("in the lung")


def test_thin_slices_are_averaged_and_said_so():
    lad = (LAD_LINE[2], 3.0, 600)
    thin = score_calcium(chest([lad], spacing=(0.8, 0.8, 1.0)), NONCONTRAST, Patient(), tree=tree())
    thick = score_calcium(chest([lad]), NONCONTRAST, Patient(), tree=tree())
    assert "averaged to contiguous 3 mm" in thin.method and thin.agatston == pytest.approx(thick.agatston, rel=0.25)
    assert prepared(chest())[1] == "slices every 3 mm as they are"


@pytest.mark.parametrize("acquisition, volume, words", [
    (Acquisition(contrast=True), None, "contrast-enhanced"), (NONCONTRAST, (0.8, 0.8, 7.0), "too far apart"), (NONCONTRAST, (2.5, 2.5, 3.0), "larger than"),
])  # fmt: skip
def test_refusals(acquisition, volume, words):
    with pytest.raises(Refusal, match=words):
        score_calcium(chest(spacing=volume or SPACING), acquisition, Patient(), tree=tree())


def test_a_dense_plaque_counts_and_asks_for_a_look():
    found = score_calcium(chest([(LAD_LINE[2], 3.0, 1750)]), NONCONTRAST, Patient(), tree=tree())
    assert found.vessels["LAD"] > 50 and found.lesions[0].note.startswith("possible metal (")
    said = calcium_section(Findings(calcium=found), {}).paragraphs
    assert any(line.startswith(f"Lesion {found.lesions[0].id}: possible metal") for line in said)


def test_settings_and_tube_voltage_change_the_threshold():
    spot = [(LAD_LINE[2], 3.0, 160)]
    scores = [score_calcium(chest(spot, 0), NONCONTRAST.model_copy(update=u), Patient(), tree=tree()).agatston for u in ({}, {"kvp": 80.0})]
    assert scores[0] > 0 and scores[1] == 0
    independent = NONCONTRAST.model_copy(update={"kvp": 80.0, "kernel": "Sa36f"})
    assert score_calcium(chest(spot, 0), independent, Patient(), tree=tree()).agatston == scores[0]
    assert score_calcium(chest(spot, 0), NONCONTRAST, Patient(), CalciumSettings(threshold_hu=170.0), tree()).agatston == 0


def test_mass_follows_the_calibration_and_names_it():
    volume = chest([(LAD_LINE[2], 3.0, 600)])
    plain, named, unnamed = (
        score_calcium(volume, NONCONTRAST, Patient(), settings, tree())
        for settings in (None, CalciumSettings(mass_mg_per_hu_mm3=0.0008, mass_calibration="QRM 2023-04"), CalciumSettings(mass_mg_per_hu_mm3=0.0008))
    )
    assert plain.mass_calibration == "uncalibrated" and named.mass_calibration == "QRM 2023-04" and "not named" in unnamed.mass_calibration
    assert named.mass_mg == unnamed.mass_mg == pytest.approx(0.8 * plain.mass_mg)


def test_input_is_not_modified():
    volume = chest([(LAD_LINE[2], 3.0, 600)])
    before = volume.array.copy()
    score_calcium(volume, NONCONTRAST, Patient(), tree=tree())
    np.testing.assert_array_equal(volume.array, before)


def rod(length_mm: float, hu) -> Spot:
    """Along x, 3 mm thick; hu: one value per mm."""
    x, y, z = np.meshgrid(np.arange(0, length_mm, 0.5), np.arange(-1.5, 1.6, 0.5), np.arange(-1.5, 1.6, 1.5), indexing="ij")
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    values = np.interp(points[:, 0], np.arange(len(hu)), hu) * np.exp(-(points[:, 1] ** 2) / 4)
    return Spot(points, values, values - 129, len(points) * 0.375)


def test_stents_and_metal_are_told_from_calcium():
    random = np.random.default_rng(0)
    assert looks_metallic(rod(18, np.full(18, 950.0) + random.normal(0, 40, 18))).startswith("stent")
    assert looks_metallic(rod(6, np.full(6, 2700.0))).startswith("stent or other metal")
    assert looks_metallic(rod(18, np.where(np.arange(18) < 9, 1100.0, 400.0))) == ""
    beside_plaque = rod(28, np.concatenate([np.full(17, 1200.0), np.full(11, 500.0)]))
    assert looks_metallic(beside_plaque).startswith("stent: 18 mm") and looks_metallic(beside_plaque, 1.0, 5.0).startswith("stent")
    assert looks_metallic(rod(8, np.full(8, 1000.0))) == "" and looks_metallic(rod(18, np.full(18, 500.0))) == ""


@pytest.mark.parametrize("peak_hu, scale, note, metal", [
    (1500.0, 1.0, False, False), (1700.0, 1.0, True, False), (2600.0, 1.0, False, True), (1900.0, 147 / 130, True, False), (2700.0, 147 / 130, True, False),
    (2900.0, 207 / 130, True, False), (3071.0, 207 / 130, False, True),
])  # fmt: skip
def test_heavy_plaque_is_no_metal(peak_hu, scale, note, metal):
    """A compact spot with one voxel of the peak; calcium is brighter at a lower voltage, by the ratio of the thresholds."""
    spot = rod(6, np.full(6, 600.0))
    spot.hu[len(spot.hu) // 2] = peak_hu
    verdict = metal_verdict(spot, Verdict("LAD", 0.9), scale)
    assert (verdict.note == f"possible metal ({peak_hu:.0f} HU): check") == note and verdict.reason.startswith("stent or other metal") == metal
    assert verdict.vessel == "LAD" and (verdict.probability == 0.9) != metal
