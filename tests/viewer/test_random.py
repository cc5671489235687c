"""Three short sessions of random clicks through the page's handlers; the long ones, with memory, are in `make bench-viewer`."""

import logging

import numpy as np
import pytest
from trame.app import get_server

from tests.viewer.random_reading import click, events, settled
from tests.viewer.small_case import small_study
from viewer.app.room import ReadingRoom


@pytest.fixture(scope="module")
def room():
    return ReadingRoom(small_study(), "random", get_server("random", client_type="vue3"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_is_clicked_nothing_breaks(room, caplog, seed):
    settled(room)
    for event in events(seed, 200, room):
        with caplog.at_level(logging.ERROR):
            click(room, event)
        odd = any(isinstance(value, float) and not 0 <= value <= 1 for value in event[1:])
        assert odd or not caplog.records, f"{event}: {caplog.text}"
        caplog.clear()
        reading = room.reading
        assert 0 <= reading.branch < 3 and 0 <= reading.distance_mm <= room.study.branch(reading.branch).length_mm
        assert np.isfinite([*reading.position_mm, reading.level_hu, reading.width_hu, reading.cpr_angle_deg]).all()
        assert reading.lesion == -1 or room.study.stenoses[reading.lesion].branch == reading.branch
        assert room.state.axial_image and room.state.cross_image and room.state.cpr_image
        assert all(np.isfinite(np.array(one.points_mm)).all() for one in reading.tools.measures)
