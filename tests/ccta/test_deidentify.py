"""De-identified copies: no identifier of the source is found in the written bytes, the images and what the analysis needs are still there."""

import re
import zipfile

import numpy as np
import pytest
from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.uid import SecondaryCaptureImageStorage

from ccta.errors import BadInput
from ccta.reading.burned_in import text_lines
from ccta.reading.deidentify import EDITION, deidentify
from ccta.reading.study import open_input, read
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, slices, write_datasets, write_enhanced
from tests.ccta.dicom_syntaxes import encoded
from tests.conftest import run_ccta

NAME = "Adlerhorst^Wendelin"
TYPED = {  # the same identity where somebody typed it, in elements that the profile keeps
    "ConvolutionKernel": "Bv40 ADLERHORST", "FilterType": "body wendelin", "ManufacturerModelName": "CT of HOSP-0815-X", "AcquisitionType": "SPIRAL",
}  # fmt: skip


def marked(dataset: Dataset, start: int) -> list[str]:
    """Fill every attribute of the profile's table that takes text with a value of its own; the values."""
    table = dicom_anonymization_database_selector(EDITION)
    values = []
    for number, tag in enumerate(sorted({tag for tags in table.values() for tag in tags if len(tag) == 2 and tag[0] not in (0, 2)}), start):
        keyword = keyword_for_tag(tag)
        if not keyword or keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            continue
        vr = dictionary_VR(tag)
        value = {
            "DA": f"19{number % 88 + 11}0315", "DT": f"19770315101112.{number:06d}", "TM": f"101112.{number:06d}", "UI": f"1.2.826.99.{number}",
        }.get(vr, f"QZ{number:05d}" if vr in ("LO", "SH", "PN", "LT", "ST", "UT", "UC", "AE", "CS", "UR") else "")  # fmt: skip
        if value:
            setattr(dataset, keyword, value)
            values.append(value)
    return values


def nasty_series(hu=None, **more) -> tuple[list[Dataset], list[str]]:
    """A series whose headers name the patient everywhere, and all that must not be found again."""
    spec = SeriesSpec(chest_hu((64, 64, 62)) if hu is None else hu, spacing_mm=(5, 4, 1.0), **more)
    secrets = []
    datasets = slices(spec)
    for dataset in datasets:
        secrets = marked(dataset, 10000)
        item = Dataset()
        secrets += marked(item, 20000)
        dataset.RadiopharmaceuticalInformationSequence = [item]  # not in the table: the profile reaches what it holds only by going into it
        dataset.SourceImageSequence = []
        dataset.PatientName, dataset.PatientID, dataset.PatientSex, dataset.PatientAge = NAME, "HOSP-0815-X", "F", "093Y"
        dataset.SeriesDescription, dataset.ProtocolName = f"CTA gated 75% {NAME}", f"Ca-Score {NAME}"
        dataset.ContrastBolusAgent = "Iomeprol for Adlerhorst"
        for keyword, value in TYPED.items():
            setattr(dataset, keyword, value)
        dataset.private_block(0x0029, "ADLERHORST PRIVATE", create=True).add_new(1, "LO", "HOSP-0815-X")
        dataset.add_new(0x60003000, "OW", b"Adlerhorst overlay")
        dataset.add_new(0x00091001, "UN", b"HOSP-0815-X")
        dataset.file_meta.SourceApplicationEntityTitle = "QZAETITLE"
        dataset.preamble = b"HOSP-0815-X".ljust(128)
    uids = [spec.uid, spec.study_uid, spec.frame_uid, *(str(dataset.SOPInstanceUID) for dataset in datasets)]
    return datasets, [*secrets, *uids, "QZAETITLE", "Adlerhorst", "Wendelin", "HOSP-0815-X", "Iomeprol"]


def bytes_of(folder) -> bytes:
    return b"".join(path.read_bytes() + path.name.encode() for path in sorted(folder.rglob("*")) if path.is_file())


def found_again(secrets, content: bytes) -> list[str]:
    return [secret for secret in secrets if re.search(re.escape(secret.encode()) + rb"(?![0-9])", content, re.I)]


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deidentify")
    datasets, secrets = nasty_series()
    write_datasets(folder / "Adlerhorst", datasets)
    secrets = found_again(secrets, bytes_of(folder / "Adlerhorst"))  # some marks were overwritten; the search finds what is there
    assert len(secrets) > 800 and {"Adlerhorst", "Wendelin", "HOSP-0815-X", "QZAETITLE", "Iomeprol"} <= set(secrets)
    return folder, secrets, deidentify(folder / "Adlerhorst", folder / "out")


def test_no_identifier_is_left_in_the_bytes(copies):
    folder, secrets, done = copies
    assert done.files == 62 and done.left_out == {} and done.warnings == ()
    assert found_again(secrets, bytes_of(folder / "out")) == []


def test_the_profile_is_stated(copies):
    folder, *_ = copies
    dataset = dcmread(next((folder / "out").rglob("*.dcm")))
    assert dataset.PatientIdentityRemoved == "YES" and dataset.DeidentificationMethod[0] == "DICOM PS3.15 Annex E Basic Profile 2026c"
    codes = [(c.CodeValue, c.CodingSchemeDesignator, c.CodeMeaning) for c in dataset.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM", "Basic Application Confidentiality Profile")]
    assert dataset.PatientID.startswith("ANON-") and dataset.PatientID == dataset.PatientName and dataset.LongitudinalTemporalInformationModified == "REMOVED"
    assert dataset.get("PatientSex") in ("", None) and dataset.get("PatientAge") in ("", None)


def test_the_analysis_still_finds_what_it_needs(copies):
    folder, *_ = copies
    before, after = (open_input(folder / name).required("ccta") for name in ("Adlerhorst", "out"))
    assert (after.kind, after.phase_percent, after.gated, after.kvp, after.contrast, after.files) == ("ccta", 75, True, 120, True, 62)
    one, two = read(before), read(after)
    np.testing.assert_array_equal(two.volume.array, one.volume.array)
    np.testing.assert_array_equal(two.volume.affine, one.volume.affine)
    assert after.description == "gated CT calcium score 75 %" and two.patient.name.startswith("ANON-")
    assert len({dcmread(path).SOPInstanceUID for path in (folder / "out").rglob("*.dcm")}) == 62


def test_a_kernel_that_the_description_repeats_is_kept(tmp_path):
    tags = {"SeriesDescription": "CTA 0.6 Bv40 75% Adlerhorst", "PatientName": NAME, "StudyDescription": "Bv40"}
    write_datasets(tmp_path / "in", slices(SeriesSpec(chest_hu((64, 64, 8)), tags=tags)))
    deidentify(tmp_path / "in", tmp_path / "out")
    assert open_input(tmp_path / "out").series[0].kernel == "Bv40" and b"Adlerhorst" not in bytes_of(tmp_path / "out")


def test_age_and_sex_are_kept_on_demand(tmp_path):
    datasets, secrets = nasty_series(chest_hu((64, 64, 9)))
    write_datasets(tmp_path / "in", datasets)
    deidentify(tmp_path / "in", tmp_path / "out", keep_age_sex=True)
    dataset = dcmread(next((tmp_path / "out").rglob("*.dcm")))
    assert (dataset.PatientSex, dataset.PatientAge) == ("F", "090Y")  # 93 years identify
    assert [c.CodeValue for c in dataset.DeidentificationMethodCodeSequence] == ["113100", "113108"]
    assert found_again(secrets, bytes_of(tmp_path / "out")) == []


@pytest.mark.parametrize("name", ["implicit", "big-endian", "RLE", "JPEG 2000 lossless"])
def test_syntaxes_stay_and_hide_nothing(tmp_path, name):
    datasets, secrets = nasty_series(chest_hu((64, 64, 9)))
    if name == "big-endian":
        for dataset in datasets:
            del dataset[0x60003000]
    write_datasets(tmp_path / "in", [encoded(dataset, name) for dataset in datasets])
    deidentify(tmp_path / "in", tmp_path / "out")
    assert found_again(secrets, bytes_of(tmp_path / "out")) == []
    one, two = (read(open_input(tmp_path / folder).series[0]).volume for folder in ("in", "out"))
    np.testing.assert_array_equal(one.array, two.array)


@pytest.mark.parametrize("charset, name", [("GB18030", "欧阳^雪莲"), ("ISO_IR 192", "欧阳^雪莲")])
def test_chinese_names(tmp_path, charset, name):
    datasets = slices(SeriesSpec(chest_hu((64, 64, 9)), spacing_mm=(5, 4, 1.0)))
    for dataset in datasets:
        dataset.SpecificCharacterSet, dataset.PatientName, dataset.FilterType = charset, name, "雪莲的滤波"
    write_datasets(tmp_path / "in", datasets)
    codec = "gb18030" if charset == "GB18030" else "utf-8"
    assert "雪莲".encode(codec) in bytes_of(tmp_path / "in")
    deidentify(tmp_path / "in", tmp_path / "out")
    assert not any(part.encode(codec) in bytes_of(tmp_path / "out") for part in ("欧阳", "雪莲"))


def test_enhanced_multi_frame(tmp_path):
    spec = SeriesSpec(chest_hu((64, 64, 62)), spacing_mm=(5, 4, 1.0))
    write_enhanced(tmp_path / "in.dcm", spec)
    dataset = dcmread(tmp_path / "in.dcm")
    secrets = ["Test^Patient"]
    for n, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        content = Dataset()
        secrets += marked(content, 30000 + 1000 * n)[:40] if n < 2 else []
        frame.FrameContentSequence = [content]
    dataset.save_as(tmp_path / "in.dcm")
    deidentify(tmp_path / "in.dcm", tmp_path / "out")
    assert found_again(secrets, bytes_of(tmp_path / "out")) == []
    np.testing.assert_array_equal(read(open_input(tmp_path / "out").required("ccta")).volume.array, spec.hu)


def test_patients_stay_apart_and_their_series_together(tmp_path):
    for number, person in enumerate(("A1", "A1", "B1")):
        write_datasets(tmp_path / "in" / str(number), slices(SeriesSpec(chest_hu((64, 64, 8)), tags={"PatientID": person})))
    deidentify(tmp_path / "in", tmp_path / "out")
    people = [dcmread(tmp_path / "out" / f"series00{n}" / "00001.dcm").PatientID for n in (1, 2, 3)]
    assert people[0] == people[1] != people[2]


def test_reports_captures_and_burned_in_text_get_no_copy_and_are_told(tmp_path, capsys):
    datasets = slices(SeriesSpec(chest_hu((64, 64, 9)), spacing_mm=(5, 4, 1.0)))
    datasets[3].BurnedInAnnotation = "YES"
    datasets[4].SOPClassUID = datasets[4].file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    write_datasets(tmp_path / "in", datasets)
    (tmp_path / "in" / "letter.pdf").write_bytes(b"%PDF-1.4 Adlerhorst")
    assert run_ccta("deidentify", tmp_path / "in", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "warning  text in the pixels" in said and "left out 1 file(s): a PDF file" in said and "written  7 files" in said
    assert run_ccta("deidentify", tmp_path / "in", tmp_path / "all", "--keep-burned-in") == 0
    assert "written  8 files" in capsys.readouterr().err


def with_text(hu: np.ndarray, text: str, at=(8, 8), size=14) -> np.ndarray:
    """A slice (rows, columns) with text drawn at white."""
    picture = Picture.new("L", hu.shape[::-1])
    ImageDraw.Draw(picture).text(at, text, fill=255, font=ImageFont.load_default(size))
    return np.where(np.asarray(picture) > 127, 3000, hu)


def body(seed=0) -> np.ndarray:
    """A slice of 256 x 256: a body with ribs, on a table, with leads beside it."""
    hu = chest_hu((256, 256, 3), seed=seed)[:, :, 1].T.astype(int)
    hu[232:236, 20:236] = 200
    hu[20:24, 30:34] = hu[28:30, 200:206] = hu[40:52, 240:242] = 2500
    return hu


@pytest.mark.parametrize("text, size", [("ADLERHORST WENDELIN", 14), ("1931-03-15 11:20", 12), ("Patient: Wendelin Adlerhorst, geb. 15.03.1931", 13)])
def test_text_in_the_pixels_is_seen(text, size):
    assert text_lines(with_text(body(), text, size=size)) > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_body_with_leads_and_a_table_is_no_text(seed):
    assert text_lines(body(seed)) == 0


def test_a_series_with_drawn_text_is_warned_of(tmp_path):
    hu = np.stack([with_text(body(), "ADLERHORST 1931").T] * 9, axis=-1)
    write_datasets(tmp_path / "in", slices(SeriesSpec(hu)))
    with pytest.raises(BadInput, match="a line of letters is seen in its pixels"):
        deidentify(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    done = deidentify(tmp_path / "in", tmp_path / "out", keep_burned_in=True)
    assert done.files == 9 and len(done.warnings) == 9


def test_a_damaged_file_gets_no_copy_and_is_named(tmp_path):
    paths = write_datasets(tmp_path / "in", slices(SeriesSpec(chest_hu((64, 64, 9)))))
    content = paths[4].read_bytes()
    paths[4].write_bytes(content.replace(b"\x18\x00\x10\x12SH", b"\x18\x00\x10\x12DI"))  # a type that does not exist
    done = deidentify(tmp_path / "in", tmp_path / "out")
    assert done.files == 8 and list(done.left_out) == [str(paths[4])] and "damaged DICOM file" in done.left_out[str(paths[4])]
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 8 and not list((tmp_path / "out").rglob(".partial*"))


def test_zip_in_and_places_that_are_refused(tmp_path):
    paths = write_datasets(tmp_path / "in", slices(SeriesSpec(chest_hu((64, 64, 8)))))
    with zipfile.ZipFile(tmp_path / "Adlerhorst.zip", "w") as archive:
        for path in paths:
            archive.write(path, f"../../{path.name}")
    assert deidentify(tmp_path / "Adlerhorst.zip", tmp_path / "out").files == 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Adlerhorst.zip", "in", "out"]
    with pytest.raises(BadInput, match="not an empty folder"):
        deidentify(tmp_path / "in", tmp_path / "out")
    with pytest.raises(BadInput, match="lies inside"):
        deidentify(tmp_path / "in", tmp_path / "in" / "out")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a").write_text("a")
    with pytest.raises(BadInput, match="holds no CT image"):
        deidentify(tmp_path / "text", tmp_path / "new")
