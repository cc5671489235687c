"""The reading page in a real browser: a click in any view moves every view; a refused case opens; nobody connects without the secret."""

import contextlib
import io
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion

from ccta.case import Case
from ccta.phases import keep_phases
from tests.ccta.example_findings import refused_findings
from tests.viewer.small_case import write_small_case
from tests.viewer.test_phases import Beat

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH (Debian: apt install chromium)")
SOFTWARE_GL = ["--no-sandbox", "--enable-unsafe-swiftshader"]
"""As Chromium draws by itself where there is no graphics card."""
SLICES = ("axial", "coronal", "sagittal")
HARMLESS = "405 (Method Not Allowed)"
"""trame's page first asks for a session launcher, which a single-user server does not have."""


@contextlib.contextmanager
def served(root, *options, quiet=True):
    """`ccta view` as a user starts it, on a port of its own choice; yields a way to the address it prints. Interrupted at the end, it must leave cleanly."""
    command = [sys.executable, "-c", "from ccta.cli.main import main; main()", "view", str(root), "--no-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def address() -> str:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+", line)
        assert found, line + process.stderr.read()
        return found.group()

    address.line = process.stdout.readline
    try:
        yield address
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 130), errors
        assert not quiet or "Traceback" not in errors
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Addresses of a small case and of a refused one; both servers start at the same time."""
    root = tmp_path_factory.mktemp("viewer")
    small = write_small_case(root / "small")
    keep_phases(Case.open(root / "small"), Beat(small.volume), 2, lambda *_: None)
    refused = Case.create(root / "refused")
    refused.write_volume("image", small.volume)
    refused.write_json("findings", refused_findings().model_dump_json())
    with served(root / "small") as first, served(root / "refused") as second:
        yield {"small": first(), "refused": second()}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE_GL)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def room(browser, addresses):
    """The open page of the small case, whose console must stay free of errors."""
    page, errors = opened(browser, addresses["small"])
    yield page
    assert errors == []


def watched(browser):
    """A new page of a laptop's size, and what its console calls errors."""
    page, errors = browser.new_page(viewport={"width": 1366, "height": 768}), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" and HARMLESS not in message.text else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page, errors


def opened(browser, address):
    page, errors = watched(browser)
    page.goto(address)
    page.wait_for_selector("#axial img")
    return page, errors


def shown(page) -> dict:
    """What each view shows now."""
    seen = {name: page.get_attribute(f"#{name} img", "src") for name in (*SLICES, "cross", "cpr")}
    seen |= {f"{name} cross-hair": page.inner_html(f"#{name} .overlay") for name in SLICES}
    marker = {name: float(page.get_attribute(f"#{name}-marker", "x1")) for name in ("cpr", "curve")}
    return {**seen, **marker, "place": page.inner_text("#place"), "row": page.eval_on_selector_all("tr.chosen", "rows => rows.map(row => row.id)")}


def click(page, selector, x=0.5, y=0.5) -> dict:
    """Clicks at a fraction of an element, waits for the slices to change, and says what is shown then."""
    before, box = page.get_attribute("#axial img", "src"), page.locator(selector).bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_function("before => document.querySelector('#axial img').src !== before", arg=before)
    time.sleep(0.2)
    return shown(page)


def at_the_first_lesion(page) -> dict:
    """Back to where the page began, the pointer on no view that follows it."""
    page.click("#lesion-0")
    page.wait_for_selector("#lesion-0.chosen")
    page.wait_for_timeout(300)
    return shown(page)


def test_the_second_lesion_moves_every_view(room):
    first = shown(room)
    assert first["place"].startswith("LAD · 16 mm") and first["row"] == ["lesion-0"]
    second = click(room, "#lesion-1")
    assert second["place"].startswith("RCA · 20 mm") and second["row"] == ["lesion-1"]
    assert [key for key in first if first[key] == second[key]] == []
    assert second["cpr"] == second["curve"]
    assert room.eval_on_selector("#vessel", "list => list.selectedOptions[0].text") == "RCA"


def test_a_click_on_the_curve_and_on_the_straightened_vessel(room):
    on_curve = click(room, "#curve", 0.25)
    assert on_curve["curve"] == pytest.approx(25, abs=1)
    on_vessel = click(room, "#cpr", 0.75)
    assert on_vessel["cpr"] == pytest.approx(75, abs=1)
    assert all(on_curve[name] != on_vessel[name] for name in (*SLICES, "cross", "place"))


def test_a_click_into_a_slice_follows_the_vessel(room):
    click(room, "#lesion-0")
    before = shown(room)
    line = room.locator("#coronal .overlay line").first
    x, y = float(line.get_attribute("x1")) / 100, float(line.get_attribute("y2")) / 100 + 0.025
    after = click(room, "#coronal", x - 0.05, y - 0.12)
    assert after["place"].startswith("LAD")
    assert after["axial"] != before["axial"] and after["curve"] < before["curve"] - 5


def test_a_click_on_the_tree_moves_there_but_a_drag_only_turns_it(room):
    room.wait_for_selector("#tree canvas")
    x, y = bright_place(room)
    at_the_first_lesion(room)
    click(room, "#lesion-1")
    after = click(room, "#tree", x, y)
    assert after["row"] == []
    box = room.locator("#tree").bounding_box()
    room.mouse.move(box["x"] + x * box["width"] - 60, box["y"] + y * box["height"])
    room.mouse.down()
    room.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
    room.mouse.up()
    time.sleep(0.5)
    assert shown(room) == after


def bright_place(page) -> tuple[float, float]:
    """A fraction of the tree's pane where the lumen is drawn, off the marker and far from its own first lesion."""
    for _ in range(50):
        image = np.asarray(Image.open(io.BytesIO(page.locator("#tree").screenshot())).convert("RGB"), int)
        blue = (image[..., 2] > image[..., 1] + 10) & (image[..., 2] > 90)
        blue[:, int(0.75 * blue.shape[1]) :] = False
        inside = np.argwhere(binary_erosion(blue, iterations=2))
        if len(inside):
            row, column = inside[len(inside) // 5]
            return (column + 0.5) / image.shape[1], (row + 0.5) / image.shape[0]
        time.sleep(0.2)
    raise AssertionError("the tree was not drawn")


def test_windows_fields_and_the_wheel_change_the_pictures(room):
    for name, value in (("window", "soft"), ("field", "30 mm")):
        before = room.get_attribute("#axial img", "src")
        room.select_option(f"#{name}", value)
        room.wait_for_function("before => document.querySelector('#axial img').src !== before", arg=before)
    for name in ("axial", "cpr"):
        before = room.get_attribute(f"#{name} img", "src")
        room.hover(f"#{name}", force=True)
        room.mouse.wheel(0, 100)
        room.wait_for_function("([name, before]) => document.querySelector(`#${name} img`).src !== before", arg=[name, before])
    room.select_option("#colour_by", "stenosis")
    room.wait_for_function("document.querySelector('.legend').innerText.includes('70 %')")


def test_a_stent_is_planned_and_taken_away(room):
    room.click("#stent-0")
    room.wait_for_selector("#planned", state="attached")
    assert float(room.inner_text("#after-0")) > 0.76 and room.inner_text("#stent-0").startswith("✓")
    room.fill("#plan", "mRCA:10-30:1.2")
    room.press("#plan", "Enter")
    room.wait_for_function("document.querySelector('.problem')?.innerText.includes('2 to 6 mm')")
    room.fill("#plan", "")
    room.press("#plan", "Enter")
    room.wait_for_selector("#planned", state="detached")
    assert room.locator(".problem").count() == 0


def test_a_refused_case_says_why(browser, addresses):
    page, errors = opened(browser, addresses["refused"])
    assert "too large for coronary arteries" in page.inner_text("#tree")
    assert "a contrast image is not scored" in page.inner_text("#facts")
    before = page.get_attribute("#coronal img", "src")
    box = page.locator("#axial").bounding_box()
    page.mouse.click(box["x"] + 50, box["y"] + 50)
    page.wait_for_function("before => document.querySelector('#coronal img').src !== before", arg=before)
    assert errors == []


def test_the_pointer_on_the_curve_takes_the_cross_section_along(room):
    before, box = at_the_first_lesion(room), room.locator("#curve").bounding_box()
    room.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 30)
    room.wait_for_function("before => document.querySelector('#cross img').src !== before", arg=before["cross"])
    during = shown(room)
    assert during["place"] != before["place"] and all(during[key] == before[key] for key in (*SLICES, "cpr", "curve"))
    room.hover("#facts")
    room.wait_for_function("before => document.querySelector('#place').innerText === before", arg=before["place"])


def test_the_vessel_turns_by_drag_and_a_tile_of_the_stack_goes_there(room):
    before, box = at_the_first_lesion(room), room.locator("#cpr").bounding_box()
    angle = lambda: int(re.search(r"(\d+)°", room.inner_text(".side .pane .name >> nth=0")).group(1))  # noqa: E731
    first = angle()
    room.mouse.move(box["x"] + 200, box["y"] + 30)
    room.mouse.down()
    room.mouse.move(box["x"] + 200, box["y"] + 70, steps=4)
    room.wait_for_function("before => document.querySelector('#cpr img').src !== before", arg=before["cpr"])
    room.mouse.up()
    room.wait_for_timeout(200)
    assert shown(room)["curve"] == before["curve"] and angle() == (first + 30) % 360
    assert "MLD" in room.inner_text("#tile-3")
    assert click(room, "#tile-5")["curve"] > before["curve"]


def test_keys_language_and_ruler(room):
    before = at_the_first_lesion(room)
    room.keyboard.press("ArrowRight")
    room.wait_for_function("before => Number(document.querySelector('#curve-marker').getAttribute('x1')) > before", arg=before["curve"])
    room.keyboard.press("d")
    room.wait_for_function("before => Number(document.querySelector('#curve-marker').getAttribute('x1')) === before", arg=before["curve"])
    room.keyboard.press("?")
    room.wait_for_selector("#sheet")
    room.keyboard.press("Escape")
    room.wait_for_selector("#sheet", state="detached")
    room.keyboard.press("l")
    room.wait_for_function("document.querySelector('#lesions').innerText.includes('狭窄')")
    room.fill("#plan", "l2")
    room.fill("#plan", "")
    room.locator("#plan").blur()
    room.click("#language")
    room.wait_for_function("document.querySelector('#lesions').innerText.includes('stenosis')")
    room.select_option("#field", "whole")
    room.keyboard.press("m")
    room.wait_for_selector(".hint")
    room.wait_for_timeout(200)
    box = room.locator("#axial").bounding_box()
    room.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    room.mouse.down()
    room.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
    room.wait_for_selector("#axial .mark.drawing", state="attached")
    room.mouse.up()
    room.wait_for_selector("#axial .mark:not(.drawing)", state="attached")
    assert float(room.inner_text("#axial .mark-text").split()[0]) == pytest.approx(24.0, abs=0.3)
    room.keyboard.press("Escape")
    room.keyboard.press("Delete")
    room.wait_for_selector(".mark-text", state="detached")


def test_slices_turn_thicken_and_follow_the_artery(room):
    before = at_the_first_lesion(room)
    grip, hair = room.locator("#axial .grip").first.bounding_box(), room.locator("#axial").bounding_box()
    room.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    room.mouse.down()
    room.mouse.move(grip["x"] + grip["width"] / 2 + 0.2 * hair["width"], grip["y"] + grip["height"] / 2, steps=5)
    room.mouse.up()
    room.wait_for_function("document.querySelector('.room').innerText.includes('turned sagittal')")
    turned = shown(room)
    assert turned["axial"] == before["axial"] and turned["coronal"] != before["coronal"] and turned["place"] == before["place"]
    assert turned["axial cross-hair"] != before["axial cross-hair"]
    room.keyboard.press("v")
    room.wait_for_selector("#along.on")
    room.keyboard.press("u")
    room.wait_for_selector("#upright", state="detached")
    room.select_option("#field", "whole")
    room.wait_for_function("thin => document.querySelector('#axial img').src === thin", arg=before["axial"])
    room.select_option("#slab", "mip")
    room.wait_for_function("thin => document.querySelector('#axial img').src !== thin", arg=before["axial"])
    room.select_option("#slab", "thin")
    room.wait_for_function("thin => document.querySelector('#axial img').src === thin", arg=before["axial"])


def test_the_curved_vessel_is_clicked_and_coloured_and_the_volume_is_drawn(room):
    before = at_the_first_lesion(room)
    room.keyboard.press("c")
    room.wait_for_selector("#cpr.curved")
    after = click(room, "#cpr", 0.2, 0.5)
    assert after["place"] != before["place"]
    room.keyboard.press("k")
    room.wait_for_selector("#plaque-legend")
    room.keyboard.press("k")
    room.keyboard.press("c")
    room.wait_for_selector("#cpr:not(.curved)")
    room.select_option("#scene", "volume")
    room.wait_for_function("document.querySelector('.problem') || document.querySelector('#preset')")
    assert "no heart or arteries" in room.inner_text(".problem"), "the small case holds no labels, and says so"
    room.keyboard.press("y")
    room.wait_for_function("document.querySelector('.problem')?.innerText.includes('no map')")
    at_the_first_lesion(room)


def test_a_phase_is_compared_and_all_are_played(room):
    before = at_the_first_lesion(room)
    room.select_option("#phase", "0")
    room.wait_for_selector("#twin-coronal img")
    assert room.get_attribute("#twin-axial img", "src") != before["axial"] and not room.is_visible("#tree") and not room.is_visible("#sagittal")
    box, first = room.locator("#twin-coronal").bounding_box(), room.get_attribute("#twin-axial img", "src")
    room.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    room.wait_for_function("before => document.querySelector('#axial img').src !== before", arg=before["axial"])
    room.wait_for_function("before => document.querySelector('#twin-axial img').src !== before", arg=first)
    seen = "() => { const s = (window.seen ||= new Set()); s.add(document.querySelector('#twin-axial img').src); return s.size >= 4; }"
    room.keyboard.press("g")
    room.wait_for_selector("#play.on")
    room.wait_for_function(seen)
    room.keyboard.press("g")
    room.wait_for_selector("#play:not(.on)")
    room.select_option("#phase", "-1")
    room.wait_for_selector("#twin-axial", state="detached")
    room.wait_for_selector("#tree canvas")


def test_everything_fits_into_a_laptops_window(room):
    """No text runs out of its place at 1366 x 768, and every pane is large enough to read."""
    wide = "els => els.filter(e => e.scrollWidth > e.clientWidth + 2).map(e => e.className + ' ' + e.innerText.slice(0, 30))"
    assert room.eval_on_selector_all(".rows, .facts, .tools, .side", wide) == []
    inside = room.eval_on_selector_all(
        ".pane, .rows, .bar > *", "els => els.every(e => { const b = e.getBoundingClientRect(); return b.right <= 1366 && b.bottom <= 768; })"
    )
    assert inside
    for name in (*SLICES, "cross", "cpr", "curve"):
        box = room.locator(f"#{name}").bounding_box()
        assert min(box["width"], box["height"]) >= 90, name


def test_without_the_secret_nobody_connects(browser, addresses):
    page = browser.new_page()
    answer = page.goto(addresses["small"].split("?")[0])
    assert answer.status == 403 and page.locator("#axial").count() == 0 and "ccta view" in page.inner_text("body")
    page.close()
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(addresses["small"])
    tab.wait_for_selector("#axial img")
    tab.reload()
    tab.wait_for_selector("#axial img")
    assert tab.request.get(addresses["small"].split("/index")[0] + "/report.html").status == 404
    context.close()
