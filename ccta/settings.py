"""One frozen dataclass of settings per stage, every default with its reason (habit 7). Read from `case.toml` in the Case directory."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from ccta.errors import BadSettings


@dataclass(frozen=True)
class ReadSettings:
    """Which series is read."""

    series_uid: str = ""  # empty: chosen by content, and the choice is explained
    calcium_series_uid: str = ""


@dataclass(frozen=True)
class SegmentSettings:
    """Heart, aorta and coronary segmentation."""


@dataclass(frozen=True)
class TreeSettings:
    """Centerlines and names."""


@dataclass(frozen=True)
class MeasureSettings:
    """Contours, stenoses, plaque, fat."""


@dataclass(frozen=True)
class CalciumSettings:
    """Calcium scoring on a non-contrast series."""


@dataclass(frozen=True)
class FlowSettings:
    """Blood flow and FFR."""


@dataclass(frozen=True)
class ReportSettings:
    """What the report prints."""

    institution: str = ""  # printed in the head of the report when given
    language: str = "en"


@dataclass(frozen=True)
class Settings:
    """All stages. The table names in case.toml are these field names."""

    read: ReadSettings = field(default_factory=ReadSettings)
    segment: SegmentSettings = field(default_factory=SegmentSettings)
    tree: TreeSettings = field(default_factory=TreeSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    calcium: CalciumSettings = field(default_factory=CalciumSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    report: ReportSettings = field(default_factory=ReportSettings)


def settings_from(cls, values: dict):
    """A settings dataclass from one table of case.toml; an unknown key is an error, not a typo."""
    known = {f.name: f for f in fields(cls)}
    unknown = set(values) - set(known)
    if unknown:
        raise BadSettings(f"{cls.__name__} has no setting {sorted(unknown)}; it has {sorted(known)}")
    for name, value in values.items():
        wanted = known[name].type
        if isinstance(wanted, type) and not isinstance(value, (wanted, int) if wanted is float else wanted):
            raise BadSettings(f"{cls.__name__}.{name} must be a {wanted.__name__}, got {value!r}")
    return cls(**values)


def load_settings(path: Path) -> Settings:
    """Settings from a TOML file, defaults where it is absent or silent."""
    if not path.exists():
        return Settings()
    try:
        tables = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML ({error}); correct it or delete it to use the defaults") from error
    known = {f.name: f.type for f in fields(Settings)}
    unknown = set(tables) - set(known)
    if unknown:
        raise BadSettings(f"{path} has the table {sorted(unknown)}; it may have {sorted(known)}")
    return Settings(**{name: settings_from(known[name], table) for name, table in tables.items()})
