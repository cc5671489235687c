"""Noise, SNR and CNR against what was put into the image; timing, coverage, steps; verdicts in words."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from ccta.coordinates import resampled_like
from ccta.findings import Acquisition
from ccta.model import HEART_LABELS, Unavailable, Volume
from ccta.reading.quality import assess_quality
from ccta.reading.study import open_input, read

DATA = Path(__file__).parents[3] / "shared/data/patient_cta"
CCTA = Acquisition(contrast=True, kvp=120.0)


def scene(noise_hu=25.0, aorta_hu=420.0, spacing=0.8, gradient_hu_mm=0.0, right_hu=250.0, cut=False):
    """Fat with an LV ball, an RV ball and an aorta above the LV. Returns (volume, heart labels)."""
    shape = (110, 100, 110)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    p = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in shape), indexing="ij"), -1) * 0.8
    labels = np.zeros(shape, np.uint8)
    labels[np.linalg.norm(p - [10, 10, -60 if cut else -15], axis=-1) < 20] = HEART_LABELS["lv"]
    labels[np.linalg.norm(p - [-20, -16, -15], axis=-1) < 18] = HEART_LABELS["rv"]
    labels[(np.hypot(p[..., 0], p[..., 1]) < 15) & (p[..., 2] > 5)] = HEART_LABELS["aorta"]
    hu = np.where(labels == 0, -95.0, aorta_hu)
    hu[labels == HEART_LABELS["rv"]] = right_hu
    hu = ndimage.gaussian_filter(hu, 0.8) + gradient_hu_mm * p[..., 0] + np.random.default_rng(0).normal(0, noise_hu, shape)
    return Volume(hu.astype(np.int16), affine), Volume(labels, affine)


@pytest.mark.parametrize("noise_hu, gradient", [(10, 0.0), (25, 0.0), (25, 3.0), (60, 0.0)])
def test_noise_and_cnr_are_what_was_put_in(noise_hu, gradient):
    quality = assess_quality(*scene(noise_hu, gradient_hu_mm=gradient), CCTA)
    assert quality.noise_hu == pytest.approx(noise_hu, rel=0.06)
    assert quality.aorta_hu == pytest.approx(420, abs=8)
    assert quality.snr == pytest.approx(420 / noise_hu, rel=0.08)
    if gradient == 0:
        assert quality.cnr == pytest.approx(515 / noise_hu, rel=0.08)


def test_good_scan_is_good():
    quality = assess_quality(*scene(), CCTA)
    assert quality.verdict == {"calcium": "not from this series: it is contrast-enhanced", "anatomy": "good", "plaque": "good", "ffr": "good"}
    assert quality.warnings == []


def test_large_voxels_refuse_coronaries_and_ffr_in_words():
    volume, heart = scene(spacing=1.5)
    verdict = assess_quality(volume, heart, CCTA).verdict
    assert verdict["anatomy"].startswith("not possible: voxels of 1.5 mm are larger than 1 mm") and verdict["ffr"].startswith("not possible")


@pytest.mark.parametrize("change, task, words", [
    ({"aorta_hu": 200.0}, "anatomy", "limited: weak contrast"), ({"aorta_hu": 60.0}, "ffr", "not possible: the arteries are not filled"),
    ({"noise_hu": 90.0}, "anatomy", "limited: contrast-to-noise ratio"), ({"noise_hu": 160.0}, "ffr", "not possible: contrast-to-noise"),
    ({"noise_hu": 50.0}, "plaque", "limited: noise of"),
])  # fmt: skip
def test_verdicts(change, task, words):
    assert words in assess_quality(*scene(**change), CCTA).verdict[task]


def test_non_contrast_series():
    verdict = assess_quality(*scene(aorta_hu=45.0), Acquisition(contrast=False)).verdict
    assert verdict["calcium"] == "good" and verdict["anatomy"].startswith("not possible")


def test_early_scan_and_cut_heart_are_warned_of():
    assert any("early scan" in w for w in assess_quality(*scene(right_hu=650.0), CCTA).warnings)
    assert "the heart is cut off below" in assess_quality(*scene(cut=True), CCTA).warnings


def test_contrast_timing_is_a_number_and_words():
    quality = assess_quality(*scene(right_hu=630.0), CCTA)
    assert quality.rv_lv_ratio == pytest.approx(1.5, abs=0.03) and any("1.5 times as bright" in w for w in quality.warnings)
    assert assess_quality(*scene(right_hu=200.0), CCTA).rv_lv_ratio < 0.6


def test_a_cut_heart_limits_anatomy_and_ffr():
    verdict = assess_quality(*scene(cut=True), CCTA).verdict
    assert "limited: the heart is cut off below; arteries there are missing" in verdict["anatomy"]
    assert "limited: arteries outside the image take flow" in verdict["ffr"]


def test_a_heart_cut_by_the_border_of_an_oblique_or_round_reconstruction_is_seen():
    volume, heart = scene()
    hu = volume.array.copy()
    hu[:44] = -1024  # through the right ventricle
    hit = assess_quality(volume.with_array(hu), heart.with_array(np.where(hu > -1024, heart.array, 0).astype(np.uint8)), CCTA)
    assert "the heart is cut off by the border of what was reconstructed" in hit.warnings
    hu = volume.array.copy()
    hu[:3] = -1024  # beside the heart
    assert assess_quality(volume.with_array(hu), heart, CCTA).warnings == []


def test_missing_labels_are_unavailable_not_zero():
    volume, heart = scene()
    quality = assess_quality(volume, heart.with_array(np.zeros_like(heart.array)), CCTA)
    assert all(isinstance(v, Unavailable) for v in (quality.noise_hu, quality.snr, quality.cnr, quality.aorta_hu))
    without_lv = heart.array.copy()
    without_lv[without_lv == HEART_LABELS["lv"]] = 0
    assert assess_quality(volume, heart.with_array(without_lv), CCTA).noise_hu == pytest.approx(25, rel=0.06)


@pytest.mark.parametrize("shift_mm, found", [(0.0, False), (2.4, True)])
def test_a_jump_between_slabs_is_found_where_it_is(shift_mm, found):
    volume, heart = scene()
    moved = volume.array.copy()
    moved[:, :, 70:] = np.roll(moved[:, :, 70:], round(shift_mm / 0.8), axis=0)
    warnings = [w for w in assess_quality(volume.with_array(moved), heart, CCTA).warnings if w.startswith("step")]
    assert bool(warnings) is found
    if found:
        assert len(warnings) == 1 and f"z = {69.5 * 0.8:.1f} mm" in warnings[0]
        assert assess_quality(volume.with_array(moved), heart, CCTA).steps_mm == pytest.approx([69.5 * 0.8])


def test_shapes_must_agree():
    volume, heart = scene()
    with pytest.raises(ValueError, match="do not fit"):
        assess_quality(volume, Volume(heart.array[:50], heart.affine), CCTA)


def test_real_scan():
    if not DATA.exists():
        pytest.skip(f"{DATA} is absent")
    import nibabel  # the other program's heart, on its own grid: chambers in one label, no aorta

    volume = read(open_input(DATA / "ct_cropped.nii.gz").required("ccta")).volume
    image = nibabel.load(DATA / "heart.nii.gz")
    other = Volume(np.asarray(image.dataobj).astype(np.uint8), np.diag([-1.0, -1, 1, 1]) @ image.affine)
    heart = resampled_like(other, volume, order=0)
    quality = assess_quality(volume, heart, CCTA)
    assert isinstance(quality.noise_hu, Unavailable) and quality.verdict["anatomy"].startswith("not possible: voxels of 1.5 mm")
    assert not [w for w in quality.warnings if w.startswith("step")]
