"""What the report says: every refusal with its reason, the right words at the borders, nothing lost."""

import pytest

from ccta.errors import BadSettings
from ccta.findings import CadRads, Findings, Plaque
from ccta.model import Unavailable
from ccta.report.blocks import RESEARCH_USE, Table, row, sentence
from ccta.report.content import build, impression
from ccta.report.study_sections import unavailable_values
from ccta.report.wording import CATEGORY_TONE, INTERPRETATION, ffr_verdict, leiden_band, stenosis_tone
from ccta.settings import ReportSettings
from tests.ccta.example_findings import example_findings, refused_findings, stenosis


def text_of(content) -> str:
    """All words of a report."""
    parts = [content.title, content.headline.code, content.headline.title, content.headline.because, content.headline.recommendation, *content.impression]
    for section in content.sections:
        parts += [section.title, section.refused, *section.paragraphs, *section.bullets, *(x for fact in section.facts for x in fact)]
        for table in section.tables:
            parts += [*table.head, table.note, table.caption, *(c.text for r in table.rows for c in r)]
    return "\n".join(parts)


def section(content, title):
    return next(s for s in content.sections if title in s.title)


@pytest.mark.parametrize("findings", [example_findings(), refused_findings(), Findings()], ids=["full", "refused", "empty"])
def test_every_unavailable_value_is_printed_with_its_reason(findings):
    text = text_of(build(findings))
    reasons = list(unavailable_values(findings))
    assert reasons
    for place, reason in reasons:
        assert place and (reason in text or sentence(reason) in text), (place, reason)


def test_full_case_has_the_scct_sections_in_order():
    titles = [s.title for s in build(example_findings()).sections]
    wanted = ["Indication", "Technique", "Image quality", "Coronary calcium", "Findings by vessel", "Stenoses",
              "Coronary arteries by segment", "Plaque and pericoronary fat",
              "Computed fractional flow reserve", "Heart", "What could not be measured, and why",
              "Recommendation by CAD-RADS", "Limits of this report"]  # fmt: skip
    assert titles == wanted


def test_refused_case_says_what_could_be_measured_and_what_not():
    content = build(refused_findings())
    assert content.headline.code == "no category" and "too large" in content.headline.because
    assert content.impression[0].startswith("The coronary arteries could not be assessed: voxels of 1.50")
    assert "LV mass 118 g" in content.impression[1]
    titles = [s.title for s in content.sections]
    assert "Stenoses" not in titles and "Heart" in titles and "What could not be measured, and why" in titles
    assert section(content, "calcium").refused.startswith("No non-contrast series")


def test_stenosis_table_is_sorted_and_carries_interval_type_and_ffr():
    rows = section(build(example_findings()), "Stenoses").tables[0].rows
    assert [r[0].text for r in rows] == ["7 mLAD", "11 pLCx", "6 pLAD", "2 mRCA"]
    worst = [c.text for c in rows[0]]
    assert worst[1] == "62 (55–68)" and "mixed; PR, LAP" in worst and worst[-1] == "0.74"
    assert rows[0][-1].tone == "bad" and rows[1][-1].tone == "good" and (rows[3][-1].text, rows[3][-1].tone) == ("–", "muted")


def test_two_lesions_of_one_segment_keep_their_own_ffr():
    findings = example_findings()
    lesions = [findings.ffr.lesions[0].model_copy(update={"ffr": v}) for v in (0.91, 0.70)]
    two = findings.model_copy(update={"stenoses": [stenosis(7, 30), stenosis(7, 80)], "ffr": findings.ffr.model_copy(update={"lesions": lesions})})
    rows = section(build(two), "Stenoses").tables[0].rows
    assert [(r[1].text, r[-1].text) for r in rows] == [("80", "0.70"), ("30", "0.91")]


def test_flow_section_prints_model_pressure_and_every_assumption():
    flow = section(build(example_findings()), "fractional flow")
    assert ("Mean aortic pressure", "93 mmHg") in flow.facts and "Navier-Stokes" in dict(flow.facts)["Model"]
    assert list(flow.bullets) == example_findings().ffr.assumptions


def test_no_disease_reads_as_no_disease():
    none = Plaque(total_mm3=0, calcified_mm3=0, noncalcified_mm3=0, low_attenuation_mm3=0, pav_pct=0, stage="0 (none)")
    cad_rads = CadRads(category="0", plaque_burden="", text="0", because="No stenosis and no plaque.")
    findings = example_findings().model_copy(update={"stenoses": [], "plaque": none, "cad_rads": cad_rads})
    content = build(findings)
    assert content.impression[0] == "No coronary stenosis." and content.headline.tone == "good"
    assert section(content, "Stenoses").paragraphs == ("No stenosis was found.",)


def test_missing_flow_is_said_in_the_impression():
    findings = example_findings().model_copy(update={"ffr": Unavailable("motion of the mid LAD")})
    assert "FFR was not computed: motion of the mid LAD." in impression(findings)


def test_every_category_has_words_and_a_colour():
    assert set(INTERPRETATION) == set(CATEGORY_TONE) == {"0", "1", "2", "3", "4A", "4B", "5", "N"}


@pytest.mark.parametrize("ffr, words", [(0.754, "positive"), (0.756, "grey zone"), (0.76, "grey zone"), (0.804, "grey zone"), (0.81, "negative")])
def test_ffr_verdict(ffr, words):
    assert ffr_verdict(ffr)[0] == words


@pytest.mark.parametrize("pct, tone", [(49.4, ""), (49.5, "grey"), (69.4, "grey"), (69.5, "bad")])
def test_stenosis_tone(pct, tone):
    assert stenosis_tone(pct) == tone


@pytest.mark.parametrize("score, band", [(0, "0-5"), (5, "0-5"), (6, "6-20"), (20, "6-20"), (20.1, "> 20"), (41.9, "> 20")])
def test_leiden_band(score, band):
    assert leiden_band(score).startswith(band)


def test_a_table_with_a_missing_cell_is_refused():
    with pytest.raises(ValueError, match="needs 2 cells"):
        Table(("a", "b"), (row("only one"),))


def test_an_unknown_language_is_refused():
    with pytest.raises(BadSettings, match='"tlh"'):
        build(example_findings(), settings=ReportSettings(language="tlh"))


def test_research_use_is_the_footer():
    assert build(Findings()).footer == RESEARCH_USE == "Research use only, not for diagnosis"
