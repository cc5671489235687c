"""Text that is part of the pixels: names and dates that no header rule can remove."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

from ccta.errors import BadInput
from ccta.reading.dicom_files import Image
from ccta.reading.dicom_series import read_slices_hu

SCREENS = ("SCREEN SAVE", "DOSE_INFO", "DOSE INFO", "PROTOCOL")
LETTERS_SEEN = "a line of letters is seen in its pixels"
LETTER_PX = (5, 60)  # height of a letter; smaller cannot be read, larger is a picture
MIN_LETTERS = 6  # on one line: leads, tubes and the table give fewer separate pieces of one height
AIR_HU, BRIGHT_HU = -300.0, -400.0  # of the surroundings, and of a letter: annotations are drawn at the display's white


def burned_in_reason(image: Image, look: bool) -> str:
    """'' or why text is to be expected in the pixels of this image: its header says so, or (with `look`) a line of letters is seen outside the body."""
    if image.text("BurnedInAnnotation").upper() == "YES":
        return "its header says that text is burned into the pixels"
    if any(word in image.text("ImageType").upper().replace("'", "") for word in SCREENS):
        return "it is a picture of a screen, with text burned into the pixels"
    if not look or image.text("Modality") != "CT" or image.truncated:
        return ""
    try:
        hu = read_slices_hu([image])[0]
    except BadInput:
        return "its pixels could not be looked at for text"
    return LETTERS_SEEN if text_lines(hu) else ""


def text_lines(hu: np.ndarray) -> int:
    """Number of lines of text in an image (rows, columns), HU: at least `MIN_LETTERS` separate bright pieces of one height on one base line, in air.

    Limits: text over the body is not told from bone; letters that touch are one piece. Seen text is certain enough to stop; unseen text is not excluded.
    """
    coarse = ndimage.median_filter(hu[::4, ::4], 9)  # 36 pixels: wider than a line of text is high
    air = (coarse < AIR_HU).repeat(4, 0).repeat(4, 1)[: hu.shape[0], : hu.shape[1]]
    pieces, count = ndimage.label((hu > BRIGHT_HU) & air, np.ones((3, 3)))
    if count == 0 or count > 20000:
        return 0
    boxes = [(rows.stop, rows.stop - rows.start, cols.start, cols.stop) for rows, cols in ndimage.find_objects(pieces)]
    letters = [box for box in boxes if LETTER_PX[0] <= box[1] <= LETTER_PX[1] and 1 <= box[3] - box[2] <= 1.5 * box[1]]
    lines = 0
    for base, height in sorted({(box[0], box[1]) for box in letters}):
        line = sorted(box[2:] for box in letters if box[0] == base and abs(box[1] - height) <= 1)
        gaps = [b[0] - a[1] for a, b in pairwise(line)]
        run = longest = 1
        for gap in gaps:
            run = run + 1 if 0 < gap <= 2 * height else 1
            longest = max(longest, run)
        lines += longest >= MIN_LETTERS
    return lines
