"""A reader who clicks at random: seeded events through the handlers of the page, as the browser's scripts would send them. No browser, nothing written."""

from __future__ import annotations

import asyncio
import inspect
import math
import random
from collections.abc import Iterator

from viewer.app.keys import KEYS
from viewer.app.room import ReadingRoom
from viewer.app.snapshot import PANES
from viewer.app.state import COLOURS, FIELDS_MM, MODES, WINDOWS
from viewer.app.surfaces import FLAT, MEASURED

SLICES = ("axial", "coronal", "sagittal")
CAMERA = {"position": [0.0, -300.0, 90.0], "focalPoint": [0.0, -130.0, 80.0], "viewUp": [0.0, 0.0, 1.0], "viewAngle": 30.0}
ODD = (-1e9, -0.2, 1.3, 1e9, math.nan, math.inf)
"""What no browser should send, and a broken one may."""


def events(seed: int, count: int, room: ReadingRoom) -> Iterator[tuple]:
    """`count` events (handler, its values)."""
    dice = random.Random(seed)
    place = lambda: dice.random() if dice.random() > 0.02 else dice.choice(ODD)  # noqa: E731
    keys = [name for key in KEYS for name in key.names]
    makers = (
        lambda: ("slice", dice.choice(SLICES), place(), place()),
        lambda: ("scroll", dice.choice(SLICES), dice.randint(-3, 3)),
        lambda: ("hover", place()),
        lambda: ("step", dice.randint(-10, 10)),
        lambda: ("turn_to", dice.randint(-90, 90), dice.randint(0, 3)),
        lambda: ("window_to", dice.randint(-80, 80), dice.randint(-80, 80), dice.randint(0, 3)),
        lambda: ("curve", place()),
        lambda: ("pick", {"worldPosition": [dice.uniform(-30, 30), dice.uniform(-160, -100), dice.uniform(50, 110)]}),
        lambda: ("lesion", dice.randrange(max(1, len(room.study.stenoses)))),
        lambda: ("vessel", dice.randrange(max(1, len(room.study.tree)))),
        lambda: ("stent", dice.randrange(max(1, len(room.study.stenoses)))),
        lambda: ("plan_stent", dice.choice(("", "mRCA:10-30:3.5", "l2", "aorta"))),
        lambda: ("key", dice.choice(keys)),
        lambda: ("mode", dice.choice(MODES)),
        lambda: ("stroke", dice.choice(MEASURED), place(), place(), place(), place(), dice.random() < 0.5),
        lambda: ("corner", dice.choice(MEASURED), place(), place()),
        lambda: ("corner_to", dice.choice(FLAT), place(), place()),
        lambda: ("close_outline",),
        lambda: ("drop_at", dice.choice(FLAT), place(), place()),
        lambda: ("probe", dice.choice((*MEASURED, "curve", "")), place(), place()),
        lambda: ("probe_tree", place(), place(), 1.3, CAMERA),
        lambda: ("measure", dice.randint(-1, 5)),
        lambda: ("forget", dice.randint(-1, 5)),
        lambda: ("draw", dice.choice(("lumen", "wall"))),
        lambda: ("brush",),
        lambda: ("brush_size", dice.choice((-1, 1))),
        lambda: ("push", place(), place(), place(), place()),
        lambda: ("handle", dice.randint(0, 9), place(), place()),
        lambda: ("calcium", dice.randint(0, 3)),
        lambda: ("take_picture", dice.choice((*PANES, "")), ""),
        lambda: ("choose_window", dice.choice(sorted(WINDOWS))),
        lambda: ("_field", dice.choice(sorted(FIELDS_MM))),
        lambda: ("_colour", dice.choice(COLOURS)),
        lambda: ("reset_view",),
        lambda: ("rotate_to", dice.choice(SLICES), dice.uniform(-90, 90), dice.randint(0, 3)),
        lambda: ("thicker", dice.choice((-5, 1, 5))),
        lambda: ("cpr", place(), place()),
        lambda: ("over_cpr", place()),
    )
    for _ in range(count):
        yield dice.choice(makers)()


def click(room: ReadingRoom, event: tuple) -> None:
    """One event; what the handler hands on is waited for."""
    name, *values = event
    answer = getattr(room, name)(*values)
    if inspect.isawaitable(answer):
        asyncio.run(_awaited(answer))


async def _awaited(answer) -> None:
    await answer


def settled(room: ReadingRoom) -> None:
    """Before and after a session the page is in the same state, so that memory can be compared."""
    room.escape()
    while room.reading.tools.measures:
        room.forget(-1)
    room.plan_stent("")
    room.reset_view()
    room.choose_window("cta")
