"""A case read as a person would, in a real browser: the worst lesion, the vessel turned, one contour corrected, what changes, a sentence, the signed report."""

import io
import shutil

import pytest
from pypdf import PdfReader

from ccta.case import Case
from ccta.report import signing
from tests.viewer.test_browser import browser, opened, served  # noqa: F401  (browser is a fixture)

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on PATH (Debian: apt install chromium)")


def drag(page, selector: str, right: float, down: float) -> None:
    """Presses in the middle of an element, moves by pixels in steps as a hand does, and lets go."""
    box = page.locator(selector).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=6)
    page.wait_for_timeout(300)
    page.mouse.up()


SENTENCE = "Stenosis of the mid LAD, milder than first measured; no angiography."


def concluded(page) -> None:
    """A key picture, the question, a sentence, the signature."""
    page.click("#tab-conclusion")
    page.select_option("#picture-pane", "cpr")
    page.fill("#picture-caption", "Stenosis of the LAD, straightened")
    page.click("#take-picture")
    page.wait_for_function("document.querySelector('#conclusion').innerText.includes('Stenosis of the LAD, straightened')")
    page.fill("#indication", "Typical angina")
    page.fill("#impression", SENTENCE)
    page.locator("#impression").blur()
    page.wait_for_timeout(500)
    assert "Draft" in page.inner_text("#report-state")
    page.click("#sign")
    page.click("#sign-yes")
    page.wait_for_selector("#report-state.signed", timeout=300_000)
    assert "Version 1, signed by Dr Li" in page.inner_text("#report-state")


def test_a_case_is_read_corrected_and_reported(browser, phantom_case, tmp_path):  # noqa: F811
    root = shutil.copytree(phantom_case, tmp_path / "case")
    before = Case.open(root).findings()
    worst = max(range(len(before.stenoses)), key=lambda i: before.stenoses[i].diameter_pct)
    stenosis, ffr = before.stenoses[worst], before.ffr.lesions[worst].ffr
    with served(root) as address:
        page, errors = opened(browser, address())
        row = f"#lesion-{worst}"
        page.click(row)
        page.wait_for_selector(f"{row}.chosen")
        assert f"{stenosis.position_mm:.0f} mm" in page.inner_text("#place") and f"{stenosis.diameter_pct:.0f} %" in page.inner_text(row)
        assert "MLD" in page.inner_text("#tile-3")
        turned = page.get_attribute("#cpr img", "src")
        drag(page, "#cpr", 0, 40)
        page.wait_for_function("before => document.querySelector('#cpr img').src !== before", arg=turned)
        page.fill("#reader", "Dr Li")
        page.click("#draw-lumen")
        page.wait_for_selector("#handle-0")
        for handle, (right, down) in {0: (24, 0), 2: (0, 24), 4: (-24, 0), 6: (0, -24)}.items():
            drag(page, f"#handle-{handle}", right, down)
        curve = page.get_attribute("#ffr-curve", "d")
        page.click("#keep")
        page.wait_for_function("document.querySelector('#lesions').innerText.includes('†')")
        assert page.get_attribute("#ffr-curve", "d") != curve and "Dr Li" in page.inner_text("#corrections")
        page.wait_for_function("document.querySelector('#job').innerText.includes('Report and case')", timeout=300_000)
        marked = page.inner_text("tr.chosen")
        assert "†" in marked and f"{stenosis.diameter_pct:.0f} %" not in marked
        with page.expect_popup() as popup:
            page.click("#report")
        assert "Corrections by hand" in popup.value.inner_text("main") and "Dr Li" in popup.value.inner_text("main")
        concluded(page)
        assert errors == []
        page.close()
    found = Case.open(root).findings()
    changed = next(s for s in found.stenoses if abs(s.position_mm - stenosis.position_mm) < 4 and s.branch == stenosis.branch)
    assert changed.diameter_pct < stenosis.diameter_pct - 3
    assert found.ffr.lesions[found.stenoses.index(changed)].ffr > ffr + 0.01
    text = "".join(p.extract_text() for p in PdfReader(io.BytesIO(Case.open(root).path("report_pdf").read_bytes())).pages)
    assert "Corrections by hand" in text and "Dr Li" in text and "†" in text
    flat = " ".join(text.split())
    assert SENTENCE in flat and "Version 1, signed by Dr Li" in flat and "Typical angina" in flat and "Stenosis of the LAD, straightened" in flat
    assert signing.verify(Case.open(root)) == [] and Case.open(root).reader().last_report.by == "Dr Li"
