"""Calcium that is not coronary, in its place and with its amount; patients of the evaluation."""

import numpy as np
import pytest

from ccta.errors import BadSettings
from ccta.phantom.cohort import RIB_MM, calcium_patient, free_of_ribs_mm, made_to_fit, plaques
from ccta.phantom.deposits import KINDS, Deposit, add_deposits, drawn_deposits
from ccta.phantom.patient import PatientSpec
from ccta.phantom.plaques import PlaqueSpec
from ccta.phantom.shapes import ellipsoid, scaled


@pytest.mark.parametrize("wall_mm", [0.0, 0.5])
def test_a_rod_adds_its_volume_times_its_hu(wall_mm):
    """A capsule of radius 2.5 mm and 40 mm length: pi r^2 L + 4/3 pi r^3; hollow: without the inner capsule."""
    image = np.zeros((120, 60, 40), np.float32)
    affine = np.diag([0.5, 0.5, 1.0, 1.0])
    add_deposits(image, (Deposit("stent", np.array([[10.0, 15, 20], [50, 15, 20]]), 2.5, 1000.0, wall_mm),), affine, 0.17)
    inner = 2.5 - wall_mm if wall_mm else 0.0
    volume = np.pi * 40 * (2.5**2 - inner**2) + 4 / 3 * np.pi * (2.5**3 - inner**3)
    assert image.sum() * 0.25 == pytest.approx(1000.0 * volume, rel=0.05)


def test_outside_the_image_nothing_is_added():
    image = np.zeros((10, 10, 10), np.float32)
    add_deposits(image, (Deposit("lung node", np.array([[100.0, 0, 0], [101, 0, 0]]), 2.0, 500.0),), np.eye(4), 0.3)
    assert not image.any()


@pytest.fixture(scope="module")
def patient():
    return calcium_patient(103)[0]


def test_each_kind_lies_where_it_belongs(patient):
    found = drawn_deposits(patient, np.random.default_rng(2), dict.fromkeys(KINDS, 1.0))
    assert {d.kind for d in found} == set(KINDS)
    shapes = patient.anatomy.shapes
    for deposit in found:
        start = deposit.points_mm[:1]
        if deposit.kind == "aortic wall":
            assert abs(shapes["aorta"](start)[0]) < 0.5
        if deposit.kind == "aortic valve":
            assert shapes["aorta"](start)[0] < 3.0
        if deposit.kind == "pericardium":
            assert abs(shapes["pericardium"](start)[0]) < 1.0
        if deposit.kind == "stent":
            assert min(np.linalg.norm(b.points_mm - start, axis=1).min() for b in patient.tree) < 0.3


def test_arteries_keep_clear_of_the_ribs(patient):
    assert free_of_ribs_mm(patient) >= RIB_MM


def test_plaques_that_would_overlap_are_made_shorter():
    wanted = PatientSpec(plaques=(PlaqueSpec(6, position=0.3, length_mm=12.0), PlaqueSpec(7, position=0.0, length_mm=16.0)))
    made = made_to_fit(103, wanted)
    first, second = sorted(made.plaques, key=lambda plaque: plaque.distance_mm)
    assert first.exit_mm <= second.entry_mm and first.spec.length_mm < 12.0


def test_there_are_patients_without_calcium_and_with_much():
    counts = [sum(p.kind != "soft" for p in plaques(np.random.default_rng(n), "right")) for n in range(60)]
    assert 5 <= counts.count(0) <= 30 and max(counts) >= 6


def test_sizes_are_checked_and_scaling_scales():
    with pytest.raises(BadSettings, match="body_size"):
        PatientSpec(body_size=3.0)
    ball = ellipsoid([1, 2, 3], np.eye(3), np.array([2.0, 2.0, 2.0]))
    assert scaled(ball, 3.0)(np.array([[3.0, 6.0, 9.0], [3.0, 6.0, 15.0]])) == pytest.approx([-6.0, 0.0], abs=1e-6)
