"""Bad input through the command line: one clear sentence, exit code 2, nothing half-written."""

import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ccta.case import Case
from ccta.cli import main as command_line
from ccta.model import Volume
from tests.ccta.dicom_makers import SeriesSpec, chest_hu, write_brain_mr, write_series


def run(monkeypatch, capsys, *words) -> tuple[int, str]:
    """(exit code, what was printed to stderr) of `ccta WORDS`, in this process."""
    monkeypatch.setattr(sys, "argv", ["ccta", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        command_line.main()
    return stop.value.code, capsys.readouterr().err


def sentence_of(code, err) -> str:
    """The last line, after checking that it is one sentence of ours and no traceback."""
    assert code == 2, err
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("ccta: ") and len(last) > 30
    return last


def coronary_ct(folder, skip=()):
    hu = chest_hu(shape=(64, 64, 60))
    return write_series(folder, SeriesSpec(hu, spacing_mm=(2.5, 2.5, 2.0)), skip=skip)


@pytest.fixture
def analyse(monkeypatch, capsys, tmp_path):
    return lambda source: sentence_of(*run(monkeypatch, capsys, "analyse", source, tmp_path / "case", "--flow", "none"))


def nothing_written(tmp_path):
    case = tmp_path / "case"
    return not case.exists() or {p.name for p in case.iterdir()} <= {"case.json"}


def test_empty_folder(analyse, tmp_path):
    (tmp_path / "study").mkdir()
    assert "empty" in analyse(tmp_path / "study") and nothing_written(tmp_path)


def test_missing_folder(analyse, tmp_path):
    assert "does not exist" in analyse(tmp_path / "study") and nothing_written(tmp_path)


def test_folder_of_jpegs(analyse, tmp_path):
    (tmp_path / "study").mkdir()
    for index in range(3):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "study" / f"{index}.jpg")
    sentence = analyse(tmp_path / "study")
    assert "JPEG" in sentence and "DICOM" in sentence and nothing_written(tmp_path)


def test_truncated_dicom(analyse, tmp_path):
    first, *others = coronary_ct(tmp_path / "study")
    for path in others:
        path.unlink()
    first.write_bytes(first.read_bytes()[:2000])
    sentence = analyse(tmp_path / "study")
    assert first.name in sentence and nothing_written(tmp_path)


def test_one_truncated_slice_among_many(analyse, tmp_path):
    path = coronary_ct(tmp_path / "study")[20]
    path.write_bytes(path.read_bytes()[:2000])
    sentence = analyse(tmp_path / "study")
    assert path.name in sentence and nothing_written(tmp_path)


def test_brain_mr(analyse, tmp_path):
    write_brain_mr(tmp_path / "study")
    assert "MR" in analyse(tmp_path / "study") and nothing_written(tmp_path)


def test_missing_slice_is_named_with_its_place(analyse, tmp_path):
    coronary_ct(tmp_path / "study", skip=(17,))
    sentence = analyse(tmp_path / "study")
    assert "missing" in sentence and "mm" in sentence and nothing_written(tmp_path)


def test_a_folder_with_other_things_is_not_taken_for_a_case(monkeypatch, capsys, tmp_path):
    coronary_ct(tmp_path / "study")
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "thesis.txt").write_text("mine")
    assert "not empty" in sentence_of(*run(monkeypatch, capsys, "analyse", tmp_path / "study", tmp_path / "case"))
    assert [p.name for p in (tmp_path / "case").iterdir()] == ["thesis.txt"]


def test_unknown_setting_and_unknown_stage(monkeypatch, capsys, tmp_path):
    (tmp_path / "s.toml").write_text("[flow]\nhyperemia = 0.24\n")
    coronary_ct(tmp_path / "study")
    words = ("analyse", tmp_path / "study", tmp_path / "case")
    assert "hyperemia" in sentence_of(*run(monkeypatch, capsys, *words, "--settings", tmp_path / "s.toml"))
    assert "there is no stage colour" in sentence_of(*run(monkeypatch, capsys, *words, "--stages", "colour"))
    assert nothing_written(tmp_path)


def test_later_stage_without_the_earlier_one(monkeypatch, capsys, tmp_path):
    Case.create(tmp_path / "case")
    assert "first" in sentence_of(*run(monkeypatch, capsys, "tree", tmp_path / "case"))


def test_usage_error(monkeypatch, capsys):
    assert "--help" in sentence_of(*run(monkeypatch, capsys, "analyse"))


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def test_full_disk_keeps_what_was_there(tmp_path):
    """The system refuses to let a file grow, as on a full disk: the stage says so and leaves no half file."""
    coronary_ct(tmp_path / "study")
    words = [sys.executable, "-m", "ccta.cli.main", "analyse", tmp_path / "study", tmp_path / "case", "--stages", "read"]
    done = subprocess.run(words, preexec_fn=limit_files, capture_output=True, text=True)
    sentence = sentence_of(done.returncode, done.stderr)
    assert "could not be written" in sentence and "--resume" in sentence
    assert not [p for p in (tmp_path / "case").iterdir() if p.name.startswith(".partial") or p.name.startswith("image")]
    again = subprocess.run([*words, "--resume"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert Case.open(tmp_path / "case").read_volume("image").array.shape == (64, 64, 60)


HALF_WRITTEN = """
import sys
from pathlib import Path
from ccta.case import Case
with Case(Path(sys.argv[1])).writing("image") as path:
    path.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_killed_stage_is_resumed(tmp_path):
    """SIGKILL in the middle of writing the image; --resume repeats the stage, and no temporary file stays."""
    case = Case.create(tmp_path / "case")
    process = subprocess.Popen([sys.executable, "-c", HALF_WRITTEN, case.root], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    process.kill()
    process.wait()
    assert list(case.root.glob(".partial-*")) and not case.path("image").exists()
    coronary_ct(tmp_path / "study")
    words = [sys.executable, "-m", "ccta.cli.main", "analyse", tmp_path / "study", case.root, "--stages", "read", "--resume"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert case.path("image").exists() and not list(case.root.glob(".partial-*"))


def test_damaged_image_of_a_case(monkeypatch, capsys, tmp_path):
    case = Case.create(tmp_path / "case")
    case.write_volume("image", Volume(np.zeros((8, 8, 8), np.int16), np.eye(4)))
    case.path("image").write_bytes(case.path("image").read_bytes()[:50])
    assert "damaged" in sentence_of(*run(monkeypatch, capsys, "segment", case.root))
