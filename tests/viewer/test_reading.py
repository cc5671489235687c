"""A case read as a person would, in a real browser and from the worklist: the worst lesion, the vessel turned, one contour corrected, what changes, a
sentence, the signature, the PDF.

The pictures of its steps go into the folder that the environment variable CCTA_PICTURES names, else into pytest's own.
"""

import io
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pypdf import PdfReader

from ccta.case import Case
from ccta.report import signing
from tests.viewer.server.conftest import free_port
from tests.viewer.small_case import write_drafted_case
from tests.viewer.test_browser import CHROMIUM, browser, watched  # noqa: F401  (browser is a fixture)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)")
PASSWORD = "a long sentence of words"
READER = "First administrator"
SENTENCE = "Stenosis of the mid LAD, milder than first measured; no angiography."


@contextmanager
def serving(folder):
    """`ccta serve FOLDER` as a person starts it; yields (address, one-time password)."""
    command = [sys.executable, "-c", "from ccta.cli.main import main; main()", "serve", str(folder), "--port", str(free_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://\S+", process.stdout.readline() or process.stderr.read()).group()
        yield address.rstrip("/"), next(found.group(1) for line in process.stderr if (found := re.search(r"one-time password (\S+)", line)))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def drag(page, selector: str, right: float, down: float) -> None:
    """Presses in the middle of an element, moves by pixels in steps as a hand does, and lets go."""
    box = page.locator(selector).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=6)
    page.wait_for_timeout(300)
    page.mouse.up()


def fill(page, **values) -> None:
    for name, value in values.items():
        page.fill(f"[name={name}]", value)


def signed_in(page, base, given) -> None:
    """With the password of the first start, which must be changed."""
    page.goto(base)
    fill(page, login="admin", password=given)
    page.click("button.main")
    fill(page, old=given, new=PASSWORD, again=PASSWORD)
    page.click("button.main")


def opened_from_the_worklist(page) -> None:
    """The line of the case found by its name."""
    page.fill("[name=text]", "nobody")
    page.wait_for_selector(".empty")
    page.fill("[name=text]", "stable")
    page.wait_for_selector("tr[data-study]")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and page.locator(".signed").count() == 0
    page.click("[data-do=open]")
    page.wait_for_selector("#axial img", timeout=300_000)
    assert "/view/" in page.url and page.input_value("#reader") == READER and page.is_disabled("#reader")


def corrected(page, row: str) -> tuple[str, str]:
    """The lumen at the narrowest place drawn wider; the lesion's row before and after, of which the second comes at once."""
    before, curve = page.inner_text(row), page.get_attribute("#ffr-curve", "d")
    page.click("#draw-lumen")
    page.wait_for_selector("#handle-0")
    for handle in range(8):
        angle = math.radians(45 * handle)
        drag(page, f"#handle-{handle}", 22 * math.cos(angle), 22 * math.sin(angle))
    page.click("#keep")
    page.wait_for_function("document.querySelector('#lesions').innerText.includes('†')")
    assert page.get_attribute("#ffr-curve", "d") != curve and READER in page.inner_text("#corrections")
    return before, page.inner_text("tr.chosen")


def concluded(page, picture) -> None:
    """A key picture, the question, a sentence, the signature, for which the stages after the correction are waited."""
    page.click("#tab-conclusion")
    page.select_option("#picture-pane", "cpr")
    page.fill("#picture-caption", "Stenosis of the LAD, straightened")
    page.click("#take-picture")
    page.wait_for_function("document.querySelector('#conclusion').innerText.includes('Stenosis of the LAD, straightened')")
    page.fill("#indication", "Typical angina")
    page.fill("#impression", SENTENCE)
    page.locator("#impression").blur()
    assert "Draft" in page.inner_text("#report-state")
    picture(page, "4-sentence")
    page.click("#sign")
    page.click("#sign-yes")
    page.wait_for_selector("#report-state.signed", timeout=600_000)
    assert f"Version 1, signed by {READER}" in page.inner_text("#report-state")
    page.evaluate("document.querySelector('.rows').scrollTop = 0")
    picture(page, "5-signed")


def left(page, view: str, base: str) -> None:
    """Out of the viewer, on a tablet, and logged out: the viewer's address is of no use any more."""
    page.set_viewport_size({"width": 820, "height": 1180})
    page.wait_for_selector("tr[data-study]")
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")  # once it is laid out anew
    page.click("#log_out")
    page.wait_for_url("**/login")
    page.goto(view)
    assert page.url.endswith("/login") and page.locator("#axial").count() == 0


def curve_of(page) -> np.ndarray:
    """(N, 2) the FFR curve as drawn, in percent of the chart."""
    return np.array(re.findall(r"([\d.]+),([\d.]+)", page.get_attribute("#ffr-curve", "d")), float)


def percent_and_ffr(row: str) -> tuple[float, float]:
    """Degree of stenosis and FFR behind it, as a row of the table shows them."""
    return float(re.search(r"(\d+) %", row).group(1)), float(re.search(r"0\.\d\d", row).group())


def test_a_case_is_read_from_the_worklist_to_the_signed_pdf(browser, phantom_case, tmp_path):  # noqa: F811
    root = shutil.copytree(phantom_case, tmp_path / "cases" / "stable")
    steps = Path(os.environ.get("CCTA_PICTURES", tmp_path))
    picture = lambda page, name: page.screenshot(path=steps / f"{name}.jpg", type="jpeg", quality=72)  # noqa: E731
    before = Case.open(root).findings()
    worst = max(range(len(before.stenoses)), key=lambda i: before.stenoses[i].diameter_pct)
    stenosis, row = before.stenoses[worst], f"#lesion-{worst}"
    with serving(root.parent) as (base, given):
        page, errors = watched(browser)
        signed_in(page, base, given)
        opened_from_the_worklist(page)
        page.click(row)
        page.wait_for_selector(f"{row}.chosen")
        assert f"{stenosis.position_mm:.0f} mm" in page.inner_text("#place") and f"{stenosis.diameter_pct:.0f} %" in page.inner_text(row)
        assert "MLD" in page.inner_text("#tile-3")
        page.wait_for_selector("#tree canvas")
        picture(page, "1-worst-lesion")
        turned = page.get_attribute("#cpr img", "src")
        drag(page, "#cpr", 0, 40)
        page.wait_for_function("before => document.querySelector('#cpr img').src !== before", arg=turned)
        picture(page, "2-turned")
        first, then = map(percent_and_ffr, corrected(page, row))
        assert then[0] < first[0] - 3 and then[1] > first[1]
        picture(page, "3-corrected")
        view, at_once = page.url, curve_of(page)
        page.reload()
        page.wait_for_selector(f"{row}.chosen")
        concluded(page, picture)
        assert np.abs(curve_of(page) - at_once).max() < 0.5, "the flow stage gives the curve that was shown at once (percent of the chart)"
        page.goto(base)
        page.wait_for_selector(".signed")
        assert READER in page.inner_text(".signed")
        picture(page, "6-worklist")
        pdf = page.request.get(base + page.get_attribute("a[href$='report.pdf']", "href")).body()
        left(page, view, base)
        assert errors == []
        page.close()
    found = Case.open(root).findings()
    changed = next(s for s in found.stenoses if abs(s.position_mm - stenosis.position_mm) < 4 and s.branch == stenosis.branch)
    assert changed.diameter_pct < stenosis.diameter_pct - 3
    assert found.ffr.lesions[found.stenoses.index(changed)].ffr > before.ffr.lesions[worst].ffr + 0.01
    text = " ".join("".join(p.extract_text() for p in PdfReader(io.BytesIO(pdf)).pages).split())
    told = ("Corrections by hand", READER, "†", SENTENCE, f"Version 1, signed by {READER}", "Typical angina", "Stenosis of the LAD, straightened")
    assert [one for one in told if one not in text] == []
    assert signing.verify(Case.open(root)) == [] and Case.open(root).reader().last_report.by == READER


def test_a_person_signs_on_the_worklist(browser, tmp_path):  # noqa: F811
    write_drafted_case(tmp_path / "cases" / "one")
    with serving(tmp_path / "cases") as (base, given):
        page, errors = watched(browser)
        signed_in(page, base, given)
        page.wait_for_selector("tr[data-study]")
        page.click("[data-do=sign]")
        assert page.inner_text("[data-do=sign]") == "Yes, sign" and page.locator(".signed").count() == 0
        page.click("[data-do=sign]")
        page.wait_for_selector(".signed")
        assert f"signed by {READER}" in page.inner_text(".signed") and page.locator("[data-do=sign]").count() == 0
        assert errors == []
        page.close()
