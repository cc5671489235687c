"""Training images: the chest map holds the patient's anatomy, warps and scans keep places and HU where they belong, everything follows from the seed."""

import numpy as np
import pytest
from scipy import ndimage

from ccta.coordinates import to_index, to_patient_mm
from ccta.model import SEGMENTS, VESSELS
from ccta.networks.map_store import MapStore
from ccta.networks.synthesis import FIELD_STEP, limit_view, sampled, scanned, training_pair
from ccta.networks.synthetic_calcium import add_calcium
from ccta.networks.windows import PATCH
from ccta.phantom.chest_map import HALF_MM, MIDDLE_MM, chest_map, wide_patient
from ccta.phantom.heart import at
from ccta.tissues import CODE, MAP_STEP_MM, OFF_SCALE_MM, PLACES, TISSUES

SEED = 7
AFFINE = np.diag([MAP_STEP_MM, MAP_STEP_MM, MAP_STEP_MM, 1.0])
AFFINE[:3, 3] = MIDDLE_MM - HALF_MM
PLACE_OF = np.array([PLACES.get(tissue.place, 0) for tissue in TISSUES], np.uint8)


@pytest.fixture(scope="module")
def chest():
    return chest_map(SEED)


def index_of(points_mm):
    return tuple(np.rint(to_index(np.asarray(points_mm), AFFINE)).astype(int).T)


def test_the_map_holds_the_patients_heart_and_arteries(chest):
    patient = wide_patient(SEED)
    middle = to_patient_mm(at(30, 0, 0), patient.anatomy.to_patient)
    assert chest.tissue[index_of(middle)] == CODE["lv"]
    for branch in patient.tree:
        names = np.array([PLACES[SEGMENTS[s][1]] for s in branch.segment])
        where = index_of(branch.points_mm)
        assert (chest.vessel[where] == names).mean() > 0.8  # where branches meet, the nearer one has the voxel
        assert (chest.off_lumen[where] * OFF_SCALE_MM < 0.8).all()  # half the diagonal of a voxel beyond the thinnest lumen
    assert set(np.unique(chest.vessel)) == {0, *(PLACES[vessel] for vessel in VESSELS)}
    assert (chest.vessel[chest.off_lumen == 127] == 0).mean() > 0.99


def test_the_map_has_what_a_scan_shows_about_the_heart(chest):
    """An aortic arch that joins the descending aorta, air in the bronchi, and cavae and lung veins that are no atrium."""
    tissue = chest.tissue
    parts, _ = ndimage.label(np.isin(tissue, [CODE["aorta"], CODE["descending_aorta"]]))
    both = [set(np.unique(parts[tissue == CODE[name]])) for name in ("aorta", "descending_aorta")]
    assert both[0] & both[1]
    inner = tissue[40:-40, 40:-40]
    assert all((inner == CODE[name]).sum() * MAP_STEP_MM**3 > 2000 for name in ("cava", "lung_veins", "lung_arteries", "air", "liver"))
    for name in ("cava", "lung_veins"):
        assert PLACE_OF[CODE[name]] == 0


def test_maps_are_kept_and_made_once(tmp_path, chest):
    made = []
    store = MapStore(tmp_path, lambda seed: made.append(seed) or chest)
    first, second = store(3), store(3)
    assert made == [3]
    np.testing.assert_array_equal(first.tissue, second.tissue)
    np.testing.assert_array_equal(second.off_lumen, chest.off_lumen)


def test_pairs_follow_from_the_seed(chest):
    first, again, other = (training_pair(chest, np.random.default_rng(n)) for n in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].shape == first[1].shape == PATCH and not np.array_equal(first[0], other[0])
    assert first[0].dtype == np.float32 and first[1].max() <= max(PLACES.values()) and np.isfinite(first[0]).all()


def test_without_a_warp_the_map_comes_back(chest):
    """On the map's own voxels: places exactly, HU of the tissue where no other is near."""
    field = np.zeros((3, *[n // FIELD_STEP + 2 for n in PATCH]))
    low = np.array(chest.tissue.shape) // 2 - np.array(PATCH) // 2
    table = np.arange(len(TISSUES), dtype=np.float32) * 10
    image, tissue, off, place = sampled((chest.tissue, chest.off_lumen, chest.vessel), (table, PLACE_OF), (np.eye(3), low.astype(float), field), PATCH)
    box = tuple(slice(a, a + n) for a, n in zip(low, PATCH, strict=True))
    np.testing.assert_array_equal(tissue, chest.tissue[box])
    away = off > 3
    np.testing.assert_array_equal(place[away], PLACE_OF[tissue][away])
    near = (off < 2.4) & (chest.vessel[box] > 0)
    assert near.any() and np.array_equal(place[near], chest.vessel[box][near])
    np.testing.assert_allclose(image[away], table[tissue][away])
    assert np.median(image[off < -0.9]) == pytest.approx(table[CODE["artery"]], rel=0.2)


def test_calcium_changes_the_image_and_not_the_places(chest):
    rng = np.random.default_rng(0)
    tissue = np.full(PATCH, CODE["pericardial_fat"], np.uint8)
    place, off = np.full(PATCH, PLACES["heart"], np.uint8), np.full(PATCH, 99.0, np.float32)
    off[30:34, 30:34, 5:40], place[28:36, 28:36, 5:40] = 0.2, PLACES["LAD"]
    brightest, kept = [], place.copy()
    for _ in range(20):
        image = np.full(PATCH, -90.0, np.float32)
        add_calcium(image, tissue, off, place, 2.0, rng)
        far = np.ones(PATCH, bool)
        far[22:42, 22:42] = False
        assert (image[far] == -90).all()
        brightest.append(image.max())
    assert max(brightest) > 200 and min(brightest) == -90 and np.array_equal(place, kept)


def test_scanning_keeps_the_mean_and_adds_noise():
    flat = np.full(PATCH, 40.0, np.float32)
    for seed in range(6):
        image = scanned(flat, np.random.default_rng(seed))
        assert image.shape == PATCH and abs(image.mean() - 40) < 1.5 and 0.5 < image.std() < 26


def test_what_is_out_of_view_has_no_place():
    for seed in range(8):
        image, place = np.zeros(PATCH, np.float32), np.ones(PATCH, np.uint8)
        limit_view(image, place, np.random.default_rng(seed))
        assert np.array_equal(image == -1024, place == 0)
