"""A folder as a PACS leaves it: several studies, phases, localisers, reports, pictures. What is there, what is chosen, and why."""

import json
import zipfile

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.fileset import FileSet
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, XRayRadiationDoseSRStorage, generate_uid

from ccta.errors import BadInput
from ccta.model import Unavailable
from ccta.reading import input_files, phases
from ccta.reading.contrast import has_contrast
from ccta.reading.study import listed, open_input, read
from ccta.settings import ReadSettings
from tests.benchmarks.reading import measured, write_study
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, slices, write_datasets, write_enhanced, write_series
from tests.conftest import run_ccta

SPACING_MM = (5, 4, 1.0)


def cta(percent=75, shape=(64, 64, 70), **more):
    tags = {"SeriesDescription": "heart", "NominalPercentageOfCardiacPhase": float(percent), **more.pop("tags", {})}
    return SeriesSpec(chest_hu(shape), spacing_mm=SPACING_MM, tags=tags, **more)


def calcium(**more):
    return SeriesSpec(chest_hu((64, 64, 30), contrast=False), spacing_mm=(5, 4, 3.0), tags={"SeriesDescription": "calcium score"}, **more)


def localiser(study_uid):
    tags = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesDescription": "Topogram"}
    return SeriesSpec(chest_hu((64, 64, 1)), tags=tags, study_uid=study_uid)


def write_dose_report(path, study_uid):
    report = slices(localiser(study_uid))[0]
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(report, keyword)
    report.SOPClassUID, report.Modality, report.SeriesInstanceUID = XRayRadiationDoseSRStorage, "SR", generate_uid()
    report.ContentSequence = [Dataset()]
    report.save_as(path, enforce_file_format=True)


def write_secondary_capture(path, study_uid):
    picture = slices(localiser(study_uid))[0]
    picture.SOPClassUID, picture.Modality, picture.SeriesInstanceUID, picture.SeriesDescription = SecondaryCaptureImageStorage, "OT", generate_uid(), "screen"
    picture.ImageType, picture.ConversionType = ["DERIVED", "SECONDARY"], "WSD"
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "RescaleIntercept", "RescaleSlope"):
        delattr(picture, keyword)
    picture.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="module")
def pacs_folder(tmp_path_factory):
    """Two patients: one with two phases, calcium, localiser, dose report and secondary capture; the other with calcium alone. And other files."""
    folder = tmp_path_factory.mktemp("pacs")
    study = generate_uid()
    write_series(folder / "a", cta(75, study_uid=study, frame_uid="1.2.3"))
    write_series(folder / "b", cta(40, study_uid=study, frame_uid="1.2.3"))
    write_series(folder / "c", calcium(study_uid=study))
    write_series(folder / "d", localiser(study))
    other = calcium()
    other.tags = {**other.tags, "PatientID": "T2", "SeriesDescription": "calcium score, best kernel 3.0"}
    write_series(folder / "e", other)
    write_dose_report(folder / "dose", study)
    write_secondary_capture(folder / "screen.dcm", study)
    (folder / "AUTORUN.INF").write_text("[autorun]")
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(500))
    (folder / "empty").write_bytes(b"")
    (folder / "loop").symlink_to(folder)
    return folder


def test_every_series_of_a_mixed_folder_is_told(pacs_folder):
    inventory = open_input(pacs_folder)
    rows = {row["description"]: row for row in listed(inventory)}
    assert rows["Topogram"]["kind"] == "localiser" and rows["screen"]["good_for"].startswith("not a CT but OT")
    assert rows["calcium score"]["chosen_as"] == "calcium"
    assert rows["calcium score, best kernel 3.0"]["chosen_as"] == ""  # another patient's: never mixed with this CCTA
    assert rows["calcium score"]["study"] != rows["calcium score, best kernel 3.0"]["study"]
    best = inventory.required("ccta")
    assert best.phase_percent == 75 and "the input mixes 2 studies" in best.chosen_because
    reasons = sorted(inventory.skipped.values())
    assert reasons == ["a DICOM file without an image (SR)", "an empty file", "not a DICOM file", "not a DICOM file"]


def test_calcium_of_another_study_is_not_taken(tmp_path):
    write_series(tmp_path / "a", cta(75))
    write_series(tmp_path / "b", calcium())
    for path in (tmp_path / "b").iterdir():
        dataset = dcmread(path)
        dataset.PatientID = "T2"
        dataset.save_as(path)
    found = open_input(tmp_path).chosen("calcium")
    assert isinstance(found, Unavailable) and "belongs to another study" in found.reason
    for path in (tmp_path / "b").iterdir():  # the same patient on the same day, though sent under another study
        dataset = dcmread(path)
        dataset.PatientID = "T1"
        dataset.save_as(path)
    assert open_input(tmp_path).chosen("calcium").kind == "calcium"


def test_the_choice_can_be_overridden_by_uid_or_number(pacs_folder):
    inventory = open_input(pacs_folder)
    systole = next(row for row in listed(inventory) if row["phase_percent"] == 40)
    for name in (systole["uid"], str(systole["number"])):
        assert inventory.chosen("ccta", ReadSettings(series_uid=name)).uid == systole["uid"]


def test_list_prints_and_gives_json(pacs_folder, capsys):
    assert run_ccta("list", pacs_folder, "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out.strip().splitlines()[-1])
    first = next(row for row in found["series"] if row["chosen_as"] == "ccta")
    told = {"kvp": 120, "kernel": "Bv40", "contrast": True, "gated": True, "phase_percent": 75, "coverage_mm": 69, "slice_spacing_mm": 1, "problem": ""}
    assert {key: first[key] for key in told} == told and first["phase_set"] == "2 phases, 40 to 75 %"
    for words in ("75 %", "study", "gated", "skipped", "4-D set"):
        assert words in out + err, words


def test_series_option_chooses_what_is_analysed(pacs_folder, tmp_path):
    number = next(row["number"] for row in listed(open_input(pacs_folder)) if row["phase_percent"] == 40)
    assert run_ccta("analyse", pacs_folder, tmp_path / "case", "--stages", "read", "--series", number) == 0
    found = json.loads((tmp_path / "case" / "findings.json").read_text())
    assert found["acquisition"]["phase_percent"] == 40 and f"number {number} of the list" in found["acquisition"]["chosen_because"]


@pytest.mark.parametrize("tags, percent, ms", [
    ({"TriggerTime": "250"}, None, 250), ({"TriggerTime": "450", "HeartRate": "60"}, 45, 450), ({"SeriesDescription": "CTA 320ms"}, None, 320),
    ({"SeriesDescription": "CTA ASiR-V 50%"}, None, None), ({"SeriesDescription": "CTA ASIR 40% Ph78%"}, 78, None), ({"TriggerTime": "0"}, None, None),
    ({"NominalPercentageOfCardiacPhase": float("nan")}, None, None),
])  # fmt: skip
def test_phase_in_percent_or_ms(tmp_path, tags, percent, ms):
    spec = cta(tags={"NominalPercentageOfCardiacPhase": None, **tags}, shape=(64, 64, 9))
    spec.tags = {key: value for key, value in spec.tags.items() if value is not None}
    write_series(tmp_path, spec)
    found = open_input(tmp_path).series[0]
    assert (found.phase_percent, found.phase_ms) == (percent, ms)


def test_multiphase_study_is_a_set_that_reads_one_phase_at_a_time(tmp_path, monkeypatch):
    study, reads = generate_uid(), []
    for percent in (90, 10, 50, 30, 70):
        spec = cta(percent, shape=(32, 24, 64), study_uid=study, frame_uid="1.2.3")
        spec.hu[:] += percent
        write_series(tmp_path / str(percent), spec)
    monkeypatch.setattr(phases, "read_volume", lambda images: reads.append(len(images)) or real_read(images))
    found = open_input(tmp_path).phase_sets
    assert len(found) == 1 and found[0].shape == (32, 24, 64, 5) and found[0].phases == (10, 30, 50, 70, 90) and found[0].unit == "%"
    assert reads == []
    for (phase, volume), count in zip(found[0], range(1, 6), strict=True):
        assert len(reads) == count and volume.array[16, 10, 32] == pytest.approx(400 + phase, abs=60)
        assert np.median(volume.array[:2, :2]) == pytest.approx(-1000 + phase, abs=5)


real_read = phases.read_volume


def test_phases_on_different_grids_are_no_set(tmp_path):
    study = generate_uid()
    for percent, z in ((40, -150.0), (75, -149.0)):
        write_series(tmp_path / str(percent), cta(percent, study_uid=study, frame_uid="1.2.3", origin_mm=(-100.0, -90.0, z)))
    assert open_input(tmp_path).phase_sets == ()


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A DICOM medium with its DICOMDIR."""
    folder = tmp_path_factory.mktemp("media")
    spec = cta(75, shape=(64, 64, 62))
    fileset = FileSet()
    for dataset in slices(spec):
        dataset.StudyTime, dataset.StudyID, dataset.SeriesNumber, dataset.AccessionNumber = "101500", "1", 2, ""
        fileset.add(dataset)
    fileset.write(folder / "medium")
    (folder / "not of the medium.txt").write_text("outside")
    return folder / "medium", spec


@pytest.mark.parametrize("name", ["", "DICOMDIR"])
def test_dicomdir_or_its_folder(media, name):
    folder, spec = media
    inventory = open_input(folder / name)
    assert len(inventory.series) == 1
    np.testing.assert_array_equal(read(inventory.required("ccta")).volume.array, spec.hu)


def test_zip_of_a_medium(media, tmp_path):
    folder, spec = media
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    scan = read(open_input(tmp_path / "study.zip").required("ccta"))
    np.testing.assert_array_equal(scan.volume.array, spec.hu)


@pytest.mark.parametrize("in_memory", [2**26, 1000], ids=["small", "large"])
@pytest.mark.parametrize("compressed", [False, True])
def test_an_enhanced_object_in_a_zip_is_unpacked_a_fixed_number_of_times(tmp_path, monkeypatch, in_memory, compressed):
    """Twice for the header, once for a look at the contrast, once for the pixels; not once per frame."""
    spec = SeriesSpec(chest_hu((64, 64, 66)), spacing_mm=SPACING_MM)
    write_enhanced(tmp_path / "e.dcm", spec)
    if compressed:
        dataset = dcmread(tmp_path / "e.dcm")
        dataset.compress(RLELossless)
        dataset.save_as(tmp_path / "e.dcm")
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "e.dcm", "e.dcm")
    opened, real = [], zipfile.ZipFile.open
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda self, name, *rest, **more: opened.append(name) or real(self, name, *rest, **more))
    monkeypatch.setattr(input_files, "IN_MEMORY_BYTES", in_memory)
    rewound, real_seek = [], zipfile.ZipExtFile.seek
    monkeypatch.setattr(zipfile.ZipExtFile, "seek", lambda self, to, whence=0: rewound.append(to) or real_seek(self, to, whence))
    found = open_input(tmp_path / "study.zip").required("ccta")
    np.testing.assert_array_equal(read(found).volume.array, spec.hu)
    assert found.files == 66 and len(opened) == 4 and len(rewound) < 20


@pytest.mark.parametrize("make, sentence", [
    (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(40) + b"PK\x05\x06" + bytes(18)), "holds no|is empty|no DICOM"),
    (lambda path: path.write_bytes(b"PK\x05\x06" + b"\xff" * 18), "damaged zip archive|no DICOM"),
])  # fmt: skip
def test_damaged_zip(tmp_path, make, sentence):
    make(tmp_path / "a.zip")
    with pytest.raises(BadInput, match=sentence):
        open_input(tmp_path / "a.zip")


def test_enhanced_ct_gives_kernel_kv_and_phase_from_its_functional_groups(tmp_path):
    spec = SeriesSpec(chest_hu((64, 64, 66)), spacing_mm=SPACING_MM, tags={})
    write_enhanced(tmp_path / "e.dcm", spec)
    dataset = dcmread(tmp_path / "e.dcm")
    del dataset.KVP, dataset.ConvolutionKernel
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for name, values in {
        "CTReconstructionSequence": {"ConvolutionKernel": "Qr36"}, "CTXRayDetailsSequence": {"KVP": 100.0},
        "CardiacSynchronizationSequence": {"NominalPercentageOfCardiacPhase": 78.0},
        "CTImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "AXIAL"]},
    }.items():  # fmt: skip
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        setattr(shared, name, [item])
    dataset.save_as(tmp_path / "e.dcm")
    found = open_input(tmp_path).required("ccta")
    assert (found.kernel, found.kvp, found.phase_percent, found.gated, found.files) == ("Qr36", 100, 78, True, 66)
    np.testing.assert_allclose(read(found).volume.array.shape, (64, 64, 66))


@pytest.mark.parametrize("charset, name, expected", [
    ("GB18030", "王^小东", "王^小东"), ("GBK", "张^吉田", "张^吉田"), ("ISO_IR 192", "王^小东=Wang", "王^小东=Wang"),
    (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东", "Zhang^XiaoDong=张^小东"), ("ISO_IR 100", "Müller^Jörg", "Müller^Jörg"),
])  # fmt: skip
def test_names_in_their_character_sets(tmp_path, charset, name, expected):
    write_datasets(tmp_path, [_named(dataset, charset, name) for dataset in slices(cta(shape=(64, 64, 9)))])
    assert read(open_input(tmp_path).series[0]).patient.name == expected


def _named(dataset, charset, name):
    dataset.SpecificCharacterSet, dataset.PatientName = charset, name
    return dataset


@pytest.mark.parametrize(
    "raw, expected", [("王^小东".encode("gb18030"), "王^小东"), ("王^小东".encode(), "王^小东"), ("Müller^J".encode("latin-1"), "Müller^J")]
)
def test_names_whose_character_set_was_not_declared(tmp_path, raw, expected):
    datasets = slices(cta(shape=(64, 64, 9)))
    for dataset in datasets:
        dataset.PatientName = raw.decode("latin-1")
        dataset.SpecificCharacterSet = "ISO_IR 100"
    for path in write_datasets(tmp_path, datasets):
        content = path.read_bytes()
        assert content.count(b"ISO_IR 100") == 1
        path.write_bytes(content.replace(b"ISO_IR 100", b"          "))
    assert read(open_input(tmp_path).series[0]).patient.name == expected


def test_anonymised_header_without_optional_tags(tmp_path):
    spec = cta(shape=(64, 64, 66))
    keep = {
        "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation", "RescaleIntercept", "RescaleSlope",
        "PixelData",
    }  # fmt: skip
    datasets = slices(spec)
    for dataset in datasets:
        for element in list(dataset):
            if element.keyword not in keep:
                del dataset[element.tag]
    datasets[0].PatientName = datasets[0].PatientID = ""
    write_datasets(tmp_path, datasets)
    scan = read(open_input(tmp_path).required("ccta"))
    np.testing.assert_array_equal(scan.volume.array, spec.hu)
    assert isinstance(scan.acquisition.kvp, Unavailable) and isinstance(scan.patient.age_years, Unavailable) and scan.acquisition.gated is None


def test_rescale_slope_may_be_absent_but_an_absurd_one_is_not_believed(tmp_path):
    spec = cta(shape=(64, 64, 66))
    datasets = slices(spec)
    for dataset in datasets:
        del dataset.RescaleSlope
    write_datasets(tmp_path / "a", datasets)
    np.testing.assert_array_equal(read(open_input(tmp_path / "a").required("ccta")).volume.array, spec.hu)
    for dataset in datasets:
        dataset.RescaleSlope = "1e30"
    write_datasets(tmp_path / "b", datasets)
    assert open_input(tmp_path / "b").series[0].good_for == "the images carry no rescale to Hounsfield units"


def test_memory_of_reading_is_bounded_by_twice_the_study(tmp_path):
    """The long table, with times, is `python -m tests.benchmarks.reading`."""
    got = measured(write_study(tmp_path / "study", 256))
    assert got["size_mib"] == 128 and got["peak_mib"] - got["list_mib"] < 1.3 * got["size_mib"]
    assert got["peak_mib"] < 2 * 256  # the whole process, for the 512 slices of which this is half


def test_phases_inside_one_enhanced_object_are_told_apart(tmp_path):
    spec = SeriesSpec(chest_hu((64, 64, 66)), spacing_mm=SPACING_MM)
    write_enhanced(tmp_path / "e.dcm", spec)
    dataset = dcmread(tmp_path / "e.dcm")
    frames = []
    for percent in (40.0, 75.0):
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            item, phase = Dataset(), Dataset()
            item.PlanePositionSequence = frame.PlanePositionSequence
            phase.NominalPercentageOfCardiacPhase = percent
            item.CardiacSynchronizationSequence = [phase]
            frames.append(item)
    first = np.frombuffer(dataset.PixelData, "<i2")
    dataset.PerFrameFunctionalGroupsSequence, dataset.NumberOfFrames = frames, len(frames)
    dataset.PixelData = np.concatenate([first, first + 7]).astype("<i2").tobytes()
    dataset.save_as(tmp_path / "e.dcm")
    inventory = open_input(tmp_path / "e.dcm")
    assert [(s.uid[-2:], s.phase_percent, s.files) for s in inventory.series] == [("#1", 40, 66), ("#2", 75, 66)]
    volumes = [volume.array for _, volume in inventory.phase_sets[0]]
    np.testing.assert_array_equal(volumes[0], spec.hu)
    np.testing.assert_array_equal(volumes[1], spec.hu + 7)


def disc(area_mm2: float, hu: float) -> np.ndarray:
    """A slice of 200 x 200 mm, 40 HU, with a disc of that area."""
    rows, columns = np.mgrid[:200, :200]
    return np.where(np.hypot(rows - 140, columns - 100) < np.sqrt(area_mm2 / np.pi), hu, 40.0)


def test_dense_vertebrae_are_no_contrast_medium_and_an_enhanced_heart_is():
    vertebra, heart = disc(1100, 220), disc(2800, 350)
    assert not has_contrast([vertebra] * 12, 1.0)
    assert has_contrast([vertebra] * 8 + [heart] * 4, 1.0) and not has_contrast([], 1.0)
