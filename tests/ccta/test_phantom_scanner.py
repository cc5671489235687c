"""The scanner: calcium mass and lumen area survive imaging, noise is what was ordered."""

from dataclasses import replace

import numpy as np
import pytest

from ccta.coordinates import to_patient_mm
from ccta.errors import BadSettings
from ccta.phantom.calcium_truth import agatston, alone, calcium_of
from ccta.phantom.patient import PatientSpec, make_patient
from ccta.phantom.plaques import PlaqueSpec, integrals
from ccta.phantom.scanner import CALCIUM_SERIES, HU_PER_MG_CM3, ScannerSpec, add_noise, noiseless, scan, slice_profile
from ccta.phantom.vessels import paint, touched


@pytest.fixture(scope="module")
def demo():
    return make_patient(1)


def around(patient, number, base, half_mm=16.0):
    """A small series about one plaque."""
    plaque = patient.plaques[number]
    center = patient.vessels[plaque.branch].branch.point_at(plaque.distance_mm)
    spacing = np.array([base.pixel_mm, base.pixel_mm, base.increment_mm])
    return replace(base, shape=tuple(int(n) for n in np.ceil(2 * half_mm / spacing)), center_mm=tuple(center))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("base", [ScannerSpec(), ScannerSpec(kvp=100, blooming=0.3), CALCIUM_SERIES])
def test_the_image_keeps_the_mass_of_calcium(demo, number, base):
    spec = around(demo, number, base)
    bare = alone(demo, number)
    vessels = tuple(replace(v, inclusions=tuple(p for p in v.inclusions if not p.density_mg_cm3)) for v in bare.vessels)
    only = replace(bare, vessels=tuple(replace(v, inclusions=tuple(p for p in v.inclusions if p.density_mg_cm3)) for v in bare.vessels))
    none = replace(bare, vessels=tuple(replace(v, inclusions=()) for v in vessels))
    excess = noiseless(only, spec) - noiseless(none, spec)
    mass_mg = excess.sum() * spec.pixel_mm**2 * spec.increment_mm / HU_PER_MG_CM3[spec.kvp] * 1e-3
    assert mass_mg == pytest.approx(integrals(demo.vessels[demo.plaques[number].branch], number)["mass_mg"], rel=0.03)


def test_sub_voxels_keep_the_area_of_the_lumen(demo):
    """Fraction of lumen summed over voxels = integral of pi r^2 along the right coronary artery."""
    rca = next(v for v in demo.vessels if v.branch.name == "RCA")
    only = replace(demo, vessels=(rca,))
    points = rca.branch.points_mm
    affine = np.diag([0.5, 0.4, 0.6, 1.0])
    affine[:3, 3] = points.min(0) - 4
    shape = tuple(np.ceil((np.ptp(points, axis=0) + 8) / [0.5, 0.4, 0.6]).astype(int))
    index, near = touched(only.tubes, affine, shape)
    t = only.tubes
    offsets = np.array([[x, y, z] for x in (-0.15, 0, 0.15) for y in (-0.13, 0, 0.13) for z in (-0.2, 0, 0.2)])
    blood = np.array([1.0, 0.0, 0.0, 0.0])
    plain = t._replace(shape=np.column_stack([t.shape[:, :3], np.full(len(t.shape), np.nan)]))
    share = paint(to_patient_mm(index, affine), offsets, np.zeros(len(index)), near, plain, blood)
    expected = np.trapezoid(np.pi * rca.branch.radius_mm**2, rca.branch.distance_mm) + 2 / 3 * np.pi * (rca.branch.radius_mm[[0, -1]] ** 3).sum()
    assert share.sum() * 0.12 == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("noise_hu", [10.0, 25.0])
def test_noise_has_the_stated_deviation_and_is_correlated(noise_hu):
    spec = ScannerSpec(shape=(160, 160, 40), noise_hu=noise_hu)
    image = np.zeros(spec.shape, np.float32)
    add_noise(image, spec, np.random.default_rng(3))
    assert image.std() == pytest.approx(noise_hu, rel=0.02)
    assert abs(image.mean()) < 0.05 * noise_hu
    assert np.corrcoef(image[:-1].ravel(), image[1:].ravel())[0, 1] > 0.5
    assert abs(np.corrcoef(image[:-8].ravel(), image[8:].ravel())[0, 1]) < 0.05


def test_the_aorta_shows_the_ordered_blood_and_noise(demo):
    spec = ScannerSpec(shape=(20, 20, 12), center_mm=tuple(demo.anatomy.to_patient[:3, 3] + [-19, -26, 45]))
    image = scan(demo, spec).array
    assert image.mean() == pytest.approx(demo.spec.blood_hu, abs=5)
    assert image.std() == pytest.approx(spec.noise_hu, rel=0.12)


def test_the_same_seed_gives_the_same_image(demo):
    spec = around(demo, 0, ScannerSpec(pixel_mm=0.8, increment_mm=1.0), 12.0)
    assert np.array_equal(scan(demo, spec).array, scan(make_patient(1), spec).array)


def test_a_part_of_the_field_shows_the_same_patient(demo):
    """Without noise an image does not depend on the field of view that it was cut from."""
    spec = replace(around(demo, 0, ScannerSpec(pixel_mm=0.5), 15.0), noise_hu=0.0)
    part = replace(spec, shape=tuple(n - 24 for n in spec.shape))
    assert np.abs(noiseless(demo, spec)[12:-12, 12:-12, 12:-12][4:-4, 4:-4] - noiseless(demo, part)[4:-4, 4:-4]).max() < 3.0


def test_slabs_are_shifted_against_each_other(demo):
    spec = replace(around(demo, 0, ScannerSpec(pixel_mm=0.5), 14.0), noise_hu=0.0, slab_mm=12.0, slab_shift_mm=2.0)
    steady, stepped = noiseless(demo, replace(spec, slab_mm=0.0)), noiseless(demo, spec)
    first = int(spec.slab_mm / spec.increment_mm)
    assert np.abs(steady - stepped)[:, :, :first].max() < 3.0
    assert np.abs(steady - stepped)[:, :, first + 3 :].max() > 100.0


def test_motion_and_blooming_change_the_image(demo):
    spec = replace(around(demo, 1, ScannerSpec(pixel_mm=0.5), 10.0), noise_hu=0.0)
    sharp = noiseless(demo, spec)
    assert np.abs(noiseless(demo, replace(spec, motion_mm=3.0)) - sharp).max() > 150
    assert noiseless(demo, replace(spec, motion_mm=3.0)).max() < sharp.max()
    dense = make_patient(1, PatientSpec(plaques=(PlaqueSpec(1, "calcified", 35.0, 12.0, 0.55, calcium_mg_cm3=1400.0),)))
    plain, bloomed = noiseless(dense, spec), noiseless(dense, replace(spec, blooming=0.5))
    assert bloomed.max() < plain.max() - 30
    assert (bloomed > 700).sum() != (plain > 700).sum()
    assert bloomed.sum() == pytest.approx(plain.sum(), rel=0.005)


def test_only_bone_and_calcium_are_bright_without_contrast(demo):
    bright = {layer.name for layer in demo.anatomy.layers if layer.plain_hu > 100}
    assert bright == {"bone", "marrow", "sternum", "sternum_marrow", "bone_spine", "marrow_spine"}
    spec = ScannerSpec(shape=(70, 60, 50), pixel_mm=2.0, increment_mm=2.0, center_mm=tuple(demo.anatomy.to_patient[:3, 3] + [-8, 0, 0]), contrast=False)
    labels = demo.heart_labels(spec.affine, spec.shape).array
    assert noiseless(demo, spec)[(labels >= 1) & (labels <= 7)].max() < 100


def test_slice_profile():
    assert slice_profile(1.0).tolist() == [1.0]
    assert slice_profile(4.0) == pytest.approx([0.125, 0.25, 0.25, 0.25, 0.125])
    assert slice_profile(3.0) == pytest.approx(np.ones(3) / 3)


def test_agatston_by_hand():
    """Two areas of 4 x 4 pixels of 0.25 mm2 with peaks 450 and 250 HU on 3 mm slices: 4 mm2 (4 + 2) = 24; one of 3 pixels is too small."""
    image = np.zeros((20, 20, 3), np.float32)
    image[2:6, 2:6, 0], image[10:14, 10:14, 2], image[1:4, 15, 1] = 450, 250, 900
    assert agatston(image, 0.25, 3.0) == (24.0, 900.0)
    assert agatston(image, 0.25, 1.5)[0] == 12.0


def test_true_calcium_is_consistent(demo):
    score = calcium_of(demo, CALCIUM_SERIES)
    assert score.agatston == pytest.approx(sum(lesion.agatston for lesion in score.lesions))
    assert score.mass_mg == pytest.approx(0.5 * score.lesions[0].volume_mm3 + 0.4 * score.lesions[1].volume_mm3)
    assert {lesion.vessel for lesion in score.lesions} == {"LAD", "RCA"}
    assert all(lesion.peak_hu > 130 for lesion in score.lesions)


@pytest.mark.parametrize("values", [{"kvp": 33}, {"shape": (10, 10, 1)}, {"pixel_mm": 0.0}])
def test_impossible_series_are_refused(values):
    with pytest.raises(BadSettings):
        ScannerSpec(**values)
