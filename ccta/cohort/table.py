"""The researcher's table of studies: read, and checked whole before anything starts. An error names row and column in one sentence."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ccta.cohort.pacs import is_query, name_of, query_of
from ccta.cohort.storage import is_remote
from ccta.errors import BadInput, BadSettings
from ccta.settings import Settings, settings_from

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
NOTE = "note."
TRUE_FALSE = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


CHOICES = {
    "flow.model": ("rom", "3d", "pulsatile", "3d-pulsatile"),
    "flow.rest_flow_law": ("allometric", "per_gram"),
    "flow.solver": ("everyday", "reference"),
    "measure.plaque_thresholds": ("fixed", "adapted"),
}
"""Settings that are one of a few words."""


@dataclass(frozen=True)
class Column:
    """A column with a meaning of its own: the setting that it fills ("" for none), the smallest and largest value, and what it is."""

    setting: str
    least: float
    most: float
    what: str


COLUMNS = {
    "systolic_mmhg": Column("flow.systolic_mmhg", 60, 300, "cuff pressure, mmHg"),
    "diastolic_mmhg": Column("flow.diastolic_mmhg", 30, 200, "cuff pressure, mmHg"),
    "heart_rate_bpm": Column("", 20, 250, "beats a minute; kept in the tables, the flow models do not use it"),
    "haematocrit": Column("flow.haematocrit", 0.1, 0.65, "a fraction"),
    "height_cm": Column("flow.height_cm", 50, 250, "cm"),
    "weight_kg": Column("flow.weight_kg", 10, 400, "kg"),
}
ALIASES = {"systolic": "systolic_mmhg", "diastolic": "diastolic_mmhg", "heart_rate": "heart_rate_bpm", "hematocrit": "haematocrit"}


@dataclass(frozen=True)
class Study:
    """One row. source: local path, fsspec address or PACS query. settings: {table: {key: value}} beyond the defaults. given: numbers of the patient, and notes.

    stamp: (files, bytes, newest change) of a local input when the table was read.
    """

    id: str
    source: str
    settings: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)
    stamp: list = field(default_factory=list)

    @property
    def settings_toml(self) -> str:
        """The settings as the text of a case.toml."""
        blocks = (f"[{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) for table, keys in self.settings.items() if keys)
        return "\n".join(blocks)

    @property
    def fingerprint(self) -> str:
        """Changes with the row, its settings, and the size or date of a local input."""
        return hashlib.sha256(json.dumps([self.source, self.settings, self.stamp], sort_keys=True).encode()).hexdigest()[:24]


def read_table(path: Path, base: dict | None = None) -> tuple[Study, ...]:
    """The studies of a CSV file with commas or semicolons. base: settings under all rows, {table: {key: value}}. BadInput, with row and column."""
    rows = _rows(Path(path))
    _check_header(list(rows[0][1]), path)
    studies = tuple(_study(f"row {number}", row, Path(path).parent, base or {}) for number, row in rows)
    seen: dict[str, int] = {}
    for (number, _), study in zip(rows, studies, strict=True):
        if study.id.lower() in seen:
            raise BadInput(f"row {number}, column id: {study.id!r} is the name of row {seen[study.id.lower()]} too; give every study a name of its own")
        seen[study.id.lower()] = number
    return studies


def settings_of_words(words: dict[str, str]) -> dict:
    """{"flow.model": "rom"} as settings for all rows. BadInput for what is no setting."""
    _check_header(["path", *words], Path("--set"), "--set")
    settings: dict = {}
    for name, text in words.items():
        if name in ("path", "id") or name.startswith(NOTE):
            raise BadInput(f"--set, column {name}: it belongs to one study; give it in the table")
        _put(settings, COLUMNS[name].setting if name in COLUMNS else name, _number("--set", name, text) if name in COLUMNS else _setting("--set", name, text))
    _check_settings("--set", settings)
    return settings


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line of the file, cells by column) of each study."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as a CSV table ({error}); give a table in UTF-8 with a column `path`") from error
    head = text.split("\n", 1)[0]
    lines = list(csv.reader(text.splitlines(), delimiter=";" if head.count(";") > head.count(",") else ","))
    names = [name.strip() for name in lines[0]] if lines else []
    names = [ALIASES.get(name, name) for name in names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BadInput(f"row 1, column {repeated[0]}: {path} has it twice; keep one")
    for number, line in enumerate(lines[1:], 2):
        if line and len(line) != len(names):
            raise BadInput(f"row {number} of {path} has {len(line)} cells, its header has {len(names)}; correct the row")
    rows = [(n, dict(zip(names, (cell.strip() for cell in line), strict=True))) for n, line in enumerate(lines[1:], 2) if any(cell.strip() for cell in line)]
    if not rows:
        raise BadInput(f"{path} holds no studies; give a header and a row per study")
    return rows


def _check_header(names: list[str], path: Path, place: str = "row 1") -> None:
    tables = {name: {f.name for f in dataclasses.fields(kind)} for name, kind in _tables().items()}
    for name in names:
        table, _, key = name.partition(".")
        if name in ("path", "id") or name in COLUMNS or name.startswith(NOTE) or key in tables.get(table, ()):
            continue
        if table in tables and key:
            raise BadInput(f"{place}, column {name}: {table} has no setting {key!r}; it has {', '.join(sorted(tables[table]))}")
        known = ", ".join(("path", "id", *COLUMNS))
        raise BadInput(f"{place}, column {name}: not known; the columns are {known}, note.ANYTHING, and settings as table.key with {', '.join(tables)}")
    if "path" not in names:
        raise BadInput(f"row 1: {path} has no column `path`; name there the folder, file or address of each study")


def _tables() -> dict[str, type]:
    """The settings tables and their types."""
    return {f.name: type(getattr(Settings(), f.name)) for f in dataclasses.fields(Settings)}


def _study(place: str, row: dict[str, str], folder: Path, base: dict) -> Study:
    source = row["path"]
    if not source:
        raise BadInput(f"{place}, column path: empty; name the folder, file or address of the study, or a PACS query")
    if is_query(source):
        _check_query(place, source)
    elif not is_remote(source):
        source = str((folder / source).resolve())
        if not Path(source).exists():
            raise BadInput(f"{place}, column path: {row['path']} does not exist; correct it or take the row out")
    name = row.get("id") or _name_of(source)
    if not NAME.fullmatch(name):
        raise BadInput(f"{place}, column id: {name!r} cannot name a folder; use up to 80 letters, digits, points, hyphens and underscores")
    settings, given = {table: dict(keys) for table, keys in base.items()}, {}
    for column, text in row.items():
        if text and column.startswith(NOTE):
            given[column] = text
        elif text and column in COLUMNS:
            given[column] = _number(place, column, text)
            _put(settings, COLUMNS[column].setting, given[column])
        elif text and "." in column:
            _put(settings, column, _setting(place, column, text))
    _check_settings(place, settings)
    return Study(name, source, settings, given, _stamp(source))


def _check_query(place: str, source: str) -> None:
    try:
        query_of(source)
    except BadInput as error:
        raise BadInput(f"{place}, column path: {error}") from error


def _name_of(source: str) -> str:
    """What a case is called where the row does not say: the file or folder without its ending, or what the PACS is asked for."""
    if is_query(source):
        return name_of(source)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", re.sub(r"(\.nii)?(\.\w{1,5})?$", "", source.rstrip("/").rsplit("/", 1)[-1])).lstrip(".-")


def _put(settings: dict, name: str, value) -> None:
    table, _, key = name.partition(".")
    if key:
        settings.setdefault(table, {})[key] = value


def _number(place: str, column: str, text: str) -> float:
    rule = COLUMNS[column]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not rule.least <= value <= rule.most:
        raise BadInput(f"{place}, column {column}: {text!r} is not a number from {rule.least:g} to {rule.most:g} ({rule.what})")
    return value


def _setting(place: str, column: str, text: str):
    """A cell as the kind of value that the setting has."""
    table, _, key = column.partition(".")
    default = getattr(getattr(Settings(), table), key)
    if text not in CHOICES.get(column, (text,)):
        raise BadInput(f"{place}, column {column}: {text!r} is none of {', '.join(CHOICES[column])}")
    kinds: dict[type, Callable] = {bool: lambda t: TRUE_FALSE[t.lower()], int: int, float: float, str: str, tuple: lambda t: _list(t, default)}
    try:
        return kinds[type(default)](text)
    except (ValueError, KeyError) as error:
        kind = {bool: "true or false", int: "a whole number", float: "a number", tuple: "values separated by spaces"}[type(default)]
        raise BadInput(f"{place}, column {column}: {text!r} is not {kind}") from error


def _list(text: str, default: tuple) -> list:
    return [type(default[0])(one) for one in text.split()]


def _check_settings(place: str, settings: dict) -> None:
    types = _tables()
    for table, keys in settings.items():
        try:
            settings_from(types[table], {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()})
        except BadSettings as error:
            raise BadInput(f"{place}: {error}") from error
    flow = settings.get("flow", {})
    systolic, diastolic = flow.get("systolic_mmhg", 0.0), flow.get("diastolic_mmhg", 0.0)
    if bool(systolic) != bool(diastolic) or (systolic and not diastolic < systolic):
        raise BadInput(f"{place}, column diastolic_mmhg: a blood pressure of {systolic:g}/{diastolic:g} mmHg is not possible; give both or neither")


def _stamp(source: str) -> list:
    """Of a local input; nothing of an address or a query."""
    if is_remote(source) or is_query(source):
        return []
    path = Path(source)
    files = [one.stat() for one in (path.rglob("*") if path.is_dir() else [path]) if one.is_file()]
    return [len(files), sum(one.st_size for one in files), max((one.st_mtime_ns for one in files), default=0)]
