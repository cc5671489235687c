"""What the hostile-input harness starts from, how it damages it, and what it does with the result."""

from __future__ import annotations

import gzip
import io
import logging
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom.data
import SimpleITK
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword

from ccta.errors import CctaError
from ccta.reading.deidentify import deidentify
from ccta.reading.dicom_files import TAGS, scan
from ccta.reading.dicom_series import read_slices_hu
from ccta.reading.study import listed, open_input, read
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, slices, write_datasets, write_enhanced
from tests.ccta.dicom_syntaxes import SYNTAXES, UNSIGNED_ONLY, encoded

LARGEST_SEED = 150_000  # bytes: larger ones would be mostly pixels
SUFFIX_OF_MAGIC = {b"NRRD": ".nrrd", b"ObjectType": ".mha", b"\x5c\x01\x00\x00": ".nii", b"\x1f\x8b": ".nii.gz", b"PK\x03\x04": ".zip"}
NASTY = [b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xfe\xff\x0d\xe0", b"\xfe\xff\x00\xe0", b"1e999", b"nan",
         b"-1", b"99999999999", b"\\\\\\",
         b"../../../../tmp/x", b"\x1b$B", b"SQ", b"UN", b"OW", b"US"]  # fmt: skip
TAG_BYTES = [t.to_bytes(4)[1::-1] + t.to_bytes(4)[:1:-1] for t in map(tag_for_keyword, [*TAGS, "PixelData", "BitsStored", "HighBit", "TransferSyntaxUID"])]


def quiet() -> None:
    """Damaged files make pydicom and ITK talk."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


def seeds() -> dict[str, bytes]:
    """Name -> content: pydicom's own test files, a CT slice in every transfer syntax, Enhanced CT, NIfTI, NRRD, MHA, zip."""
    own = sorted(Path(pydicom.data.__file__).parent.glob("*_files/**/*"))
    found = {path.name: path.read_bytes() for path in own if path.is_file() and path.stat().st_size <= LARGEST_SEED}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = SeriesSpec(np.zeros((16, 12, 9)), spacing_mm=(2, 2, 8.0), signed=False)
        for syntax in SYNTAXES:
            spec.signed = syntax not in UNSIGNED_ONLY
            path = write_datasets(folder / syntax, [encoded(slices(spec)[4], syntax)])[0]
            found[f"ct {syntax}.dcm"] = path.read_bytes()
        found["enhanced.dcm"] = write_enhanced(folder / "enhanced.dcm", spec).read_bytes()
        found.update(_image_seeds(folder))
    return dict(sorted(found.items()))


def _image_seeds(folder: Path) -> dict[str, bytes]:
    hu = chest_hu((16, 14, 12))
    nibabel.Nifti1Image(hu, np.diag([5, 5, 8.0, 1])).to_filename(folder / "a.nii")
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(hu.T))
    image.SetSpacing([5, 5, 8.0])
    for name, packed in (("a.nrrd", False), ("b.nrrd", True), ("a.mha", False), ("b.mha", True)):
        SimpleITK.WriteImage(image, str(folder / name), useCompression=packed)
    found = {name: (folder / name).read_bytes() for name in ("a.nii", "a.nrrd", "b.nrrd", "a.mha", "b.mha")}
    found["a.nii.gz"] = gzip.compress(found["a.nii"], mtime=0)
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, dataset in enumerate(slices(SeriesSpec(np.zeros((16, 12, 9)), spacing_mm=(2, 2, 8.0)))):
            stream = io.BytesIO()
            dataset.save_as(stream, enforce_file_format=True)
            archive.writestr(f"../{k}.dcm", stream.getvalue())
    return {**found, "study.zip": box.getvalue()}


def suffix_of(content: bytes) -> str:
    """By the first bytes, as the reader goes by name for image files."""
    return next((suffix for magic, suffix in SUFFIX_OF_MAGIC.items() if content.startswith(magic)), ".dcm")


@st.composite
def damaged(draw, known: dict[str, bytes]) -> tuple[str, bytes]:
    """(suffix, content): a seed after one to six edits: bytes flipped, overwritten, cut out, doubled; an element's length, type or value replaced."""
    content = known[draw(st.sampled_from(list(known)))]
    suffix = suffix_of(content)
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["element", "element", "element", "nasty", "flip", "cut", "double", "truncate", "head"]))
        at = draw(st.integers(0, max(0, len(content) - 1)))
        if kind == "element":
            content = _edited_element(draw, content)
        elif kind in ("nasty", "head"):
            at, piece = (at % 1024 if kind == "head" else at), draw(st.sampled_from(NASTY))
            content = content[:at] + piece + content[at + len(piece) :]
        elif kind == "flip":
            content = content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at] + content[at + draw(st.integers(1, 200)) :]
        elif kind == "double":
            content = content[:at] + content[at : at + draw(st.integers(1, 200))] * draw(st.integers(2, 5)) + content[at:]
        else:
            content = content[:at]
    return suffix, content


def _edited_element(draw, content: bytes) -> bytes:
    """The header of a known element followed by something nasty: in its value representation, its length or its value."""
    tag = draw(st.sampled_from(TAG_BYTES))
    at = content.find(tag)
    if at < 0:
        return content
    start = at + draw(st.sampled_from([4, 6, 8, 8, 8, 12, 16]))
    piece = draw(st.sampled_from(NASTY) | st.binary(min_size=1, max_size=8))
    return content[:start] + piece + content[start + len(piece) :]


def examine(folder: Path, suffix: str, content: bytes, thorough: bool = True) -> str:
    """What becomes of one file: "result" when its image is read, else the name of our error. Anything else that is raised is a finding.

    A DICOM file is read alone and among eight sound slices of a series. thorough: it is de-identified, too.
    """
    path = folder / "study" / f"damaged{suffix}"
    path.write_bytes(content)
    try:
        _quietly(_read_all, path.parent if suffix == ".dcm" else path)
        if thorough and suffix in (".dcm", ".zip"):
            _quietly(deidentify, path, folder / "out")
        return _quietly(_read_alone, path)
    finally:
        path.unlink()
        shutil.rmtree(folder / "out", ignore_errors=True)


def _read_all(source: Path) -> None:
    inventory = open_input(source)
    listed(inventory)
    for series in inventory.series:
        _quietly(read, series)


def _read_alone(path: Path) -> None:
    images = scan(path).images if path.suffix in (".dcm", ".zip") else ()
    for image in images[:2]:
        read_slices_hu([image])
    if not images:
        read(open_input(path).series[0])


def _quietly(action, *words) -> str:
    """The name of our error, if one was raised, else "result"."""
    try:
        action(*words)
    except CctaError as error:
        return type(error).__name__
    return "result"


def make_room(folder: Path) -> None:
    """A folder with eight sound slices of a series, into whose middle each damaged file is put, and a guard file beside it."""
    datasets = slices(SeriesSpec(chest_hu((16, 12, 9)), spacing_mm=(2, 2, 8.0), uid="1.2.3.4", study_uid="1.2.3", frame_uid="1.2.3.5"))
    write_datasets(folder / "study", [d for k, d in enumerate(datasets) if k != 4])
    (folder / "guard").write_text("untouched")


def escaped(folder: Path) -> list[str]:
    """Whatever lies in the room that was not put there."""
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*")}
    return sorted(n for n in names if n not in ("guard", "study", "out") and not n.startswith("study/"))
