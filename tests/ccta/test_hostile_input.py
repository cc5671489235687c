"""Files made to do harm end in a result or in one of our sentences: no traceback, no hang, bounded memory, nothing written elsewhere.

The long run over 20,000 damaged files is `python -m tests.benchmarks.hostile_input`; here a few hundred of them, and the known tricks one by one.
"""

import gzip
import io
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ccta.case import Case
from ccta.errors import BadInput, CctaError
from ccta.model import Volume
from ccta.reading.study import open_input, read
from tests.benchmarks.hostile_input import Batch
from tests.benchmarks.hostile_seeds import damaged, escaped, examine, make_room, seeds
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, slices, write_datasets, write_series
from tests.conftest import run_ccta

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    make_room(folder)
    return folder


@settings(max_examples=250, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(drawn=damaged(seeds()))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_end_in_a_result_or_in_our_error(room, drawn):
    outcome = examine(room, *drawn)
    assert outcome == "result" or issubclass(getattr(__import__("ccta.errors", fromlist=["x"]), outcome), CctaError)
    assert escaped(room) == [] and (room / "guard").read_text() == "untouched"


class Faulty:
    """Tools whose reader raises what it should not."""

    make_room, escaped = staticmethod(lambda folder: folder.mkdir()), staticmethod(lambda folder: [])

    @staticmethod
    def examine(*words, **more):
        raise KeyError("Rows")


def test_the_harness_finds_a_foreign_exception(tmp_path):
    batch = Batch(tmp_path, Faulty)
    batch.try_one(".dcm", b"anything")
    assert batch.outcomes["FINDING"] == 1 and next(iter(batch.findings)).startswith("KeyError")
    assert (tmp_path / "finding-0.dcm").read_bytes() == b"anything"


HANGING = """
import sys, time
from pathlib import Path
from tests.benchmarks import hostile_input
from tests.ccta.test_hostile_input import Faulty
hostile_input.HANG_S = 0.2
Faulty.examine = staticmethod(lambda *words, **more: time.sleep(1e6))
hostile_input.Batch(Path(sys.argv[1]), Faulty).try_one(".dcm", b"slow")
"""


def test_the_harness_ends_a_hang_and_keeps_its_file(tmp_path):
    done = subprocess.run([sys.executable, "-c", HANGING, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0 and "Timeout" in done.stderr
    assert (tmp_path / "in_hand").read_bytes().endswith(b"slow")


def absurd_files(folder: Path) -> None:
    """Headers that claim far more than their files hold, and bombs."""
    folder.mkdir()
    series = slices(SeriesSpec(chest_hu((16, 16, 3))))
    series[0].Rows = series[0].Columns = 65535
    series[1].NumberOfFrames = "999999999"
    series[2].PixelSpacing = ["1e-300", "1e300"]
    for number, dataset in enumerate(series):
        write_datasets(folder / f"dicom{number}", [dataset])
    bomb = slices(SeriesSpec(chest_hu((16, 16, 1))))[0]
    bomb.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    stream = io.BytesIO()
    bomb.save_as(stream, enforce_file_format=True)
    head = stream.getvalue()[: 144 + int.from_bytes(stream.getvalue()[140:144], "little")]
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    mebibyte = deflate.compress(bytes(2**20)) + deflate.flush(zlib.Z_FULL_FLUSH)  # stands alone, so that it can be repeated
    (folder / "deflated.dcm").write_bytes(head + mebibyte * 1030 + deflate.flush())
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(128) + b"DICM" + bytes(1234567 - 132))
    (folder / "bomb.zip").write_bytes(box.getvalue().replace((1234567).to_bytes(4, "little"), (2_100_000_000).to_bytes(4, "little")))
    image = nibabel.Nifti1Image(np.zeros((9, 9, 9), np.int16), np.eye(4))
    image.header["dim"][1:4] = 30000
    (folder / "a.nii").write_bytes(image.header.binaryblock + bytes(4000))
    (folder / "a.nii.gz").write_bytes(gzip.compress(image.header.binaryblock + bytes(4000)))
    (folder / "a.nrrd").write_text("NRRD0004\ntype: short\ndimension: 3\nsizes: 30000 30000 30000\nencoding: gzip\nendian: little\n\nx")
    (folder / "a.mha").write_text("ObjectType = Image\nNDims = 3\nDimSize = 30000 30000 30000\nElementType = MET_SHORT\nElementDataFile = LOCAL\nx")


OPENED = """
import sys
from ccta.errors import CctaError
from ccta.reading.study import open_input, read
from pathlib import Path
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        for series in open_input(path).series:
            read(series)
        print(path.name, "read")
    except CctaError as error:
        print(path.name, "refused", error)
print("peak_gib", int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 2**20)
"""


def test_absurd_sizes_and_bombs_are_refused_in_bounded_memory(tmp_path):
    absurd_files(tmp_path / "in")
    done = subprocess.run([sys.executable, "-c", OPENED, tmp_path / "in"], cwd=ROOT, capture_output=True, text=True)
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert done.returncode == 0, done.stderr
    assert float(lines.pop("peak_gib")) < 1.0
    assert len(lines) == 9 and all(said.startswith("refused") for said in lines.values()), lines
    for name, words in {
        "dicom0": "claims 65535 x 65535 pixels", "dicom1": "truncated", "deflated.dcm": "holds more than 1.1 GB", "bomb.zip": "claims to unpack to 2.1 GB",
        "a.nii": "claims 30000 x 30000 x 30000 voxels", "a.nrrd": "claims 30000 x 30000 x 30000 voxels", "a.mha": "claims 30000 x 30000 x 30000 voxels",
    }.items():  # fmt: skip
        assert words in lines[name], lines[name]


@pytest.mark.parametrize("name, text", [
    ("a.mhd", "ObjectType = Image\nNDims = 3\nDimSize = 9 9 9\nElementType = MET_SHORT\nElementDataFile = {}\n"),
    ("a.nhdr", "NRRD0004\ntype: short\ndimension: 3\nsizes: 9 9 9\nencoding: raw\nendian: little\ndata file: {}\n"),
])  # fmt: skip
@pytest.mark.parametrize("target", ["/etc/passwd", "../secret.raw"])
def test_a_header_that_names_a_file_elsewhere_is_not_followed(tmp_path, name, text, target):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(bytes(9 * 9 * 9 * 2))
    (tmp_path / "in" / name).write_text(text.format(target))
    with pytest.raises(BadInput, match="outside its own folder"):
        open_input(tmp_path / "in" / name)
    (tmp_path / "in" / "beside.raw").write_bytes((chest_hu((9, 9, 9)).T).tobytes())
    (tmp_path / "in" / name).write_text(text.format("beside.raw"))
    assert open_input(tmp_path / "in" / name).series[0].kind


def test_zip_with_links_and_hostile_names(tmp_path):
    spec = SeriesSpec(chest_hu((16, 16, 9)))
    paths = write_series(tmp_path / "in", spec)
    archive = tmp_path / "box" / "study.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as box:
        for number, path in enumerate(paths):
            box.write(path, ("../../escape/", "/tmp/escape/", "C:\\escape\\")[number % 3] + f"{number}.dcm")
        link = zipfile.ZipInfo("link.dcm")
        link.external_attr = (0o120777) << 16
        box.writestr(link, "/etc/passwd")
    inventory = open_input(archive)
    np.testing.assert_array_equal(read(inventory.series[0]).volume.array, spec.hu)
    assert inventory.skipped == {"link.dcm": "not a DICOM file"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["box", "in"] and not Path("/tmp/escape").exists()


def test_folder_with_links_pipes_and_loops(tmp_path):
    spec = SeriesSpec(chest_hu((16, 16, 9)))
    folder = tmp_path / "in"
    write_series(folder / "series", spec)
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "gone").symlink_to(tmp_path / "nothing")
    (folder / "endless").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    inventory = open_input(folder)
    assert len(inventory.series) == 1 and inventory.skipped == {}
    np.testing.assert_array_equal(read(inventory.series[0]).volume.array, spec.hu)
    with pytest.raises(BadInput, match="neither a file nor a folder"):
        open_input(folder / "pipe")


def test_links_inside_a_case_are_replaced_not_followed(tmp_path):
    case = Case.create(tmp_path / "case")
    for name in ("image.nii.gz", "findings.json", "case.toml"):
        (tmp_path / f"victim {name}").write_text("mine")
        (case.root / name).symlink_to(tmp_path / f"victim {name}")
    case.write_volume("image", Volume(np.zeros((8, 8, 8), np.int16), np.eye(4)))
    case.write_json("findings", "{}")
    (tmp_path / "settings.toml").write_text("[report]\nlanguage = 'en'\n")
    write_series(tmp_path / "study", SeriesSpec(chest_hu((64, 64, 62)), spacing_mm=(5, 4, 1.0)))
    assert run_ccta("analyse", tmp_path / "study", case.root, "--stages", "read", "--settings", tmp_path / "settings.toml") == 0
    assert all(path.read_text() == "mine" for path in tmp_path.glob("victim *"))


def test_text_of_a_header_is_neither_markup_nor_a_terminal_command(tmp_path, capsys):
    tags = {"SeriesDescription": "[/red] [link=x]\x1b[2J\x07", "ConvolutionKernel": "[bold"}
    write_series(tmp_path, SeriesSpec(chest_hu((16, 16, 9)), tags=tags))
    assert run_ccta("list", tmp_path) == 0
    out = capsys.readouterr().out
    assert "[/red] [link=x]" in out and "\x1b[2J" not in out and "\x07" not in out


def test_settings_that_name_a_series_cannot_name_a_path(tmp_path, capsys):
    write_series(tmp_path / "study", SeriesSpec(chest_hu((64, 64, 62)), spacing_mm=(5, 4, 1.0)))
    assert run_ccta("analyse", tmp_path / "study", tmp_path / "case", "--stages", "read", "--series", "../../etc/passwd") == 2
    assert "does not hold" in capsys.readouterr().err
