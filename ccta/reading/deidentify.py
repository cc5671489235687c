"""De-identified copies of CT images: DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile.

The table of attributes (E.1-1, edition 2026c) and its actions come from dicom-anonymizer; it stops at the top level, so here it goes into every sequence.
What the analysis needs and the profile removes (phase, gating, whether contrast medium was given) is written back in words of our own.
"""

from __future__ import annotations

import importlib.metadata
import io
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, dictionary, initialize_actions
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
)

from ccta.errors import BadInput, StorageFailed
from ccta.reading.burned_in import LETTERS_SEEN, burned_in_reason
from ccta.reading.dicom_files import File, Image, scan
from ccta.reading.headers import is_gated, phase_percent
from ccta.storage import atomic_path

EDITION = "dicomfields_2026c"
KEPT_CLASSES = {CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
TEXT = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UN", "UR", "UT"}
SHORTEST = 4  # characters of an identifier that is looked for in free text: shorter ones are words like "CT"
OLDEST_YEARS = 89  # an age above it identifies (45 CFR 164.514(b)(2)(i)(C)): written as 90


@dataclass(frozen=True)
class Deidentified:
    """What was written. left_out: file -> why it has no copy. warnings: what a person has to look at."""

    folder: Path
    files: int
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def deidentify(source: Path, out: Path, keep_age_sex: bool = False, keep_burned_in: bool = False, progress: Callable | None = None) -> Deidentified:
    """Write the CT images of `source` without identity into the new folder `out`, one folder per series, named by number.

    Secondary captures, reports and other objects get no copy; nor do images with text in their pixels unless `keep_burned_in`. Raises BadInput.
    """
    _check_folder(source, out)
    found = scan(source)
    by_file: dict[File, list[Image]] = {}
    for image in found.images:
        by_file.setdefault(image.file, []).append(image)
    left_out, burned = dict(found.skipped), _burned_in(by_file)
    kept = {file: images for file, images in by_file.items() if images[0].header.get("SOPClassUID") in KEPT_CLASSES}
    left_out.update({file.name: "not a CT image: text may be burned into its pixels, or its content cannot be cleaned" for file in by_file if file not in kept})
    if not keep_burned_in:
        left_out.update({file.name: reason for file, reason in burned.items() if file in kept})
        kept = {file: images for file, images in kept.items() if file not in burned}
    if not kept:
        raise BadInput(f"{source} holds no CT image that could be de-identified: {'; '.join(sorted(set(left_out.values()))[:3]) or 'it is empty'}.")
    people, series, written = _Numbers("ANON-"), {}, 0
    dictionary.clear()  # new UIDs, consistent within this study only
    for done, (file, images) in enumerate(kept.items(), 1):
        number = series.setdefault(images[0].text("SeriesInstanceUID"), [len(series) + 1, 0])
        pseudonym = people.of(images[0].text("PatientID") or images[0].text("PatientName"))
        fault = _copied(file, images[0], (pseudonym, keep_age_sex), out / f"series{number[0]:03d}" / f"{number[1] + 1:05d}.dcm")
        if fault:
            left_out[file.name] = fault
        else:
            number[1], written = number[1] + 1, written + 1
        if progress:
            progress(f"{len(kept)} files", done / len(kept))
    dictionary.clear()
    if not written:
        raise BadInput(f"{source} holds no CT image that could be de-identified: {'; '.join(sorted(set(left_out.values()))[:3])}.")
    warnings = tuple(f"{file.name}: {reason}" for file, reason in burned.items())
    return Deidentified(out, written, left_out, warnings)


class _Numbers:
    """A random pseudonym per patient: it cannot be computed from the identity."""

    def __init__(self, prefix: str):
        self.prefix, self.known = prefix, {}

    def of(self, identity: str) -> str:
        return self.known.setdefault(identity, f"{self.prefix}{secrets.token_hex(4).upper()}")


def _check_folder(source: Path, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out} exists and is not an empty folder; give a new folder for the de-identified copies.")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise BadInput(f"{out} lies inside {source}: copies beside their originals would be mistaken for them. Give a folder elsewhere.")


def _burned_in(by_file: dict[File, list[Image]]) -> dict[File, str]:
    """Files that say, or show, that text is part of their pixels. Pixels are looked at in the first, middle and last image of each series."""
    series: dict[str, list[File]] = {}
    for file, images in by_file.items():
        series.setdefault(images[0].text("SeriesInstanceUID"), []).append(file)
    looked = {files[n] for files in series.values() for n in (0, len(files) // 2, -1)}
    reasons = {file: burned_in_reason(images[len(images) // 2], file in looked) for file, images in by_file.items()}
    shown = {by_file[file][0].text("SeriesInstanceUID") for file, reason in reasons.items() if reason == LETTERS_SEEN}
    whole = {file for uid in shown for file in series[uid]}
    return {file: reason or "another image of its series has text in its pixels" for file, reason in reasons.items() if reason or file in whole}


def _copied(file: File, image: Image, how: tuple[str, bool], target: Path) -> str:
    """Write the copy; '' or why there is none. how: pseudonym, whether age and sex are kept. A damaged file leaves nothing behind. StorageFailed: disk."""
    try:
        with file.open() as stream:
            clean = cleaned(dcmread(stream), image, *how)
        content = io.BytesIO()
        clean.save_as(content, enforce_file_format=True)
    except Exception as error:  # pydicom and the library raise what they meet in a damaged file
        return f"damaged DICOM file ({type(error).__name__}: {' '.join(str(error).split())[:100]})"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{target.parent} cannot be made ({error.strerror}); free some space or choose another place.") from error
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.getbuffer())
    return ""


def cleaned(dataset: Dataset, image: Image, pseudonym: str, keep_age_sex: bool) -> Dataset:
    """`dataset`, changed in place, without identity; `image` is its header as the reader understands it."""
    before = _texts(dataset)
    age, sex, agent, words = dataset.get("PatientAge"), dataset.get("PatientSex"), image.text("ContrastBolusAgent").upper(), _description(image)
    _apply_profile(dataset)
    removed = before - _texts(dataset)
    _scrub(dataset, _identifiers(removed))
    dataset.PatientID = dataset.PatientName = pseudonym
    dataset.SeriesDescription = words
    if agent:
        dataset.ContrastBolusAgent = agent if agent in ("NONE", "NO", "WITHOUT") else "CONTRAST"
    phase = phase_percent([image])
    if phase is not None and "PerFrameFunctionalGroupsSequence" not in dataset:
        dataset.NominalPercentageOfCardiacPhase = phase
    if keep_age_sex:
        dataset.PatientSex = sex if sex in ("M", "F", "O") else ""
        dataset.PatientAge = _age(age)
    _state(dataset, keep_age_sex)
    _renew_meta(dataset)
    return dataset


@cache
def _rules() -> dict:
    """Tag -> action of the profile."""
    return initialize_actions(EDITION)


def _apply_profile(dataset: Dataset) -> None:
    """The library's rules on this level and, which it leaves to us, on the items of every sequence that it keeps."""
    tags = dataset.keys()
    present = {(tag.group, tag.element) for tag in tags}
    rules = {tag: action for tag, action in _rules().items() if len(tag) > 2 or tag in present}  # longer ones stand for repeating groups
    anonymize_dataset(dataset, base_rules_gen=lambda: rules)
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _apply_profile(item)
        elif element.VR in ("DA", "TM") and dataset.get("SOPClassUID") == CTImageStorage:
            element.value = ""  # the library's dummy dates; a classic CT may leave them empty


def _texts(dataset: Dataset) -> set[tuple[str, str, str]]:
    """(keyword, value representation, text) of every text value of a dataset, at any depth."""
    found = set()
    for element in dataset.iterall():
        if element.VR in TEXT and element.value is not None:
            values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
            texts = (v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values if v is not None)
            found.update((element.keyword, element.VR, text.strip(" \0")) for text in texts)
    return found


def _identifiers(removed: set[tuple[str, str, str]]) -> list[str]:
    """What is looked for in the text that stays: each removed value and the parts of names. Not descriptions: their words ("Bv40", "gated") name nobody."""
    whole = {
        text for keyword, vr, text in removed if vr not in ("LT", "ST", "UT") and not keyword.endswith(("Description", "Comments", "ProtocolName", "Agent"))
    }
    parts = {part for _, vr, text in removed if vr == "PN" for part in re.split(r"[\^=,; ]+", text)}
    return sorted(text.casefold() for text in whole | parts if len(text) >= SHORTEST or (len(text) > 1 and not text.isascii()))


def _scrub(dataset: Dataset, identifiers: list[str]) -> None:
    """Empty every text element, at any depth, that repeats an identifier (a name typed into a protocol, a number in a kernel's name)."""
    for element in list(dataset):
        if element.VR == "SQ":
            for item in element.value if isinstance(element.value, Sequence) else ():
                _scrub(item, identifiers)
        elif element.VR in ("LO", "LT", "SH", "ST", "UC", "UT", "PN", "UN", "AE", "UR"):
            said = " ".join(text for *_, text in _texts(_alone(element))).casefold()
            if any(identifier in said for identifier in identifiers):
                del dataset[element.tag]


def _alone(element) -> Dataset:
    dataset = Dataset()
    dataset.add(element)
    return dataset


def _description(image: Image) -> str:
    """What the reader understood of the description, in words that cannot name anybody."""
    said = " ".join(image.text(k) for k in ("SeriesDescription", "ProtocolName", "ImageComments"))
    phase, calcium = phase_percent([image]), re.search(r"calc|ca[- ]?sc|cacs|score", said, re.I)
    gated = {True: "gated", False: "non-gated", None: ""}[is_gated([image])]
    return " ".join(filter(None, (gated, "CT", "calcium score" if calcium else "", f"{phase:g} %" if phase is not None else "")))


def _age(age) -> str:
    found = re.fullmatch(r"(\d{3})Y", str(age or "").strip().upper())
    return "" if not age else f"{OLDEST_YEARS + 1:03d}Y" if found and int(found.group(1)) > OLDEST_YEARS else str(age)


def _state(dataset: Dataset, keep_age_sex: bool) -> None:
    """(0012,0062), (0012,0063) and (0012,0064): that, how and by which options it was done (PS3.15 E.1.1, codes of CID 7050)."""
    library = f"dicom-anonymizer {importlib.metadata.version('dicom-anonymizer')}"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = ["DICOM PS3.15 Annex E Basic Profile 2026c", library, f"ccta-workstation {importlib.metadata.version('ccta-workstation')}"]
    codes = [("113100", "Basic Application Confidentiality Profile")]
    codes += [("113108", "Retain Patient Characteristics Option")] * keep_age_sex
    dataset.DeidentificationMethodCodeSequence = [_code(*code) for code in codes]
    dataset.LongitudinalTemporalInformationModified = "REMOVED"


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _renew_meta(dataset: Dataset) -> None:
    """A new preamble and file meta information: the old ones may hold titles of applications and private information."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID") or _native_syntax(dataset)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    dataset.file_meta, dataset.preamble = meta, bytes(128)


def _native_syntax(dataset: Dataset) -> str:
    """The syntax that a file without meta information was read by."""
    implicit, little_endian = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
