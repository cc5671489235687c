"""Names that readers give to the coronary arteries."""

from __future__ import annotations

import re
from pathlib import Path

from ccta.errors import BadInput
from ccta.model import VESSELS

NAMES = (
    ("LM", r"left[ _-]*main|^lm(ca)?$|left[ _-]*coronary([ _-]*artery)?$|^lca$"), ("LAD", r"\blad\b|anterior[ _-]*desc|diagonal"),
    ("LCx", r"\blc?x\b|\bcx\b|circumflex|marginal"), ("RCA", r"\brca\b|right[ _-]*coronary"),
)  # fmt: skip
"""Spellings of the arteries; COCA calls the left main "Left Coronary Artery"."""


def artery_number(name: str, path: Path) -> int:
    """1-4 by the name of a region; BadInput for a name of no artery."""
    for artery, pattern in NAMES:
        if re.search(pattern, name.strip(), re.I):
            return VESSELS.index(artery) + 1
    raise BadInput(f"{path} has a region named {name!r}, which is none of LM, LAD, LCx, RCA; rename it or take it out")
