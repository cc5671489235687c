"""`make bench-viewer`: how quick the reading page is in a real Chromium on this machine, each figure beside its goal.

`python -m tests.benchmarks.viewer [CASE]`: a case that `ccta analyse` made; without one, the demo phantom (seed 1) is made and analysed first (some
minutes). Browser and server share the machine. Events are those of a pointer, sent inside the page; a view counts as shown when its picture is decoded and
the browser has drawn twice since. Between two clicks lie 0.7 s, as between a reader's; the marker on the 3-D tree comes after the other views and is not
waited for.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ccta.case import Case
from ccta.cli.console import print_table

GOALS = {"first": 4.0, "interactive": 8.0, "click_ms": 200.0, "mpr_fps": 12.0, "slab_fps": 12.0, "cpr_fps": 15.0, "memory_gib": 1.0}
SLAB_MM = 30
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
CLICKS, DRAG_S = 25, 4.0

CLICK = """async ([selector, x, y]) => {
  await new Promise(done => setTimeout(done, 700));
  const pictures = ['axial', 'coronal', 'sagittal', 'cross'].map(name => document.querySelector(`#${name} img`));
  const marker = document.querySelector('#curve-marker'), before = pictures.map(picture => picture.src), at = marker.getAttribute('x1');
  const element = document.querySelector(selector), box = element.getBoundingClientRect();
  const spot = { bubbles: true, button: 0, clientX: box.left + x * box.width, clientY: box.top + y * box.height };
  const started = performance.now();
  element.dispatchEvent(new PointerEvent('pointerdown', spot));
  element.dispatchEvent(new PointerEvent('pointerup', spot));
  element.dispatchEvent(new MouseEvent('click', spot));
  while (pictures.some((picture, i) => picture.src === before[i]) || marker.getAttribute('x1') === at) {
    await new Promise(requestAnimationFrame);
    if (performance.now() - started > 10000) return -1;
  }
  await Promise.all(pictures.map(picture => picture.decode().catch(() => null)));
  await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""
THICKNESS = """mm => { const slider = document.querySelector('#thickness'); slider.value = mm;
  slider.dispatchEvent(new Event('change', { bubbles: true })); }"""
DRAG = """async ([selector, watched, seconds, right, down]) => {
  const element = document.querySelector(selector), picture = document.querySelector(watched), box = element.getBoundingClientRect();
  let frames = 0;
  const seen = new MutationObserver(() => picture.decode().then(() => { frames += 1; }).catch(() => null));
  seen.observe(picture, { attributes: true, attributeFilter: ['src'] });
  const middle = [box.left + box.width / 2, box.top + box.height / 2];
  const at = (k) => ({ bubbles: true, button: 0, clientX: middle[0] + right * Math.sin(k / 20), clientY: middle[1] + down * Math.sin(k / 20) });
  const started = performance.now();
  element.dispatchEvent(new PointerEvent('pointerdown', at(0)));
  for (let k = 1; performance.now() - started < 1000 * seconds; k += 1) {
    document.dispatchEvent(new PointerEvent('pointermove', at(k)));
    await new Promise(done => setTimeout(done, 16));
  }
  const took = (performance.now() - started) / 1000, shown = frames;
  document.dispatchEvent(new PointerEvent('pointerup', at(0)));
  await new Promise(done => setTimeout(done, 500));
  seen.disconnect();
  return shown / took;
}"""


def demo_case(folder: Path) -> Path:
    """The demo phantom, analysed with the reduced flow model."""
    for words in (("phantom", folder / "study", "--seed", "1"), ("analyse", folder / "study", folder / "case", "--flow", "rom")):
        subprocess.run([sys.executable, "-m", "ccta.cli.main", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return folder / "case"


def started(root: Path) -> tuple[subprocess.Popen, str]:
    """The server of `ccta view`, and the address that it prints."""
    command = [sys.executable, "-m", "ccta.cli.main", "view", str(root), "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return server, re.search(r"http://\S+", server.stdout.readline()).group()


def memory_gib(server: subprocess.Popen) -> float:
    """Peak resident memory of the server."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text()).group(1)) / 1024**2


def cpu_s(server: subprocess.Popen) -> float:
    """Processor time of the server so far."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(page: Page, address: str, server: subprocess.Popen) -> dict[str, float]:
    """Everything but the memory."""
    begun = time.monotonic()
    page.goto(address)
    page.wait_for_selector("#axial img")
    page.evaluate("document.querySelector('#axial img').decode()")
    found = {"first": time.monotonic() - begun}
    page.wait_for_selector("#tree canvas")
    page.evaluate(CLICK, ["#curve", 0.3, 0.5])
    found["interactive"] = time.monotonic() - begun
    page.wait_for_timeout(1000)
    spent = cpu_s(server)
    clicks = [page.evaluate(CLICK, ["#curve", 0.1 + 0.8 * ((7 * k) % CLICKS) / CLICKS, 0.5]) for k in range(CLICKS)]
    found["click_cpu_ms"] = 1000 * (cpu_s(server) - spent) / CLICKS
    rows = [page.evaluate(CLICK, [f"#lesion-{k % 2}", 0.2, 0.5]) for k in range(6)] if page.locator("#lesion-1").count() else []
    found["click_ms"], found["rows_ms"] = statistics.median(clicks), statistics.median(rows) if rows else float("nan")
    found["worst_ms"] = max(clicks)
    spent = cpu_s(server)
    found["cpr_fps"] = page.evaluate(DRAG, ["#cpr", "#cpr img", DRAG_S, 0, 60])
    found["cpr_cpu_ms"] = 1000 * (cpu_s(server) - spent) / max(1.0, found["cpr_fps"] * DRAG_S)
    found["mpr_fps"], found["mpr_cpu_ms"] = dragged(page, server)
    page.select_option("#slab", "mip")
    page.evaluate(THICKNESS, SLAB_MM)
    page.wait_for_function("mm => document.querySelector('.viewbar .number').innerText.startsWith(`${mm} `)", arg=SLAB_MM)
    found["slab_fps"], found["slab_cpu_ms"] = dragged(page, server)
    with_everything(page)
    return found


def dragged(page: Page, server: subprocess.Popen) -> tuple[float, float]:
    """Pictures a second, and the server's processor time for each of them, while the cross-hair is dragged through a slice."""
    spent = cpu_s(server)
    fps = page.evaluate(DRAG, ["#axial", "#coronal img", DRAG_S, 60, 40])
    return fps, 1000 * (cpu_s(server) - spent) / max(1.0, fps * DRAG_S)


def with_everything(page: Page) -> None:
    """Both maps of the network, plaque, the curved vessel, every kind of volume rendering: what takes memory."""
    for field, values in (("network", ("probability", "uncertainty")), ("scene", ("both",)), ("preset", ("vessels", "boneless", "all", "heart"))):
        for value in values:
            page.select_option(f"#{field}", value)
            page.wait_for_function("!document.querySelector('.problem')")
            page.wait_for_timeout(3000)
            page.evaluate(CLICK, ["#curve", 0.31 + 0.1 * len(value) / 12, 0.5])
    page.wait_for_selector("#volume img")
    for name in ("plaque", "curved"):
        page.click(f"#{name}")
        page.wait_for_timeout(1500)


def main() -> None:
    """Prints the table."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        raise SystemExit("no Chromium on PATH; install it (Debian: apt install chromium)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else demo_case(Path(folder))
        shape = Case.open(root).read_volume("image", pixels=False).array.shape
        server, address = started(root)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
                found = measured(browser.new_page(viewport={"width": 1366, "height": 768}), address, server)
                found["memory_gib"] = memory_gib(server)
                browser.close()
        finally:
            server.terminate()
            server.wait()
    told(found, shape)


def told(found: dict[str, float], shape: tuple) -> None:
    """The table of figures and goals."""
    below = [("first", "first image after opening the address, s"), ("interactive", "tree drawn and first click answered, s")]
    below += [("click_ms", "click on the curve to all linked views, median ms"), ("memory_gib", "server memory with volume and maps, peak GiB")]
    above = [("cpr_fps", "straightened vessel turned by drag, frames/s"), ("mpr_fps", "cross-hair dragged through a slice, frames/s")]
    above += [("slab_fps", f"the same through maximum intensity slabs of {SLAB_MM} mm, frames/s")]
    rows = [[text, f"{found[key]:.2f}", f"<= {GOALS[key]:g}", "met" if found[key] <= GOALS[key] else "MISSED"] for key, text in below]
    rows += [[text, f"{found[key]:.1f}", f">= {GOALS[key]:g}", "met" if found[key] >= GOALS[key] else "MISSED"] for key, text in above]
    rows += [
        ["click on another stenosis to all linked views, median ms", f"{found['rows_ms']:.0f}", "", ""],
        ["slowest click, ms", f"{found['worst_ms']:.0f}", "", ""],
        ["processor time of the server for a click, ms", f"{found['click_cpu_ms']:.0f}", "", ""],
        ["the same for a drag through thin slices and slabs, ms", f"{found['mpr_cpu_ms']:.0f}, {found['slab_cpu_ms']:.0f}", "", ""],
        ["processor time of the server for a turned picture, ms", f"{found['cpr_cpu_ms']:.0f}", "", ""],
    ]
    print_table(f"Reading page, {' x '.join(map(str, shape))}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", ["figure", "measured", "goal", ""], rows)


if __name__ == "__main__":
    main()
