"""Phases of the heart beat in a case: kept whole or not at all, compared through the same place, small enough to be played."""

import asyncio
import shutil
from dataclasses import replace

import numpy as np
import pytest
from trame.app import get_server

from ccta.case import Case
from ccta.coordinates import to_patient_mm
from ccta.errors import BadInput
from ccta.model import Volume
from ccta.phases import halved, keep_phases, phases_of
from ccta.reading.dicom_files import scan
from ccta.reading.dicom_series import grouped
from ccta.reading.source import source_of
from tests.ccta.dicom_makers import write_series
from tests.ccta.test_reading_choice import cta
from tests.conftest import run_ccta
from tests.viewer.small_case import small_study, write_small_case
from viewer.app import logic
from viewer.app.room import ReadingRoom
from viewer.app.study import load_study
from viewer.app.views.phases import next_phase, on_phase, phase_image, twin_picture
from viewer.app.words import NotPossible


class Beat:
    """Four phases of an image that moves by some voxels; the third is the image itself."""

    phases, unit = (35.0, 45.0, 75.0, 85.0), "%"

    def __init__(self, volume: Volume):
        self._volume = volume

    def volume(self, index: int) -> Volume:
        return self._volume.with_array(np.roll(self._volume.array, 3 * (2 - index), axis=0))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases") / "case"
    study = write_small_case(folder)
    keep_phases(Case.open(folder), Beat(study.volume), 2, lambda *_: None)
    return folder


def test_what_was_kept_comes_back(root):
    study = load_study(root)
    assert len(study.phases) == 4 and study.phases.name(0) == "35 %" and study.phases.analysed == 2
    np.testing.assert_array_equal(phase_image(study, 2, False).array, study.volume.array)
    assert (phase_image(study, 0, False).array != study.volume.array).any()


def test_a_copy_that_was_broken_off_is_none(tmp_path):
    study = write_small_case(tmp_path / "case")
    case = Case.open(tmp_path / "case")
    keep_phases(case, Beat(study.volume), 2, lambda *_: None)

    def full_disk(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_phases(case, Beat(study.volume), 2, full_disk)
    assert phases_of(case) is None
    case.path("phases", "index.json").write_text("[")
    with pytest.raises(BadInput, match="ccta phases"):
        phases_of(case)


def test_the_command_finds_the_phase_that_was_analysed_among_those_of_one_series(tmp_path):
    known = {"study_uid": "1.2.3", "frame_uid": "1.2.4", "uid": "1.2.5", "shape": (32, 24, 64)}
    for percent in (35, 75):
        write_series(tmp_path / "study", cta(percent, **known))
    write_small_case(tmp_path / "case")
    case = Case.open(tmp_path / "case")
    case.write_source("source", source_of(list(grouped(scan(tmp_path / "study").images).values())[1]))
    assert run_ccta("phases", tmp_path / "study", tmp_path / "case") == 0
    kept = phases_of(case)
    assert kept.phases == [35.0, 75.0] and kept.analysed == 1
    shutil.rmtree(tmp_path / "study")
    for percent in (35, 75):
        write_series(tmp_path / "study", cta(percent, **known | {"uid": "1.2.6"}))
    assert run_ccta("phases", tmp_path / "study", tmp_path / "case") == 2 and phases_of(case) == kept


def test_the_compared_phase_is_cut_through_the_same_place(root):
    study = load_study(root)
    state = logic.opened(study)
    on_phase(state, study, 2)
    same = twin_picture(study, state, "axial", False)
    on_phase(state, study, 0)
    moved = twin_picture(study, state, "axial", False)
    assert same and moved and same != moved and next_phase(state, study) == 1
    on_phase(state, study, 99)
    assert state.views.phase == 3 and next_phase(state, study) == 0
    on_phase(state, study, -1)
    assert twin_picture(study, state, "axial", False) == ""


@pytest.mark.parametrize("shape", [(8, 6, 4), (7, 6, 5), (4, 4, 1)])
def test_a_phase_at_half_the_resolution_stays_in_its_place(shape):
    affine = np.array([[0.5, 0, 0, -3.0], [0, 0.4, 0.1, 9.0], [0, 0, 0.6, 2.0], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    ramp = (100 * to_patient_mm(index, affine) @ [1.0, 2.0, 3.0]).astype(np.int16)
    small = halved(Volume(ramp, affine))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in small.array.shape), indexing="ij"), axis=-1)
    np.testing.assert_allclose(small.array, 100 * to_patient_mm(index, small.affine) @ [1.0, 2.0, 3.0], atol=1.6)


def test_a_case_without_phases_says_so():
    study = small_study()
    for action in (lambda state: on_phase(state, study, 0), lambda state: next_phase(state, study)):
        with pytest.raises(NotPossible, match="ccta phases"):
            action(logic.opened(study))


def test_phases_are_played_and_stop_where_they_stand(root):
    room = ReadingRoom(load_study(root), "phases", get_server("phases", client_type="vue3"))
    seen = set()

    async def story():
        await room.compare(1)
        still = room.state.twin_axial
        await room.play()
        while len(seen - {still}) < 4:  # all four at half the resolution
            await asyncio.sleep(0.02)
            seen.add(room.state.twin_axial)
        assert room.state.playing
        await room.play()
        assert not room.state.playing and room.state.compared == room.reading.views.phase >= 0

    asyncio.run(story())
    asyncio.run(room.compare(-1))
    assert room.state.compared == -1 and room.state.twin_axial == ""
    asyncio.run(room.compare("no number"))
    assert room.state.compared == -1 and room.state.problem
    room.study = replace(room.study, phases=None)
    asyncio.run(room.play())
    assert "ccta phases" in room.state.problem
