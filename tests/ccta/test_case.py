"""The Case directory: round trips, atomic writes, provenance and staleness."""

import errno
import os

import numpy as np
import pytest

from ccta.case import Case
from ccta.errors import BadInput, MissingStage, Refusal, StorageFailed
from ccta.findings import Acquisition
from ccta.model import Branch, CoronaryTree, CrossSections, Unavailable, Volume
from ccta.runner import Stage, is_current, run_stages, select, stale_stages
from ccta.settings import Settings
from ccta.storage import atomic_path


def quiet(_name):
    return lambda message, share=None: None


def make_volume(seed=0):
    affine = np.array([[0.4, 0, 0.1, -20], [0, 0.4, 0, -30], [0, 0, 0.5, 100], [0, 0, 0, 1]])
    return Volume(np.random.default_rng(seed).integers(-1000, 1000, (6, 5, 4)).astype(np.int16), affine, "1.2.3")


def make_tree():
    points = np.stack([np.linspace(0, 10, 11), np.zeros(11), np.zeros(11)], axis=1)
    main = Branch(points, np.full(11, 1.5), segment=np.full(11, 6), name="LAD")
    side = Branch(points[:5, [1, 0, 2]] + [4, 0, 0], np.full(5, 1.0), parent=0, parent_distance_mm=4.0, name="D1")
    return CoronaryTree((main, side), "right")


def make_sections(branch=0, count=3):
    z = np.zeros((count, 3))
    u, v, n = (np.tile(np.eye(3)[axis], (count, 1)) for axis in (1, 2, 0))
    lumen = np.random.default_rng(branch).uniform(1, 2, (count, 16))
    return CrossSections(branch, np.arange(count) * 0.25, z, n, u, v, lumen, lumen + 0.5, np.full(count, 0.1), np.arange(count) != 1)


def test_volume_survives_the_disk_in_place(tmp_path):
    case, volume = Case.create(tmp_path / "case"), make_volume()
    case.write_volume("image", volume)
    back = case.read_volume("image")
    np.testing.assert_array_equal(back.array, volume.array)
    np.testing.assert_allclose(back.affine, volume.affine, atol=1e-5)
    assert back.array.dtype == np.int16 and back.frame_of_reference_uid == "1.2.3"


def test_tree_and_sections_survive_the_disk(tmp_path):
    case, tree = Case.create(tmp_path / "case"), make_tree()
    case.write_tree(tree)
    back = case.read_tree()
    assert [b.name for b in back] == ["LAD", "D1"] and back.dominance == "right" and back.branches[1].parent == 0
    sections = [make_sections(0), make_sections(1, 2)]
    case.write_sections(sections)
    for before, after in zip(sections, case.read_sections(), strict=True):
        np.testing.assert_allclose(after.lumen_radius_mm, before.lumen_radius_mm, atol=1e-5)
        np.testing.assert_allclose(after.wall_radius_mm, before.wall_radius_mm, atol=1e-5)
        np.testing.assert_array_equal(after.reliable, before.reliable)


def test_findings_keep_other_sections_and_reasons(tmp_path):
    case = Case.create(tmp_path / "case")
    case.update_findings(acquisition=Acquisition(kvp=120))
    case.update_findings(calcium=Unavailable("no series without contrast"))
    assert case.findings().acquisition.kvp == 120
    assert case.findings().calcium == Unavailable("no series without contrast")
    assert '"unavailable": "no series without contrast"' in case.path("findings").read_text()


def test_full_disk_leaves_the_old_file_and_no_half_one(tmp_path):
    target = tmp_path / "findings.json"
    target.write_text("old")
    with pytest.raises(StorageFailed, match="No space left"), atomic_path(target) as path:
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["findings.json"]


def test_left_over_temporary_files_are_swept(tmp_path):
    case = Case.create(tmp_path / "case")
    (case.root / ".partial-abc.nii.gz").write_bytes(b"half")
    Case.create(case.root)
    assert not list(case.root.glob(".partial-*"))


def test_a_directory_with_other_things_is_no_case(tmp_path):
    (tmp_path / "holiday.txt").write_text("sun")
    with pytest.raises(BadInput, match="not empty"):
        Case.create(tmp_path)
    with pytest.raises(BadInput, match="not a case"):
        Case.open(tmp_path)


def test_missing_item_names_its_command(tmp_path):
    with pytest.raises(MissingStage, match="ccta tree"):
        Case.create(tmp_path / "case").require("tree")


def read_stage(volume):
    return Stage("read", (), ("image",), lambda case, settings, progress: case.write_volume("image", volume), settings=("read",))


def heart_stage(calls):
    def run(case, settings, progress):
        calls.append("segment")
        case.write_volume("heart", case.read_volume("image").with_array(np.ones((6, 5, 4), np.uint8)))
        return {"coronary": "voxels of 1.5 mm"}

    return Stage("segment", ("image",), ("heart", "coronary"), run)


def test_resume_skips_what_is_current_and_repeats_what_is_stale(tmp_path):
    case, calls = Case.create(tmp_path / "case"), []
    segment = heart_stage(calls)
    stages = [read_stage(make_volume(0)), segment]
    run_stages(case, stages, Settings(), quiet)
    assert is_current(case, segment, Settings()) and stale_stages(case, stages, Settings()) == []
    run_stages(case, stages, Settings(), quiet, resume=True)
    assert calls == ["segment"]
    case.write_volume("image", make_volume(1))
    assert stale_stages(case, stages, Settings()) == ["segment"]
    run_stages(case, [segment], Settings(), quiet, resume=True)
    assert calls == ["segment", "segment"]


def test_a_refusal_is_passed_on_with_its_reason(tmp_path):
    def refuse(case, settings, progress):
        raise Refusal("the voxels are too large")

    case = Case.create(tmp_path / "case")
    stages = [Stage("read", (), ("image",), refuse), Stage("segment", ("image",), ("heart", "findings.heart"), refuse)]
    results = run_stages(case, stages, Settings(), quiet)
    assert [r.status for r in results] == ["refused", "refused"]
    assert case.unavailable("heart") == case.findings().heart == Unavailable("the voxels are too large")


def test_a_single_file_can_be_refused(tmp_path):
    case = Case.create(tmp_path / "case")
    later = Stage("tree", ("coronary",), ("tree",), lambda case, settings, progress: pytest.fail("must not run"))
    results = run_stages(case, [read_stage(make_volume()), heart_stage([]), later], Settings(), quiet)
    assert [r.status for r in results] == ["done", "done", "refused"]
    assert case.unavailable("tree") == Unavailable("voxels of 1.5 mm")


def test_a_killed_stage_leaves_the_case_readable_and_is_repeated(tmp_path):
    case = Case.create(tmp_path / "case")

    def killed(case, settings, progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stages(case, [read_stage(make_volume()), Stage("segment", ("image",), ("heart",), killed)], Settings(), quiet)
    calls = []
    results = run_stages(Case.open(case.root), [read_stage(make_volume()), heart_stage(calls)], Settings(), quiet, resume=True)
    assert [r.status for r in results] == ["current", "done"] and calls == ["segment"]


def test_an_unknown_stage_is_named():
    with pytest.raises(BadInput, match="there is no stage colour; the stages are read"):
        select([read_stage(make_volume())], ["colour"])
