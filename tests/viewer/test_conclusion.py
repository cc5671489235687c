"""Key pictures, and the reader's part of the report at the page, without a browser."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from trame.app import get_server

from ccta.case import Case
from ccta.report import signing
from tests.viewer.small_case import small_study, write_small_case
from viewer.app import report_desk
from viewer.app.room import ReadingRoom
from viewer.app.snapshot import PANES, from_browser, snapshot
from viewer.app.words import NotPossible, said
from viewer.server.signatures import signature_of


@pytest.fixture(scope="module")
def room():
    """A page with one measurement in each picture."""
    made = ReadingRoom(small_study(), "case", get_server("pictures", client_type="vue3"))
    made.mode("length")
    for pane in ("axial", "coronal", "sagittal", "cross", "cpr"):
        made.stroke(pane, 0.2, 0.5, 0.8, 0.5, True)
    return made


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), int)


@pytest.mark.parametrize("pane", [pane for pane in PANES if pane not in ("tree", "curve")])
def test_a_key_picture_shows_the_pane_with_its_measurement(room, pane):
    seen = pixels(snapshot(room.state, pane))
    yellow = (np.abs(seen - [255, 226, 122]).max(axis=-1) < 30).sum()
    assert yellow > 0.3 * seen.shape[1] and min(seen.shape[:2]) > 250
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(room.state[f"{pane}_image"].split(",")[1]))), float)
    assert abs(seen[..., 0].mean() - grey.mean()) < 25


def test_the_curve_is_drawn_and_an_empty_pane_is_refused(room):
    curve = pixels(snapshot(room.state, "curve"))
    assert ((curve > 240).all(axis=-1)).sum() > 1000
    for pane in ("tree", "nowhere"):
        with pytest.raises(NotPossible, match="shows nothing"):
            snapshot(room.state, pane)


def test_only_a_picture_comes_from_the_browser(room):
    stream = io.BytesIO()
    Image.new("RGBA", (30, 20), (255, 0, 0, 255)).save(stream, "PNG")
    address = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    seen = pixels(from_browser(address, room.state))
    assert (seen[-5, 5] == [255, 0, 0]).all() and seen.shape[1] > 700 and len(np.unique(seen[:, int(0.96 * seen.shape[1])], axis=0)) > 20
    jpeg = io.BytesIO()
    Image.new("RGB", (30, 20)).save(jpeg, "JPEG")
    for bad in ("", "data:image/png;base64,AAAA", "x,%%%", "data:," + base64.b64encode(jpeg.getvalue()).decode()):
        with pytest.raises(NotPossible, match="no picture"):
            from_browser(bad, room.state)


def test_words_are_written_once_by_a_name_and_shown_as_a_draft(tmp_path):
    root = tmp_path / "case"
    write_small_case(root)
    assert report_desk.conclusion(root).shown(said("en"))["line"] == "Draft, not signed"
    with pytest.raises(NotPossible, match="needs the name"):
        report_desk.write_words(root, " ", {"impression": "Severe LAD stenosis."})
    assert report_desk.write_words(root, "Dr Li", {"impression": "Severe LAD stenosis.", "indication": ""})
    assert not report_desk.write_words(root, "Dr Li", {"impression": "Severe LAD stenosis. "})
    assert signing.read(Case.open(root)).impression == "Severe LAD stenosis."
    with pytest.raises(NotPossible, match="needs its text"):
        report_desk.add_addendum(root, "Dr Li", " ")
    for refused, chinese in ((lambda: report_desk.sign(root, "Dr Li"), "没有可签署"), (lambda: report_desk.add_addendum(root, "Dr Li", "More."), "没有可补充")):
        with pytest.raises(NotPossible) as reason:
            refused()
        assert chinese in reason.value.said(said("zh"))


def test_pictures_come_and_go(tmp_path, room):
    root = tmp_path / "case"
    write_small_case(root)
    report_desk.add_picture(root, "Dr Li", snapshot(room.state, "cross"), "LAD 16 mm")
    ((file, caption),) = report_desk.conclusion(root).shown(said("zh"))["pictures"]
    assert caption == "LAD 16 mm" and (Case.open(root).path("pictures") / file).is_file()
    report_desk.remove_picture(root, "Dr Li", file)
    assert report_desk.conclusion(root).shown(said("en"))["pictures"] == []


def test_a_signed_report_stays_and_what_comes_later_is_a_draft_beside_it(tmp_path):
    """The report stage alone, on a small case; the whole way is walked in test_reading."""
    from ccta.cli.stages import pipeline
    from ccta.runner import run_stages, select
    from ccta.settings import Settings

    root = tmp_path / "case"
    write_small_case(root)
    report_desk.write_words(root, "Dr Li", {"impression": "Severe LAD stenosis."})
    make = lambda: run_stages(Case.open(root), select(pipeline(), ["report"]), Settings(), lambda name: lambda message, share=None: None)  # noqa: E731
    make()
    assert not report_desk.is_stale(root)
    assert signature_of(root) is None
    report_desk.sign(root, "Dr Li")
    assert signature_of(root).by == "Dr Li"
    shown = report_desk.conclusion(root).shown(said("en"))
    assert shown["signed"] and shown["line"].startswith("Version 1, signed by Dr Li on 2") and shown["can_add"]
    report_desk.add_addendum(root, "Dr Wang", "The RCA was read again.")
    assert report_desk.conclusion(root).shown(said("en"))["addenda"][0][1::2] == ["Dr Wang", "The RCA was read again."]
    report_desk.write_words(root, "Dr Wang", {"impression": "Moderate."})
    assert report_desk.is_stale(root)
    with pytest.raises(NotPossible, match="report no longer follow") as reason:
        report_desk.sign(root, "Dr Wang")
    assert "无法签署" in reason.value.said(said("zh"))
    make()
    assert signature_of(root) is None
    later = report_desk.conclusion(root).shown(said("en"))
    assert not later["signed"] and later["line"].startswith("Draft beside version 1, which Dr Li signed") and signing.verify(Case.open(root)) == []
    signed = signing.version_folder(Case.open(root), 1) / signing.HTML
    signed.chmod(0o644)
    signed.write_text("another report")
    with pytest.raises(NotPossible, match="version 1 are not as they were signed"):
        report_desk.add_addendum(root, "Dr Wang", "One more.")
