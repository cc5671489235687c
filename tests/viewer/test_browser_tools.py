"""The reading tools in a real browser: each is used once as a hand would, on the small case."""

import json
import re
import shutil
import time

import pytest

from ccta.case import Case
from ccta.findings import Acquisition
from ccta.views import view_of
from tests.viewer.small_case import write_small_case
from tests.viewer.test_browser import browser, opened, served  # noqa: F401  (browser is a fixture)
from tests.viewer.test_brush import with_calcium

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on PATH (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The small case, with two calcium lesions."""
    folder = tmp_path_factory.mktemp("tools") / "case"
    study = write_small_case(folder)
    Case.open(folder).write_volume("calcium_image", study.volume)
    plain = Acquisition(spacing_mm=(0.5, 0.5, 0.5), shape=study.volume.array.shape, contrast=False)
    Case.open(folder).update_findings(calcium=with_calcium().findings.calcium, calcium_acquisition=plain)
    return folder


@pytest.fixture(scope="module")
def page(browser, root):  # noqa: F811
    """The open page; its console must stay free of errors."""
    with served(root) as address:
        made, errors = opened(browser, address())
        made.fill("#reader", "Dr Li")
        made.locator("#reader").blur()
        yield made
        made.wait_for_timeout(2500)
        made.close()
    assert errors == []
    view = view_of(Case.open(root), "Dr Li")
    assert view is not None and len(view["reading"]["tools"]["measures"]) > 0, "the view is kept while it is read"


def spot(page, selector, x, y):
    box = page.locator(selector).bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def click(page, selector, *places) -> None:
    for x, y in places:
        page.mouse.move(*spot(page, selector, x, y), steps=2)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(120)


def drag(page, selector, start, end) -> None:
    page.mouse.move(*spot(page, selector, *start))
    page.mouse.down()
    page.mouse.move(*spot(page, selector, *end), steps=5)
    page.wait_for_timeout(150)
    page.mouse.up()


def texts(page, pane, count) -> list[str]:
    page.wait_for_function("([pane, n]) => document.querySelectorAll(`#${pane} .mark:not(.drawing)`).length === n", arg=[pane, count])
    return page.locator(f"#{pane} .mark-text").all_inner_texts()


def choose(page, key, tool) -> None:
    """A hot key, and the moment until its tool is chosen: a hand needs longer to come to the picture."""
    page.keyboard.press(key)
    page.wait_for_selector(f"#tool-{tool}.on")


def test_measuring_with_every_tool(page):
    page.click("#tool-angle")
    page.wait_for_selector("#tool-angle.on")
    click(page, "#cross", (0.3, 0.5), (0.5, 0.5), (0.5, 0.8))
    assert texts(page, "cross", 1) == ["90°"]
    choose(page, "a", "polygon")
    click(page, "#axial", (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
    page.keyboard.press("Enter")
    (area,) = texts(page, "axial", 1)
    assert "mm²" in area and "HU" in area and "±" in area
    choose(page, "o", "ellipse")
    drag(page, "#coronal", (0.4, 0.4), (0.6, 0.6))
    assert "mm²" in texts(page, "coronal", 1)[0]
    choose(page, "m", "length")
    drag(page, "#cpr", (0.2, 0.5), (0.5, 0.55))
    assert texts(page, "cpr", 1)[0].endswith("mm")
    choose(page, "o", "ellipse")
    drag(page, "#cpr", (0.2, 0.3), (0.5, 0.6))
    page.wait_for_function("document.querySelector('.problem')?.innerText.includes('straightened vessel')")
    page.keyboard.press("Escape")
    page.click("#tab-measures")
    page.wait_for_selector("#measure-3")
    page.click("#forget-0")
    page.wait_for_selector("#measure-3", state="detached")
    page.keyboard.press("l")
    page.wait_for_function("document.querySelector('#measures').innerText.includes('椭圆')")
    page.keyboard.press("l")
    page.click("#tab-findings")


def test_hu_and_ffr_under_the_pointer(page):
    page.mouse.move(*spot(page, "#cpr", 0.7, 0.5), steps=3)
    assert comes(page, r"HU · LAD · \d+ mm .*FFR 0\.\d\d \(0\.\d\d–[01]\.\d\d\)")
    page.mouse.move(*spot(page, "#axial", 0.02, 0.5), steps=3)
    page.wait_for_function("/^−?\\d+ HU$/.test(document.querySelector('#probe').innerText)")
    page.hover("#facts")
    page.wait_for_function("document.querySelector('#probe').innerText === ''")


def comes(page, pattern: str) -> bool:
    """What stands at the pointer. The interval is computed when it is first asked for, and an earlier place may be answered late; the pointer asks again."""
    for k in range(60):
        page.mouse.move(*spot(page, "#cpr", 0.7 + 0.001 * (k % 3), 0.5))
        if re.search(pattern, page.inner_text("#probe")):
            return True
        time.sleep(0.25)
    return False


def test_the_ffr_drop_on_the_curve(page):
    page.click("#lesion-0")
    choose(page, "f", "drop")
    click(page, "#curve", (0.2, 0.5), (0.8, 0.5))
    page.wait_for_function("/ΔFFR 0\\.\\d\\d .* mmHg/.test(document.querySelector('#drop')?.innerText)")
    assert page.locator("#curve .drop-letter").all_inner_texts() == ["A", "B"]
    page.keyboard.press("Escape")
    page.wait_for_selector("#drop", state="detached")


def test_the_brush_pushes_the_contour_and_keeps_it(page):
    page.click("#lesion-0")
    page.wait_for_timeout(300)
    page.keyboard.press("b")
    page.wait_for_selector("#brush.on")
    before = page.get_attribute("#cross polygon >> nth=0", "points")
    page.mouse.move(*spot(page, "#cross", 0.5, 0.5))
    page.wait_for_selector("#brush-ring", state="visible")
    drag(page, "#cross", (0.5, 0.5), (0.62, 0.5))
    page.wait_for_function("before => document.querySelector('#cross polygon').getAttribute('points') !== before", arg=before)
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#corrections')?.innerText.includes('lumen contour')")
    page.click("#undo")
    page.wait_for_function("document.querySelector('#corrections')?.innerText.includes('undone')")


def test_calcium_is_given_to_another_artery(page, root):
    page.click("#tab-calcium")
    page.select_option("#calcium-as-1", "LCx")
    page.wait_for_function("document.querySelector('#calcium').innerText.includes('LCx 80')")
    (edit,) = Case.open(root).calcium_edits()
    assert (edit.by, edit.before, edit.after) == ("Dr Li", "LAD", "LCx")
    page.click("#tab-findings")


def test_the_view_is_reset(page):
    page.select_option("#field", "30 mm")
    page.click("#curve", position={"x": 20, "y": 30})
    page.wait_for_timeout(400)
    page.click("#reset")
    page.wait_for_function("document.querySelector('#lesion-0.chosen') && document.querySelector('#field').value === 'whole'")
    assert json.dumps(page.inner_text("#place")).startswith('"LAD')


def test_a_picture_goes_into_the_report(page, root):
    page.mouse.move(*spot(page, "#coronal", 0.3, 0.3), steps=2)
    page.wait_for_timeout(200)
    page.keyboard.press("s")
    page.wait_for_selector("#conclusion")
    page.wait_for_function("document.querySelector('#conclusion').innerText.includes('coronal, LAD')")
    page.select_option("#picture-pane", "tree")
    page.fill("#picture-caption", "The tree")
    page.click("#take-picture")
    page.wait_for_function("document.querySelector('#conclusion').innerText.includes('The tree')")
    assert [one.caption.split(" ·")[0] for one in Case.open(root).reader().pictures] == ["coronal, LAD", "The tree"]
    page.fill("#impression", "Moderate stenosis.")
    page.locator("#impression").blur()
    page.wait_for_timeout(800)
    assert Case.open(root).reader().impression == "Moderate stenosis."
    page.keyboard.press("Escape")
    page.click("#tab-findings")
