"""CAD-RADS 2.0, table-driven, with every border."""

import pytest

from ccta.disease.cadrads import classify
from ccta.errors import Refusal
from ccta.findings import Calcium, Ffr, Findings, LesionFfr, Plaque, Quality, Segment, Tree, VesselFfr
from ccta.model import Unavailable
from tests.ccta.example_findings import example_findings, stenosis

NO_PLAQUE = Plaque(total_mm3=0, calcified_mm3=0, noncalcified_mm3=0, low_attenuation_mm3=0, pav_pct=0)


def plaque_in(*segments):
    return Plaque(total_mm3=90, calcified_mm3=30, noncalcified_mm3=60, low_attenuation_mm3=5, pav_pct=4, segments_with_plaque=list(segments))


def calcium(agatston):
    return Calcium(agatston=agatston, volume_mm3=1, mass_mg=1, vessels={"LAD": agatston}, cac_drs="A1/N1")


def ffr(*lesion_values, **vessels):
    lesions = [LesionFfr(segment=7, ffr=v, delta=Unavailable("-")) for v in lesion_values]
    read = {name: VesselFfr(ffr=v, at_mm=60.0, delta=0.1) for name, v in vessels.items()}
    return Ffr(model="rom", pa_mmhg=93, flow_ml_min=500, vessels=read, lesions=lesions)


@pytest.mark.parametrize(
    "pct, category",
    [(0.4, "1"), (1, "1"), (24, "1"), (24.4, "1"), (24.5, "2"), (25, "2"), (49, "2"), (49.4, "2"), (49.5, "3"), (50, "3"), (69, "3"),
     (69.5, "4A"), (70, "4A"), (99, "4A"), (99.4, "4A"), (100, "5")],
)  # fmt: skip
def test_category_by_worst_stenosis(pct, category):
    result = classify(Findings(stenoses=[stenosis(7, pct), stenosis(11, 0.6)], plaque=plaque_in(7)))
    assert result.category == category
    assert result.text == f"{category}/P1"
    assert f"{int(pct + 0.5)} %" in result.because or pct < 1


@pytest.mark.parametrize(
    "stenoses, category",
    [
        ([(5, 49)], "2"), ([(5, 50)], "4B"), ([(5, 70)], "4B"), ([(5, 100)], "5"),
        ([(7, 70), (11, 70)], "4A"), ([(7, 70), (11, 70), (2, 69)], "4A"), ([(7, 70), (11, 70), (2, 70)], "4B"),
        ([(6, 80), (7, 80), (9, 80)], "4A"), ([(7, 100), (11, 70), (2, 70)], "5"),
    ],
)  # fmt: skip
def test_left_main_and_three_vessel_disease(stenoses, category):
    assert classify(Findings(stenoses=[stenosis(*s) for s in stenoses], plaque=plaque_in(7))).category == category


def test_no_stenosis_is_0_without_plaque_and_1_with_plaque_or_calcium():
    assert classify(Findings(stenoses=[], plaque=NO_PLAQUE, calcium=calcium(0))).text == "0"
    assert classify(Findings(stenoses=[], plaque=plaque_in(6, 7))).text == "1/P1"
    assert classify(Findings(stenoses=[], plaque=NO_PLAQUE, calcium=calcium(120))).text == "1/P2"


def test_category_0_says_what_was_not_measured():
    assert "plaque and calcium not measured" in classify(Findings(stenoses=[])).because


def test_vessels_below_1_5_mm_are_not_graded():
    small = stenosis(10, 80, reference_diameter_mm=1.49)
    result = classify(Findings(stenoses=[small, stenosis(7, 30)], plaque=plaque_in(7)))
    assert result.category == "2" and "not graded" in result.because
    assert classify(Findings(stenoses=[stenosis(10, 80, reference_diameter_mm=1.5)], plaque=plaque_in(7))).category == "4A"


@pytest.mark.parametrize("pct, text", [(0.2, "N"), (30, "N"), (49, "N"), (50, "3/N"), (70, "4A/N")])
def test_unreadable_segment_replaces_or_modifies(pct, text):
    quality = Quality(noise_hu=30, snr=15, cnr=17, aorta_hu=430, segments={"7": 4, "12": 1})
    result = classify(Findings(stenoses=[stenosis(7, pct)], plaque=NO_PLAQUE, quality=quality))
    assert result.text == text and "OM1" in result.because


def test_unreadable_segment_of_a_small_vessel_does_not_count():
    quality = Quality(noise_hu=30, snr=15, cnr=17, aorta_hu=430, segments={"10": 1})
    tree = Tree(dominance="right", segments=[Segment(id=10, name="D2", vessel="LAD", length_mm=20, mean_diameter_mm=1.3, ostium_mm=(0, 0, 0))])
    assert classify(Findings(stenoses=[stenosis(7, 30)], plaque=NO_PLAQUE, quality=quality, tree=tree)).category == "2"


@pytest.mark.parametrize("agatston, burden", [(1, "P1"), (100, "P1"), (101, "P2"), (300, "P2"), (301, "P3"), (999, "P3"), (1000, "P4")])
def test_burden_by_calcium(agatston, burden):
    result = classify(Findings(stenoses=[stenosis(7, 60)], calcium=calcium(agatston), plaque=plaque_in(7)))
    assert result.plaque_burden == burden and f"calcium score {agatston}" in result.because and "P1" in result.because


@pytest.mark.parametrize("count, burden", [(1, "P1"), (2, "P1"), (3, "P2"), (4, "P2"), (5, "P3"), (7, "P3"), (8, "P4")])
@pytest.mark.parametrize("score", [None, calcium(0)])
def test_burden_by_segment_involvement(count, burden, score):
    findings = Findings(stenoses=[stenosis(7, 60)], plaque=plaque_in(*range(1, count + 1)), **({"calcium": score} if score else {}))
    assert classify(findings).plaque_burden == burden


@pytest.mark.parametrize("value, modifier", [(0.60, "I+"), (0.75, "I+"), (0.754, "I+"), (0.755, "I±"), (0.76, "I±"), (0.80, "I±"), (0.81, "I-"), (0.95, "I-")])
def test_ischaemia_by_ffr(value, modifier):
    assert classify(Findings(stenoses=[stenosis(7, 60)], plaque=NO_PLAQUE, ffr=ffr(0.97, value))).modifiers == [modifier]
    assert classify(Findings(stenoses=[stenosis(7, 60)], plaque=NO_PLAQUE, ffr=ffr(LAD=value))).modifiers == [modifier]


def test_ischaemia_is_not_claimed_where_ffr_could_not_be_read_or_nothing_is_narrowed():
    unread = classify(Findings(stenoses=[stenosis(7, 60)], plaque=NO_PLAQUE, ffr=ffr(Unavailable("motion"))))
    assert unread.modifiers == [] and "could not be read" in unread.because
    assert classify(Findings(stenoses=[stenosis(7, 20)], plaque=NO_PLAQUE, ffr=ffr(0.7))).modifiers == []


def test_hrp_needs_two_features_in_one_plaque():
    one_each = [stenosis(7, 60, high_risk=["PR"]), stenosis(11, 30, high_risk=["LAP"])]
    assert "HRP" not in classify(Findings(stenoses=one_each, plaque=NO_PLAQUE)).modifiers
    assert classify(Findings(stenoses=[stenosis(7, 60, high_risk=["PR", "SC"])], plaque=NO_PLAQUE)).modifiers == ["HRP"]


def test_modifiers_stand_in_order():
    quality = Quality(noise_hu=30, snr=15, cnr=17, aorta_hu=430, segments={"12": 1})
    stenoses = [stenosis(7, 80, high_risk=["PR", "LAP"])]
    assert classify(Findings(stenoses=stenoses, calcium=calcium(150), quality=quality, ffr=ffr(0.7))).text == "4A/P2/N/HRP/I+"


def test_without_coronaries_there_is_no_category():
    with pytest.raises(Refusal, match="too large"):
        classify(Findings(stenoses=Unavailable("voxels of 1.5 mm are too large")))


def test_example_case():
    assert classify(example_findings()).text == example_findings().cad_rads.text
