"""Fat attenuation index on tubes in made-up fat."""

import numpy as np
import pytest

from ccta.disease.fat import measure_fat
from ccta.findings import Acquisition
from ccta.model import Unavailable
from tests.ccta.test_plaque import block, sections_of, straight, tree_of

SEGMENTS = (6, 11, 1)


def three_vessels(length_mm=60.0):
    curves = [straight(length_mm, at=(12.0 * i, 0.0)) for i in (-1, 0, 1)]
    tree = tree_of(*curves, segments=SEGMENTS, parents=(None, None, None))
    return tree, [sections_of(c, 1.5, 2.0, branch=i) for i, c in enumerate(curves)]


def fat_image(hu_of_radius):
    """Around each of the three vessels the HU is hu_of_radius(distance to its axis, z)."""
    return block(
        function=lambda x, y, z: hu_of_radius(np.hypot(np.minimum(np.minimum(np.abs(x), np.abs(x - 12)), np.abs(x + 12)), y), z), size_mm=80, spacing_mm=0.8
    )


def test_mean_of_fat_only():
    """-80 HU fat; muscle beyond x = 30 % of places is out of the window and must not move the mean."""
    image = fat_image(lambda r, z: np.where(np.sin(z) > 0.9, 60.0, -80.0))
    fat = measure_fat(image, *three_vessels(), Acquisition(kvp=120.0, kernel="Bv40"))
    assert set(fat) == {"LAD", "LCx", "RCA"}
    for value in fat.values():
        assert value.fai_hu == pytest.approx(-80, abs=3)
        assert value.note == "120 kVp, kernel Bv40, slice spacing 0.80 mm; not above the high-risk limit of -70.1 HU"


def test_the_rca_is_read_from_10_to_50_mm_and_the_others_from_0_to_40():
    image = fat_image(lambda r, z: np.where(z < 10, -60.0, np.where(z < 40, -80.0, np.where(z < 50, -100.0, -150.0))))
    fat = measure_fat(image, *three_vessels(), Acquisition(kvp=120.0))
    assert fat["LAD"].fai_hu == pytest.approx((-60 * 10 - 80 * 30) / 40, abs=1)
    assert fat["RCA"].fai_hu == pytest.approx((-80 * 30 - 100 * 10) / 40, abs=1)


def test_only_within_one_diameter_of_the_wall():
    """Wall radius 2, diameter 4: the ring from 2 to 6 mm. -70 HU inside 4 mm, -100 outside: mean by area."""
    _, sections = three_vessels()
    image = block(function=lambda x, y, z: np.where(np.hypot(x, y) < 4, -70.0, -100.0), size_mm=80, spacing_mm=0.5)
    lcx = measure_fat(image, tree_of(sections[1].center_mm, segments=(11,)), [sections_of(sections[1].center_mm, 1.5, 2.0)], Acquisition(kvp=120.0))["LCx"]
    assert lcx.fai_hu == pytest.approx((-70 * (16 - 4) - 100 * (36 - 16)) / 32, abs=1)


@pytest.mark.parametrize("kvp, said", [(100.0, "100 kVp"), (Unavailable("not named"), "unknown kVp")])
def test_no_verdict_away_from_120_kvp(kvp, said):
    note = measure_fat(fat_image(lambda r, z: -60.0 + 0 * r), *three_vessels(), Acquisition(kvp=kvp))["LAD"].note
    assert said in note and "no verdict" in note and "above the high-risk" not in note


def test_high_risk_at_120_kvp():
    note = measure_fat(fat_image(lambda r, z: -60.0 + 0 * r), *three_vessels(), Acquisition(kvp=120.0))["LAD"].note
    assert "; above the high-risk limit" in note


def test_refusals_say_why():
    tree, sections = three_vessels()
    no_fat = measure_fat(fat_image(lambda r, z: 40.0 + 0 * r), tree, sections, Acquisition())
    assert "mm3 of fat" in no_fat["LAD"].fai_hu.reason
    short = measure_fat(fat_image(lambda r, z: -80.0 + 0 * r), *three_vessels(15.0), Acquisition())
    assert "only 15 mm" in short["LAD"].fai_hu.reason and "only 5 mm" in short["RCA"].fai_hu.reason
    only_lad = measure_fat(fat_image(lambda r, z: -80.0 + 0 * r), tree_of(sections[0].center_mm, segments=(6,)), sections[:1], Acquisition())
    assert only_lad["RCA"].fai_hu.reason == "the proximal RCA was not found"
