"""The phantom's heart and arteries: calibre law, places, names, plaques, variation between seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ccta.coordinates import to_patient_mm
from ccta.errors import BadSettings
from ccta.model import HEART_LABELS, SEGMENTS
from ccta.phantom.arteries import STEP_MM, WALL_MM, Course, calibre
from ccta.phantom.patient import PatientSpec, drawn, make_patient
from ccta.phantom.plaques import PlaqueSpec, integrals
from ccta.phantom.vessels import CALCIUM, FIBROUS, LIPID, classes, touched, tubes_of

CHAMBERS = ("lv", "rv", "la", "ra", "aorta", "pulmonary_artery")


@pytest.fixture(scope="module")
def demo():
    return make_patient(1)


def branch(patient, name):
    return next(b for b in patient.tree if b.name == name)


@given(st.floats(3.0, 5.0), st.floats(0.2, 0.75), st.floats(2.0, 3.5))
@settings(max_examples=25, deadline=None)
def test_calibre_keeps_the_branching_law(origin_mm, share, exponent):
    course = Course("x", np.column_stack([np.arange(400) * STEP_MM, np.zeros(400), np.zeros(400)]))
    diameter, given_mm = calibre(course, origin_mm, {"side": (50.0, share * origin_mm)}, 0.003, exponent)
    before, after = diameter[200 - 24] * np.exp(-0.003 * 6), diameter[200 + 24] * np.exp(0.003 * 6)
    assert before**exponent == pytest.approx(after**exponent + given_mm["side"] ** exponent, rel=0.01)
    assert (np.diff(diameter) < 1e-9).all()


def test_a_normal_heart_has_the_published_diameters():
    """Dodge et al. 1992, men, right dominant, mean +/- 1 SD: LM 4.5 +/- 0.5, proximal LAD 3.7 +/- 0.4, LCx 3.4 +/- 0.5, RCA 3.9 +/- 0.6."""
    patient = make_patient(1, PatientSpec(plaques=()))
    lad = branch(patient, "LAD")
    assert 2 * lad.radius_mm[0] == pytest.approx(4.5, abs=0.25)
    assert 2 * lad.radius_mm[lad.segment == 6].max() == pytest.approx(3.7, abs=0.4)
    assert 2 * branch(patient, "LCx").radius_mm[0] == pytest.approx(3.4, abs=0.1)
    assert 2 * branch(patient, "RCA").radius_mm[0] == pytest.approx(3.9, abs=0.1)
    assert 1.2 < 2 * lad.radius_mm[-1] < 2.3


@pytest.mark.parametrize("seed", [1, 2, 5, 6, 10])
def test_arteries_run_in_the_epicardial_fat(seed):
    patient = make_patient(seed)
    shapes = patient.anatomy.shapes
    for b in patient.tree:
        skip = b.distance_mm > (10 if b.parent is None else 3)
        for name in CHAMBERS:
            gap = shapes[f"{name}_outer"](b.points_mm[skip]) - b.radius_mm[skip]
            assert gap.min() > WALL_MM, f"seed {seed}: {b.name} touches {name}"
        assert shapes["pericardium"](b.points_mm).max() < -2.0
        if b.name in ("LAD", "LCx", "RCA"):
            near = np.min([shapes[f"{name}_outer"](b.points_mm[skip]) for name in CHAMBERS], axis=0) - b.radius_mm[skip]
            assert near.max() < 7.0


@pytest.mark.parametrize("seed", [1, 7])
def test_both_trees_leave_the_aortic_sinuses(seed):
    patient = make_patient(seed)
    for name in ("LAD", "RCA"):
        start = branch(patient, name).points_mm[:1]
        assert abs(float(patient.anatomy.shapes["aorta"](start)[0])) < 0.2
    affine = np.diag([0.5, 0.5, 0.5, 1.0])
    starts = np.array([branch(patient, name).points_mm[0] for name in ("LAD", "RCA")])
    affine[:3, 3] = starts.min(0) - 14
    shape = tuple(np.ceil((np.ptp(starts, axis=0) + 28) / 0.5).astype(int))
    blood = (patient.heart_labels(affine, shape).array == HEART_LABELS["aorta"]) | (patient.lumen_labels(affine, shape).array == 1)
    joined = ndimage.label(blood)[0]
    inside = [joined[tuple(np.round((branch(patient, name).point_at(8.0) - affine[:3, 3]) / 0.5).astype(int))] for name in ("LAD", "RCA")]
    assert inside[0] == inside[1] > 0


@pytest.mark.parametrize(("dominance", "has", "lacks"), [("right", {4, 16}, {15, 18}), ("left", {15, 18}, {4, 16}), ("co-dominant", {4, 18}, {15, 16})])
def test_dominance_decides_the_segments(dominance, has, lacks):
    patient = make_patient(3, PatientSpec(dominance=dominance, plaques=()))
    found = {int(s) for b in patient.tree for s in np.unique(b.segment)}
    assert has <= found
    assert not lacks & found
    assert 10 <= len(found) <= 16
    assert patient.tree.dominance == dominance
    for b in patient.tree:
        if b.parent is not None:
            parent = patient.tree.branches[b.parent]
            assert np.linalg.norm(parent.point_at(b.parent_distance_mm) - b.points_mm[0]) < 0.3
            assert b.radius_mm[0] <= parent.radius_mm.max()


def test_the_heart_has_human_size(demo):
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [-100, -90, -80]
    labels = demo.heart_labels(affine, (90, 90, 90)).array
    ml = {name: (labels == code).sum() * 8 / 1000 for name, code in HEART_LABELS.items()}
    assert 90 < ml["lv"] < 190
    assert 80 < ml["myocardium"] < 180
    assert 80 < ml["rv"] < 220
    assert all(40 < ml[name] < 160 for name in ("la", "ra"))
    left, right = (np.argwhere(labels == HEART_LABELS[name]).mean(0) for name in ("lv", "ra"))
    assert left[0] > right[0] + 20


def test_the_demonstration_patient_has_its_two_plaques(demo):
    lad, rca = demo.plaques
    assert (lad.spec.segment, lad.spec.stenosis_pct, rca.spec.segment) == (7, 60.0, 1)
    vessel = demo.vessels[lad.branch]
    ratio = vessel.branch.radius_mm / vessel.healthy_radius_mm
    assert ratio.min() == pytest.approx(0.4, abs=0.002)
    assert vessel.branch.segment_at(lad.distance_mm) == 7
    healthy = (vessel.branch.distance_mm < lad.entry_mm) | (vessel.branch.distance_mm > lad.exit_mm)
    assert np.allclose(ratio[healthy], 1)


def test_true_sections_agree_with_the_radii(demo):
    for section, vessel in zip(demo.sections, demo.vessels, strict=True):
        assert section.lumen_diameter_mm == pytest.approx(2 * vessel.branch.radius_mm, rel=0.002)
        assert section.wall_area_mm2 == pytest.approx(np.pi * vessel.wall_radius_mm**2, rel=0.01)
        assert (section.wall_radius_mm >= section.lumen_radius_mm + 0.9 * WALL_MM).all()


def test_plaque_volume_is_that_of_a_fine_raster(demo):
    """Quadrature in vessel coordinates against counting 0.1 mm cells in space (they agree only with the curvature term)."""
    for number, plaque in enumerate(demo.plaques):
        vessel = demo.vessels[plaque.branch]
        tubes = tubes_of([vessel], demo.plaques)
        inside = vessel.branch.points_mm[vessel.plaque == number]
        affine = np.diag([0.1, 0.1, 0.1, 1.0])
        affine[:3, 3] = inside.min(0) - 5
        index, near = touched(tubes, affine, tuple(np.ceil((np.ptp(inside, axis=0) + 10) / 0.1).astype(int)))
        kind = classes(to_patient_mm(index, affine), near, tubes)
        truth = integrals(vessel, number)
        assert 0.001 * np.isin(kind, [FIBROUS, LIPID, CALCIUM]).sum() == pytest.approx(truth["total_mm3"], rel=0.02)
        assert 0.001 * (kind == CALCIUM).sum() == pytest.approx(truth["calcified_mm3"], rel=0.02)
        assert 0.001 * (kind == LIPID).sum() == pytest.approx(truth["low_attenuation_mm3"], rel=0.02)


def test_a_seed_is_one_patient_and_seeds_differ():
    first, again, other = make_patient(4), make_patient(4), make_patient(9)
    for a, b in zip(first.tree, again.tree, strict=True):
        assert np.array_equal(a.points_mm, b.points_mm)
        assert np.array_equal(a.radius_mm, b.radius_mm)
    assert first.spec == again.spec
    assert first.spec != other.spec
    assert np.linalg.norm(branch(first, "LAD").point_at(60.0) - branch(other, "LAD").point_at(60.0)) > 1.0
    specs = [drawn(seed, PatientSpec()) for seed in range(20, 60)]
    assert len({s.dominance for s in specs}) >= 2
    assert {len(s.plaques) for s in specs} >= {0, 2, 4}


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (lambda: PatientSpec(dominance="both"), "dominance"),
        (lambda: PatientSpec(calibre=5.0), "calibre"),
        (lambda: PlaqueSpec(segment=30), "segment"),
        (lambda: PlaqueSpec(segment=6, stenosis_pct=120.0), "stenosis_pct"),
        (lambda: PlaqueSpec(segment=6, kind="gold"), "kind"),
        (lambda: make_patient(1, PatientSpec(dominance="right", plaques=(PlaqueSpec(15),))), "does not have"),
        (lambda: make_patient(1, PatientSpec(plaques=(PlaqueSpec(6), PlaqueSpec(6, position=0.6)))), "overlap"),
    ],
)
def test_impossible_patients_are_refused(spec, word):
    with pytest.raises(BadSettings, match=word):
        spec()


def test_every_segment_has_a_vessel(demo):
    assert all(int(s) in SEGMENTS for b in demo.tree for s in np.unique(b.segment))
