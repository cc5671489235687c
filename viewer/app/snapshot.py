"""Key pictures for the report: what a pane of the page shows now, with its contours, measurements and places, as PNG. Drawn from the page's state alone."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping

import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from viewer.app.marks import CLOSED_SIGN
from viewer.app.planes import AXES
from viewer.app.words import NotPossible
from viewer.scenes.tree_scene import RANGES, colours_of

PANES = (*AXES, "cross", "cpr", "curve", "tree")
"""What can be put into the report; the tree is drawn by the browser and comes from there."""
WIDTH = {"cpr": 1300, "curve": 1300}
SQUARE = 760
CURVE_HEIGHT = 420
LUMEN, WALL, HERE, MEASURED = "#6fc0f0", "#f0b849", "#5df29a", "#ffe27a"
MOST_BYTES = 8_000_000
"""Of a picture that the browser sends: a pane of a large screen takes a twentieth."""
CURVE_MARGIN = (60, 30, 60, 40)


def snapshot(state: Mapping, pane: str) -> bytes:
    """PNG of a pane. state: the page's state. NotPossible where the pane shows nothing."""
    if pane == "curve":
        return _png(_curve(state))
    address = state[f"{pane}_image"] if pane in PANES and pane != "tree" else ""
    if not address:
        raise NotPossible("nothing_to_show")
    image = Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1]))).convert("RGB")
    width = WIDTH.get(pane, SQUARE)
    height = round(width * image.height / image.width)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    pen = Pen(image)
    if pane in AXES:
        _slice_lines(pen, state[f"{pane}_drawn"])
        for (x, y), letter in zip(((1, 48), (96, 48), (49, 0.5), (49, 95)), state[f"{pane}_drawn"]["edges"], strict=True):
            pen.text(x, y, letter, "#c9a94e")
    if pane == "cross":
        for k, points in enumerate(state["contours"]):
            pen.path("M" + points + CLOSED_SIGN, WALL if k else LUMEN, dashed=bool(k))
    if pane == "cpr":
        _cpr_lines(pen, state)
    for mark in state[f"marks_{pane}"]:
        pen.path(mark["d"], MEASURED)
        pen.text(mark["x"], mark["y"], mark["text"], MEASURED, before=mark["before"])
    return _png(image)


def _slice_lines(pen: Pen, drawn: Mapping) -> None:
    """The cross-hair, and lumen and wall where the slice cuts them."""
    for x1, y1, x2, y2, colour in drawn["lines"]:
        pen.path(f"M{x1},{y1} L{x2},{y2}", colour, width=1)
    for name, colour in (("wall", WALL), ("lumen", LUMEN)):
        for path in drawn.get(name, "").split("M"):
            pen.path(path, colour, dashed=name == "wall")


def _cpr_lines(pen: Pen, state: Mapping) -> None:
    for k, path in enumerate(state["cpr_edges"]):
        pen.path(path, LUMEN if k < 2 else WALL, dashed=k >= 2)
    marks = state["cpr"]
    for start, length in marks["lesions"]:
        pen.path(f"M{start},99 L{start + length},99", WALL, width=4)
    if not state["views"]["curved"]:
        _places(pen, state)
    pen.path(f"M{marks['x']},0 L{marks['x']},12", HERE)
    pen.path(f"M{marks['x']},88 L{marks['x']},100", HERE)


def _places(pen: Pen, state: Mapping) -> None:
    for x, letter in zip(state["drop"]["x"], state["drop"]["letters"], strict=True):
        pen.path(f"M{x},0 L{x},100", MEASURED, dashed=True)
        pen.text(x, 88, letter, MEASURED)


def from_browser(address: str, state: Mapping) -> bytes:
    """PNG of the 3-D tree that the browser drew, with its colour scale; written anew, so that only a picture goes into the case. NotPossible otherwise."""
    try:
        if len(address) > MOST_BYTES:
            raise ValueError("too large")
        image = Image.open(io.BytesIO(base64.b64decode(address.split(",", 1)[1], validate=True)), formats=("PNG",)).convert("RGB")
    except (ValueError, IndexError, OSError) as error:
        raise NotPossible("no_picture") from error
    image = image.resize((SQUARE, max(1, round(SQUARE * image.height / image.width))), Image.Resampling.BICUBIC)
    pen, kind = Pen(image), state["colour_by"]
    low, high = RANGES[kind]
    for k, rgb in enumerate(colours_of(kind, np.linspace(high, low, 80))):
        pen.fill(95, 6 + 0.6 * k, 97, 6.6 + 0.6 * k, tuple(map(int, rgb)))
    for down, text in state["scale"]["marks"]:
        pen.text(94.5, 4.5 + 0.48 * down, text, "#dfe5ea", before=True)
    pen.text(98, 1.5, {"FFR": "FFR", "diameter": "Ø", "stenosis": "%", "burden": "%"}[kind], "#dfe5ea", before=True)
    return _png(image)


class Pen:
    """Draws SVG paths of a 0-100 box and texts on an image."""

    def __init__(self, image: Image.Image, box: tuple[int, int, int, int] | None = None):
        self._draw = ImageDraw.Draw(image)
        self._box = box or (0, 0, image.width, image.height)
        self._font = ImageFont.truetype(findfont("DejaVu Sans"), 17)

    def _at(self, places: np.ndarray) -> np.ndarray:
        left, top, right, bottom = self._box
        return np.array([left, top]) + places / 100 * [right - left, bottom - top]

    def path(self, path: str, colour: str, width: int = 2, dashed: bool = False) -> None:
        """Places are pairs of numbers, the path closed where it ends with the sign for it."""
        places = np.array([[float(x), float(y)] for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)])
        if len(places) < 2:
            return
        points = self._at(np.vstack([places, places[:1]]) if path.endswith(CLOSED_SIGN) else places)
        if not dashed:
            self._draw.line([tuple(point) for point in points], fill=colour, width=width)
            return
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        for start in np.arange(0.0, along[-1], 12.0):
            ends = np.linspace(start, min(start + 7.0, along[-1]), 3)
            dash = np.stack([np.interp(ends, along, points[:, axis]) for axis in range(2)], axis=1)
            self._draw.line([tuple(point) for point in dash], fill=colour, width=width)

    def text(self, x: float, y: float, text: str, colour: str, before: bool = False) -> None:
        """With a dark edge, beside a place."""
        left, top = self._at(np.array([x, y]))
        self._draw.multiline_text(
            (left + (-6 if before else 6), top + 4), text, fill=colour, font=self._font, anchor="ra" if before else "la", stroke_width=2, stroke_fill="black"
        )

    def fill(self, x0: float, y0: float, x1: float, y1: float, colour: str | tuple[int, int, int]) -> None:
        """A filled box."""
        self._draw.rectangle([tuple(self._at(np.array([x0, y0]))), tuple(self._at(np.array([x1, y1])))], fill=colour)


def _curve(state: Mapping) -> Image.Image:
    """The pullback curve with its axes, and the places of an FFR drop."""
    chart = state["chart"]
    if not chart["length_mm"]:
        raise NotPossible("nothing_to_show")
    width = WIDTH["curve"]
    image = Image.new("RGB", (width, CURVE_HEIGHT), "#0c1013")
    left, top, right, bottom = CURVE_MARGIN
    pen = Pen(image, (left, top, width - right, CURVE_HEIGHT - bottom))
    for start, length, name in chart["lesions"]:
        pen.fill(start, 0, start + length, 100, "#3a3320")
        pen.text(start, 88, name, WALL)
    if chart["ffr"]:
        pen.fill(0, chart["grey"][0], 100, chart["grey"][1], "#454c53")
    for name, colour, dashed in (("reference", LUMEN, True), ("diameter", LUMEN, False), ("planned", "#d58bff", True), ("ffr", "#ffffff", False)):
        pen.path(chart[name], colour, 3 if name == "ffr" else 2, dashed)
    for start, length, name in chart["segments"]:
        pen.path(f"M{start},0 L{start},100", "#4a545d", 1, True)
        pen.text(start + length / 2 - 2, 0, name if length > 6 else "", "#b8c4cf")
    for y, text in chart["ffr_ticks"]:
        pen.text(-0.5, y - 3, text, "#ffffff", before=True)
    for y, text in chart["mm_ticks"]:
        pen.text(100, y - 3, text, LUMEN)
    for x, text in chart["along_ticks"]:
        pen.text(x - 1, 100, text, "#8fa1b3")
    pen.text(-0.5, -8, "FFR" if chart["ffr"] else "", "#ffffff", before=True)
    pen.text(100, -8, "Ø mm", LUMEN)
    pen.text(101, 100, "mm", "#8fa1b3")
    _places(pen, state)
    if state["drop"]["text"]:
        pen.text(99, 2, state["drop"]["text"], MEASURED, before=True)
    return image


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()
