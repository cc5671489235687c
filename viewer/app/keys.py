"""Hot keys: one table, from which the page's help sheet is drawn and its keys are understood."""

from __future__ import annotations

from dataclasses import dataclass

from viewer.app.state import WINDOWS


@dataclass(frozen=True)
class Key:
    """names: as the browser calls them (with "ctrl+" and "shift+" before), shown: on the sheet, word: key of `viewer.app.words`.

    action: name of a handler of the page, and its arguments, one per name.
    """

    names: tuple[str, ...]
    shown: str
    word: str
    action: str
    values: tuple[tuple, ...]


KEYS = (
    Key(tuple("12345"), "1–5", "key_windows", "choose_window", tuple((name,) for name in WINDOWS)),
    Key(("arrowleft", "arrowright", "shift+arrowleft", "shift+arrowright"), "← →", "key_along", "step", ((-1,), (1,), (-10,), (10,))),
    Key(("arrowdown", "arrowup"), "↓ ↑", "key_lesions", "next_lesion", ((1,), (-1,))),
    Key(("d",), "D", "key_tightest", "tightest", ((),)),
    Key(("[", "]"), "[ ]", "key_turn", "turn", ((-15,), (15,))),
    Key(("e",), "E", "key_lumen", "draw", (("lumen",),)),
    Key(("w",), "W", "key_wall", "draw", (("wall",),)),
    Key(("enter",), "Enter", "key_keep", "keep", ((),)),
    Key(("escape",), "Esc", "key_escape", "escape", ((),)),
    Key(("ctrl+z", "ctrl+shift+z", "ctrl+y"), "Ctrl Z", "key_undo", "history", (("undo",), ("redo",), ("redo",))),
    Key(tuple("mnao"), "M N A O", "key_measure", "mode", (("length",), ("angle",), ("polygon",), ("ellipse",))),
    Key(("b",), "B", "key_brush", "brush", ((),)),
    Key(("f",), "F", "key_drop", "mode", (("drop",),)),
    Key(("delete",), "Del", "key_forget", "forget", ((),)),
    Key(("p",), "P", "key_point", "mode", (("point",),)),
    Key(("i",), "I", "key_slab", "next_choice", (("slab",),)),
    Key((",", "."), ", .", "key_thickness", "thicker", ((-1,), (1,))),
    Key(("v",), "V", "key_along_artery", "along", ((),)),
    Key(("u",), "U", "key_upright", "upright", ((),)),
    Key(("x",), "X", "key_outlines", "switch", (("outlines",),)),
    Key(("c",), "C", "key_curved", "switch", (("curved",),)),
    Key(("k",), "K", "key_plaque", "switch", (("plaque",),)),
    Key(("y",), "Y", "key_network", "next_choice", (("network",),)),
    Key(("t",), "T", "key_scene", "next_choice", (("scene",),)),
    Key(("g",), "G", "key_play", "play", ((),)),
    Key(("s",), "S", "key_picture", "take_picture", ((),)),
    Key(("r",), "R", "key_reset", "reset_view", ((),)),
    Key(("l",), "L", "key_language", "switch_language", ((),)),
    Key(("?", "shift+?", "h"), "? H", "key_help", "toggle_help", ((), (), ())),
)
MOUSE = ("mouse_left", "mouse_right", "mouse_wheel", "mouse_over", "mouse_ends")


def meaning(name: str) -> tuple[str, tuple] | None:
    """(handler, its arguments) of a key as the browser names it; None where it means nothing."""
    return next(((key.action, key.values[key.names.index(name)]) for key in KEYS if name in key.names), None)


def sheet() -> list[list[str]]:
    """(keys, word) and (word, word) rows of the help sheet."""
    return [[key.shown, key.word] for key in KEYS]
