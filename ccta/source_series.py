"""Which DICOM instances an image of the case was read from (source.json): what objects made from the case must refer to. Values only."""

from __future__ import annotations

from pydantic import FiniteFloat

from ccta.findings import Point, Value


class SourceSlice(Value):
    """One slice: the instance, its frame (1, 2, ...; 0 where the instance is the slice), and the position of its first pixel."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int = 0
    position_mm: Point


class SourceSeries(Value):
    """A series as it was on disk, before any turning or resampling: its geometry, its slices along the normal, and the header of patient and study."""

    header: dict[str, str]
    """DICOM keyword -> text, of patient, study, series and equipment; what the files do not say is left out."""
    rows: int
    columns: int
    orientation: tuple[Point, Point]
    """Direction of the column index, then of the row index."""
    pixel_spacing_mm: tuple[FiniteFloat, FiniteFloat]
    """Between rows, between columns."""
    slices: list[SourceSlice]

    def __getitem__(self, keyword: str) -> str:
        """A header value, '' where the files have none."""
        return self.header.get(keyword, "")
