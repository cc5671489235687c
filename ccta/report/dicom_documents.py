"""The report as Encapsulated PDF, its pictures as Secondary Captures, a Key Object Selection of what to look at first, and one of what not to use."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sc import SCImage
from highdicom.sr import CodeContentItem, RelationshipTypeValues
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, SegmentationStorage

from ccta.errors import BadInput
from ccta.report import dicom_codes as codes
from ccta.report.dicom_origin import RESEARCH, SERIAL, Origin, finished, version
from ccta.terms import MAKER, MODEL

PICTURES = (SecondaryCaptureImageStorage, SegmentationStorage)
IMPLEMENTATION = "2.25.211287390173487498128357341973517"


def encapsulated_pdf(origin: Origin, number: int, title: str, pdf: bytes, content: bytes) -> Dataset:
    """The PDF as a document of the study (PS3.3 A.45.1). content: what its UID follows from, since a PDF made twice differs in its time alone."""
    given = origin.labelled(f"pdf {number}", 10 + number, title, content)
    made = origin.patient_and_study()
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = EncapsulatedPDFStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = given["sop_instance_uid"]
    made.file_meta.TransferSyntaxUID, made.file_meta.ImplementationClassUID = ExplicitVRLittleEndian, IMPLEMENTATION
    made.Modality, made.SeriesInstanceUID, made.SeriesNumber = "DOC", given["series_instance_uid"], given["series_number"]
    made.SeriesDescription, made.InstanceNumber, made.ConversionType = given["series_description"], 1, "WSD"
    made.Manufacturer, made.ManufacturerModelName, made.DeviceSerialNumber, made.SoftwareVersions = MAKER, MODEL, SERIAL, version()
    made.ContentDate, made.ContentTime = origin.at.strftime("%Y%m%d"), origin.at.strftime("%H%M%S")
    made.AcquisitionDateTime, made.BurnedInAnnotation, made.DocumentTitle = "", "YES", f"{title} ({RESEARCH})"
    made.ConceptNameCodeSequence = [_item("18748-4", "LN", "Diagnostic imaging study")]
    made.SourceInstanceSequence = [_reference(one) for one in origin.datasets]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return finished(made, origin)


def _item(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _reference(dataset: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    return item


def captures(origin: Origin, pictures: Sequence[tuple[str, bytes]]) -> list[SCImage]:
    """One colour Secondary Capture per (caption, PNG), all in one series. Ours show no patient's name; of a reader's picture nothing is claimed."""
    made = []
    for index, (caption, png) in enumerate(pictures, 1):
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        given = origin.labelled("pictures", 5, "Key pictures", png, caption) | {"instance_number": index}
        image = SCImage.from_ref_dataset(
            origin.datasets[0],
            pixels,
            "RGB",
            8,
            hd.CoordinateSystemNames.PATIENT,
            patient_orientation=("L", "P"),
            transfer_syntax_uid=ExplicitVRLittleEndian,
            **given,
        )
        image.BodyPartExamined = "HEART"
        image.PatientOrientation = ""  # a drawing has no one orientation
        image.ImageComments, image.DerivationDescription = caption[:10240], RESEARCH
        made.append(finished(image, origin))
    return made


def key_objects(origin: Origin, shown: Sequence[Dataset], description: str) -> KeyObjectSelectionDocument:
    """What to look at first. shown: captures of this case and source slices."""
    content = KeyObjectSelection(codes.KEY_OBJECTS, list(shown), description=description)
    uids = [str(one.SOPInstanceUID) for one in shown]
    given = origin.labelled("key objects", 6, "Key objects", *uids)
    for word in ("manufacturer_model_name", "device_serial_number", "software_versions"):
        given.pop(word)
    return finished(KeyObjectSelectionDocument(list(shown), content, transfer_syntax_uid=ExplicitVRLittleEndian, **given), origin)


def rejected_by(folder: Path) -> frozenset[str]:
    """The instance UIDs that the notes in a folder reject, none where it is not there. BadInput for a file that is no such note."""
    named: set[str] = set()
    for path in sorted(folder.glob("*.dcm")):
        try:
            content = dcmread(path).ContentSequence
            named |= {str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for item in content if "ReferencedSOPSequence" in item}
        except Exception as error:  # pydicom raises a dozen types for what is damaged
            raise BadInput(f"{path} is no rejection note, or it is damaged ({type(error).__name__}); take it away, or restore it") from error
    return frozenset(named)


def rejection_note(origin: Origin, drafts: Sequence[tuple[str, str, str]], reason: str) -> KeyObjectSelectionDocument:
    """Tells a PACS that objects of a draft are not to be used any more (IHE IOCM; PS3.16, TID 2010).

    drafts: (class, series, instance UID) of each, all of the source's study. reason: a key of `codes.REJECTED`.
    """
    rejected = []
    for sop_class, series, instance in drafts:
        one = origin.patient_and_study()
        one.SOPClassUID, one.SeriesInstanceUID, one.SOPInstanceUID = sop_class, series, instance
        if sop_class in PICTURES:
            one.Rows = one.Columns = 1  # by which highdicom knows an image
        rejected.append(one)
    content = KeyObjectSelection(codes.REJECTED[reason], rejected, description=codes.SUPERSEDED.meaning)
    if reason == "quality":  # that title alone has a modifier, and needs it
        modifier = CodeContentItem(codes.TITLE_MODIFIER, codes.SUPERSEDED, RelationshipTypeValues.HAS_CONCEPT_MOD)
        content[0].ContentSequence.insert(0, modifier)
    given = origin.labelled("rejection", 7, "Rejected drafts", reason, *sorted(instance for _, _, instance in drafts))
    for word in ("manufacturer_model_name", "device_serial_number", "software_versions"):
        given.pop(word)
    return finished(KeyObjectSelectionDocument(rejected, content, transfer_syntax_uid=ExplicitVRLittleEndian, **given), origin)
