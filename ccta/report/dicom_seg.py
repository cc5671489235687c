"""Label maps as DICOM segmentations (BINARY), each segment with its coded term."""

from __future__ import annotations

from dataclasses import dataclass

import highdicom as hd
import numpy as np
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from ccta.model import HEART_LABELS, Volume
from ccta.report import dicom_codes as codes
from ccta.report.dicom_origin import Origin, algorithm, finished


@dataclass(frozen=True)
class LabelledSegment:
    """Which values of a label map one segment is, and what it is called. region: where in the body it lies, when its own term does not say."""

    values: tuple[int, ...]
    label: str
    category: Code
    kind: Code
    region: Code | None = None


HEART_SEGMENTS = tuple(
    LabelledSegment((value,), "heart tissue beside the chambers" if name == "heart" else codes.HEART[name].meaning, codes.ANATOMY, codes.HEART[name])
    for name, value in HEART_LABELS.items()
)
LUMEN_SEGMENT = LabelledSegment((1,), "coronary lumen", codes.ANATOMY, codes.LUMEN, codes.CORONARY)


def plaque_segments(values: dict[str, int]) -> tuple[LabelledSegment, ...]:
    """One segment per class of plaque. values: class -> its label."""
    return tuple(
        LabelledSegment((value,), f"coronary plaque, {name.replace('_', ' ')}", codes.ABNORMAL, codes.PLAQUE[name], codes.CORONARY)
        for name, value in values.items()
    )


def calcium_segments(vessels: dict[int, str]) -> tuple[LabelledSegment, ...]:
    """One segment per artery with calcium. vessels: lesion's label -> LM, LAD, LCx, RCA."""
    return tuple(
        LabelledSegment(tuple(i for i, v in vessels.items() if v == vessel), f"calcium {vessel}", codes.ABNORMAL, codes.CALCIFICATION, codes.VESSEL[vessel])
        for vessel in codes.VESSEL
        if vessel in vessels.values()
    )


def segmentation(origin: Origin, kind: str, number: int, labels: Volume, segments: tuple[LabelledSegment, ...]) -> Segmentation | None:
    """A SEG of the segments that the map holds; None where it holds none. On the source's own slices where the map has their grid, which each frame names."""
    present = [segment for segment in segments if np.isin(labels.array, segment.values).any()]
    if not present:
        return None
    masks = np.stack([np.isin(labels.array, segment.values) for segment in present], axis=-1).transpose(2, 1, 0, 3).astype(np.uint8)
    descriptions = [_description(index, segment, origin, kind) for index, segment in enumerate(present, 1)]
    made = Segmentation(
        source_images=origin.datasets,
        pixel_array=masks if origin.is_grid_of(labels) else _volume(masks, labels, origin),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        content_label="CORONARY_CT",
        content_description=f"{kind} of the coronary CT",
        content_creator_name=None,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **origin.labelled(kind, number, f"Segmentation: {kind}", np.packbits(masks).tobytes(), [s.label for s in present]),
    )
    return finished(made, origin)


def _volume(masks: np.ndarray, labels: Volume, origin: Origin) -> hd.Volume:
    """Slices, rows, columns, segments with their own geometry."""
    affine = labels.affine[:, [2, 1, 0, 3]]
    channels = {"SegmentNumber": list(range(1, masks.shape[3] + 1))}
    return hd.Volume(masks, affine, "PATIENT", frame_of_reference_uid=origin.source["FrameOfReferenceUID"], channels=channels)


def _description(number: int, segment: LabelledSegment, origin: Origin, kind: str) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=segment.category,
        segmented_property_type=segment.kind,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(),
        tracking_uid=origin.uid("segment", kind, segment.label),
        tracking_id=segment.label,
        anatomic_regions=[segment.region] if segment.region else None,
    )
