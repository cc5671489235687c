"""Which case of a public data set belongs to which split, from the table that comes with it: CSV, a worksheet (XLSX), or a list of names."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from ccta.errors import BadInput

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
MAX_BYTES = 64 * 2**20  # of one part of a worksheet; a table of a thousand cases has some ten thousand


def split_table(path: Path, key: str, column: str, delimiter: str = ",") -> dict[str, str]:
    """{case name: train, val, test} from the columns `key` and `column` of a CSV or XLSX file. Raises BadInput where it has no such columns or words."""
    rows = _rows(path, delimiter)
    header = [name.strip() for name in rows[0]] if rows else []
    if key not in header or column not in header:
        raise BadInput(f"{path} has the columns {header[:8]}; a table of splits needs {key} and {column}. Copy the data set's own table again.")
    found = {}
    for row in rows[1:]:
        cells = dict(zip(header, row, strict=False))
        word = cells.get(column, "").strip().lower()
        if word and word not in SPLITS:
            raise BadInput(f"{path} puts {cells.get(key)} into {word!r}; known are training, validation and testing.")
        if word:
            found[re.sub(r"\.0$", "", cells.get(key, "").strip())] = SPLITS[word]
    return found


def name_lists(folder: Path) -> dict[str, str]:
    """{case name: split} from train.txt, val.txt and test.txt; what exclude.txt names is in "excluded"."""
    found = {}
    for split in ("train", "val", "test", "exclude"):
        path = folder / f"{split}.txt"
        for name in _text(path).split() if path.is_file() else ():
            found[name] = "excluded" if split == "exclude" else split
    return found


def _rows(path: Path, delimiter: str) -> list[list[str]]:
    if path.suffix.lower() != ".xlsx":
        return list(csv.reader(io.StringIO(_text(path)), delimiter=delimiter))
    try:
        with zipfile.ZipFile(path) as book:
            return _worksheet(book)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, ValueError, IndexError) as error:
        raise BadInput(f"{path} cannot be read as a worksheet ({error}); save it as CSV under the same name.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text ({error}); copy it again.") from error


def _worksheet(book: zipfile.ZipFile) -> list[list[str]]:
    """The first worksheet of an Office Open XML workbook (ECMA-376), cells as text; numbers as they are stored."""
    shared = []
    if "xl/sharedStrings.xml" in book.namelist():
        shared = ["".join(part.text or "" for part in item.iter() if part.tag.endswith("}t")) for item in _part(book, "xl/sharedStrings.xml")]
    rows = []
    for row in _part(book, "xl/worksheets/sheet1.xml").iter():
        if row.tag.endswith("}row"):
            cells = {_column(cell.get("r", "A1")): _cell(cell, shared) for cell in row if cell.tag.endswith("}c")}
            rows.append([cells.get(n, "") for n in range(max(cells, default=-1) + 1)])
    return rows


def _part(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > MAX_BYTES:
        raise ValueError(f"{name} claims {book.getinfo(name).file_size / 1e6:.0f} MB")
    return ElementTree.fromstring(book.read(name))


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    text = "".join(part.text or "" for part in cell.iter() if part.tag.endswith(("}v", "}t")))
    return shared[int(text)] if cell.get("t") == "s" and text else text


def _column(place: str) -> int:
    """0 for A7, 27 for AB7."""
    number = 0
    for letter in re.sub(r"[^A-Z]", "", place)[:3]:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
