"""The pictures show what the numbers say."""

import numpy as np
import pytest

from ccta.findings import Findings
from ccta.model import Branch, CoronaryTree
from ccta.report import pictures as draw
from ccta.report.reformats import case_reformats, cross_section, straightened
from tests.ccta.example_findings import example_findings, example_pullback, stenosis
from tests.ccta.test_plaque import block, sections_of, straight


def case():
    """A 3 mm vessel of 400 HU in fat with a 60 % narrowing at 15 mm."""
    line = straight(30.0)
    radius = 1.5 * (1 - 0.6 * np.exp(-(((line[:, 2] - 15) / 2) ** 2)))
    own = sections_of(line, radius, np.full(len(line), 2.0))

    def image(x, y, z):
        return np.where(np.hypot(x, y) < np.interp(z, line[:, 2], radius), 400.0, -80.0)

    found = stenosis(7, 60, position_mm=15.0, entry_mm=11.0, exit_mm=19.0)
    return block(function=image, spacing_mm=0.25), CoronaryTree((Branch(line, radius, name="LAD"),)), [own], [found]


@pytest.mark.parametrize("ffr, colour", [(0.72, "red"), (0.775, "grey"), (0.95, "blue")])
def test_colours_of_ffr(ffr, colour):
    low, high = draw.FFR_RANGE
    red, green, blue, _ = draw.FFR_COLORS((ffr - low) / (high - low))
    assert {"red": red > 1.5 * blue, "grey": max(red, green, blue) - min(red, green, blue) < 0.02, "blue": blue > 1.5 * red}[colour]


def test_grey_is_exactly_the_grey_zone():
    low, high = draw.FFR_RANGE
    colours = draw.FFR_COLORS((np.linspace(0.5, 1.0, 501) - low) / (high - low))[:, :3]
    grey = np.ptp(colours, axis=1) < 0.02
    zone = np.linspace(0.5, 1.0, 501)[grey]
    assert zone.min() == pytest.approx(draw.GREY_ZONE[0], abs=0.003) and zone.max() == pytest.approx(draw.GREY_ZONE[1], abs=0.003)


def test_ribbon_has_the_width_of_the_lumen():
    curve = np.stack([np.linspace(0, 10, 50), np.sin(np.linspace(0, 3, 50))], axis=1)
    left, right = draw._ribbon(curve, np.full(50, 2.5))
    np.testing.assert_allclose(np.linalg.norm(left - right, axis=1), 2.5)


def test_patient_left_is_on_the_right_of_the_front_view():
    figure = draw.ffr_tree_figure(example_pullback(), example_findings())
    ends = {text.get_text(): text.get_position() for text in figure.axes[0].texts if text.get_text() in ("R-PDA", "D1")}
    assert ends["D1"][0] > ends["R-PDA"][0]


def test_pullback_marks_the_value_that_the_findings_give():
    figure = draw.pullback_figure(example_pullback(), example_findings())
    assert [t.get_text() for axis in figure.axes for t in axis.texts if t.get_text().startswith("0.")] == ["0.74", "0.89", "0.94"]


def test_pullback_without_named_vessels_shows_the_longest():
    pullback = example_pullback()
    renamed = [b.model_copy(update={"name": f"branch {i}", "vessel": ""}) for i, b in enumerate(pullback.branches)]
    figure = draw.pullback_figure(pullback.model_copy(update={"branches": renamed}), Findings())
    assert {axis.get_title() for axis in figure.axes} - {""} == {"branch 0", "branch 4", "branch 1"}


def test_straightened_vessel_is_bright_inside_the_edges_and_dark_outside():
    volume, _, (own,), stenoses = case()
    image = straightened(volume, own, "LAD", stenoses)
    across = np.linspace(-image.half_width_mm, image.half_width_mm, len(image.hu))
    inside = (across[:, None] < image.edges_mm[0] - 0.3) & (across[:, None] > image.edges_mm[1] + 0.3)
    outside = (across[:, None] > image.edges_mm[0] + 0.3) | (across[:, None] < image.edges_mm[1] - 0.3)
    assert image.hu[inside].min() > 300 and image.hu[outside].max() < 0
    assert image.lesions == ((11.0, 19.0, "mLAD 60 %"),)


def test_cross_section_is_the_plane_of_the_minimal_lumen():
    volume, _, (own,), (found,) = case()
    cross = cross_section(volume, own, found)
    assert np.linalg.norm(cross.lumen_mm, axis=1) == pytest.approx(0.6, abs=0.01)
    bright = (cross.hu > 160).mean() * (2 * cross.half_width_mm) ** 2
    assert bright == pytest.approx(np.pi * 0.6**2, rel=0.25)


def test_a_measured_case_gives_every_picture():
    volume, tree, sections, stenoses = case()
    findings = example_findings().model_copy(update={"stenoses": stenoses})
    made = draw.make_pictures(findings, example_pullback(), *case_reformats(volume, tree, sections, stenoses))
    assert set(made) == {"ffr_tree", "pullback", "plaque", "cpr_LAD", "cross", "profile"}


def test_an_empty_case_gives_no_picture():
    assert draw.make_pictures(Findings()) == {}
