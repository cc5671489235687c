"""Values of header elements as Python text and numbers, whatever the element holds."""

from __future__ import annotations

import math
import re


def finite(value) -> float | None:
    """A finite number, or None for anything else (absent, text, several values, infinite)."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def readable(text: str) -> str:
    """Text without padding; where non-ASCII bytes were declared as nothing (pydicom then reads them as Latin-1), UTF-8 or GB18030 if they are that.

    GB text is taken for granted only where every run of high bytes is even and lies in the range of GB 2312 (0xA1-0xF7): "Müller" is left alone.
    """
    text = re.sub(r"[\0-\x1f\x7f]+", " ", text).strip()  # no control character of a header reaches a terminal or a report
    if text.isascii():
        return text
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        return text  # decoded by its own character set
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    runs = re.findall(rb"[\x80-\xff]+", raw)
    chinese = all(len(run) % 2 == 0 and all(0xA1 <= byte <= 0xFE for byte in run) and all(byte <= 0xF7 for byte in run[::2]) for run in runs)
    return raw.decode("gb18030", errors="replace") if chinese else text
