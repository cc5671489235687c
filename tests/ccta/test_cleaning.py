"""What is imposed on the network's map: loose pieces go to the next likely place or to none, and what is in one piece stays as it was."""

import numpy as np

from ccta.networks.cleaning import cleaned
from ccta.tissues import PLACES, PlaceMap

SHAPE = (30, 30, 30)


def heart() -> np.ndarray:
    """LV in muscle, RV before it, LA behind, the LAD upon it, aorta above; descending aorta apart."""
    label = np.zeros(SHAPE, np.uint8)
    label[6:24, 6:24, 6:20] = PLACES["heart"]
    label[10:20, 10:20, 8:16] = PLACES["myocardium"]
    label[12:18, 12:18, 10:14] = PLACES["lv"]
    label[10:20, 8:10, 8:16] = PLACES["rv"]
    label[10:20, 20:22, 8:16] = PLACES["la"]
    label[14:16, 14:16, 14:24] = PLACES["aorta"]
    label[8, 8, 8:16] = PLACES["LAD"]
    label[14:18, 27:30, :] = PLACES["descending_aorta"]
    return label


def places(label: np.ndarray, second: np.ndarray | None = None) -> PlaceMap:
    """Each voxel's label with 0.6, and `second` (0 unless given) with 0.4."""
    probability = np.zeros((max(PLACES.values()) + 1, *SHAPE), np.float16)
    np.put_along_axis(probability, label[None].astype(int), 0.6, axis=0)
    other = np.zeros(SHAPE, int) if second is None else second.astype(int)
    np.put_along_axis(probability, other[None], np.where(other == label, 1.0, 0.4)[None].astype(np.float16), axis=0)
    return PlaceMap(probability, np.diag([2.0, 2, 2, 1]))


def test_a_heart_in_one_piece_stays_as_it_is():
    given = places(heart())
    np.testing.assert_allclose(cleaned(given).probability, given.probability, atol=1e-3)


def test_a_loose_piece_goes_to_the_next_likely_place():
    wrong, truth = heart(), heart()
    wrong[13:16, 20:22, 10:12] = PLACES["pulmonary_artery"]  # in the left atrium, and a larger one where it belongs
    wrong[8:20, 8:10, 18:20] = truth[8:20, 8:10, 18:20] = PLACES["pulmonary_artery"]
    wrong[0:4, 0:4, 0:2] = PLACES["rv"]  # in the liver, twice as far as any heart
    np.testing.assert_array_equal(cleaned(places(wrong, truth)).label, truth)


def test_fat_and_arteries_far_from_the_heart_are_none():
    label = heart()
    label[0:3, 0:3, 26:29] = PLACES["LCx"]
    label[26:29, 0:3, 0:3] = PLACES["heart"]
    np.testing.assert_array_equal(cleaned(places(label)).label, heart())


def test_a_map_without_a_heart_is_left_alone():
    nothing = places(np.zeros(SHAPE, np.uint8))
    np.testing.assert_array_equal(cleaned(nothing).label, 0)
