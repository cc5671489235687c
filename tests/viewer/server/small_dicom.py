"""Small CT slices and result objects for the tests of the server: noise, no patient."""

from __future__ import annotations

import io

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE


def ct_slice(study_uid: str, series_uid: str = "", number: int = 1, size: int = 16, **changes) -> FileDataset:
    """One CT slice; its UIDs follow from study, series and number."""
    series_uid = series_uid or f"{study_uid}.1"
    dataset = _dataset(CTImageStorage, f"{series_uid}.{number}")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
    dataset.SpecificCharacterSet, dataset.PatientName, dataset.PatientID = "ISO_IR 192", "Wang^XiaoMing=王^小明", "P1"
    dataset.StudyDate, dataset.AccessionNumber, dataset.Modality, dataset.InstanceNumber = "20260102", "A1", "CT", number
    dataset.Rows = dataset.Columns = size
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.PixelData = np.random.default_rng(number).integers(-1000, 1000, size * size, dtype=np.int16).tobytes()
    for name, value in changes.items():
        setattr(dataset, name, value)
    return dataset


def pdf_object(study_uid: str) -> FileDataset:
    """An Encapsulated PDF, as small as one may be."""
    dataset = _dataset(EncapsulatedPDFStorage, generate_uid())
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.Modality = "", "P1", "DOC"
    dataset.StudyDate, dataset.AccessionNumber, dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "20260102", "A1", "", 1, 1
    dataset.MIMETypeOfEncapsulatedDocument, dataset.EncapsulatedDocument = "application/pdf", b"%PDF-1.4\n%%EOF\n"
    return dataset


def _dataset(sop_class: str, sop_uid: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = sop_class, sop_uid, ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_uid
    return dataset


def bytes_of(dataset: FileDataset) -> bytes:
    """The dataset as a file."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def send(port: int, datasets: list[FileDataset], calling: str = "CT1", called: str = "CCTA", tls=None) -> list[int]:
    """The C-STORE status of each dataset; empty where the association was refused."""
    entity = AE(calling)
    for sop_class in {dataset.SOPClassUID for dataset in datasets}:
        entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=(tls, None) if tls else None)
    if not association.is_established:
        return []
    statuses = [association.send_c_store(dataset).get("Status", -1) for dataset in datasets]
    association.release()
    return statuses
