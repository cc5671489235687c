"""Readers of public data sets on tiny sets in each layout: cases, splits, truth in its place, and what is refused."""

import nibabel
import numpy as np
import pytest

from ccta.coordinates import to_index
from ccta.errors import BadInput
from ccta.reading.dataset_truth import IMAGECAS_X_BRANCHES, lines_of
from ccta.reading.datasets import LAYOUTS, dataset_cases
from ccta.reading.split_tables import split_table
from tests.ccta import dataset_makers as make


@pytest.fixture(params=list(LAYOUTS))
def layout(request, tmp_path):
    """(name, root) of each layout."""
    return request.param, make.MAKERS[request.param](tmp_path / "set" if request.param != "files" else tmp_path)


def only(layout, root, split=""):
    return [case.name for case in dataset_cases(layout, root, split)]


def test_the_image_of_every_layout_is_read_in_hu_and_its_place(layout):
    name, root = layout
    image, truth = dataset_cases(name, root, "all")[0].read()
    assert image.array.shape == make.SHAPE and image.array.min() == -850 and image.array.max() == 400
    if name != "cat08":  # its files have no offset
        np.testing.assert_allclose(image.affine, make.image().affine, atol=1e-5)
    assert truth.structures or truth.vessels


@pytest.mark.parametrize("layout", ["asoca", "imagecas", "imagecas-x"])
def test_the_lumen_is_where_it_was_drawn(layout, tmp_path):
    _, truth = dataset_cases(layout, make.MAKERS[layout](tmp_path), "all")[0].read()
    drawn = make.lumen() if layout != "imagecas-x" else make.artery_labels() > 0
    np.testing.assert_array_equal(truth.structures["lumen"], drawn)


def test_splits_are_honoured(tmp_path):
    cas = make.imagecas(tmp_path / "cas")
    assert only("imagecas", cas) == ["10"] and only("imagecas", cas, "train") == ["2"] and only("imagecas", cas, "all") == ["2", "10"]
    assert only("imagecas-x", make.imagecas_x(tmp_path / "x")) == ["7"] and only("imagecas-x", tmp_path / "x", "all") == ["7"]
    assert only("totalsegmentator", make.totalsegmentator(tmp_path / "ts")) == ["s0001"] and only("totalsegmentator", tmp_path / "ts", "train") == ["s0002"]
    assert only("asoca", make.asoca(tmp_path / "asoca")) == ["Diseased_1", "Normal_1"]  # no test split is public: all that are annotated
    assert only("cat08", make.cat08(tmp_path / "cat")) == ["dataset00"] and only("mmwhs", make.mmwhs(tmp_path / "mm")) == ["ct_train_1001"]
    with pytest.raises(BadInput, match="no case of the split 'val'; it has test, train"):
        dataset_cases("imagecas", cas, "val")


def test_a_split_table_may_be_a_worksheet_or_csv(tmp_path):
    for kind in ("xlsx", "csv"):
        make.imagecas(tmp_path / kind, kind)
        table = tmp_path / kind / f"imageCAS_data_split.{kind}"
        assert split_table(table, "FileName", "Split-1") == {"2": "train", "10": "test", "999": "val"}
        assert split_table(table, "FileName", "Split-2") == {"2": "test", "10": "train", "999": "train"}
        with pytest.raises(BadInput, match="needs FileName and Split-9"):
            split_table(table, "FileName", "Split-9")


def test_damaged_split_tables_are_told(tmp_path):
    path = tmp_path / "imageCAS_data_split.xlsx"
    path.write_bytes(b"PK not a workbook")
    with pytest.raises(BadInput, match="cannot be read as a worksheet"):
        split_table(path, "FileName", "Split-1")
    (tmp_path / "t.csv").write_text("FileName,Split-1\n1,holdout\n")
    with pytest.raises(BadInput, match="'holdout'"):
        split_table(tmp_path / "t.csv", "FileName", "Split-1")


def test_imagecas_x_names_arteries_and_gives_one_vessel_from_the_ostium_to_each_end(tmp_path):
    image, truth = dataset_cases("imagecas-x", make.imagecas_x(tmp_path))[0].read()
    assert truth.branch_names == IMAGECAS_X_BRANCHES and set(np.unique(truth.branches)) == {0, 1, 2, 4}
    lad, d1 = sorted(truth.vessels, key=lambda vessel: -vessel.length_mm)
    assert (lad.name, d1.name) == ("LAD", "D1")
    np.testing.assert_allclose(lad.points_mm[[0, -1]], make.axis_mm()[[0, -1]], atol=1e-4)
    np.testing.assert_allclose(d1.points_mm[0], make.axis_mm()[0], atol=1e-4)
    inside = to_index(lad.points_mm[5:-5], image.affine)
    assert np.abs(inside[:, 1:] - [10, 8]).max() < 1e-3 and np.abs(lad.radius_mm[8:-8] - 1.25).max() < 0.1  # a square tube of 2.5 mm


@pytest.mark.parametrize("case", ["Normal_1", "Diseased_1"])
def test_asoca_centerlines_are_put_into_the_lumen_whatever_their_frame(case, tmp_path):
    found = next(c for c in dataset_cases("asoca", make.asoca(tmp_path), "train") if c.name == case)
    _, truth = found.read()
    np.testing.assert_allclose(truth.vessels[0].points_mm, make.axis_mm(), atol=1e-4)
    assert (truth.vessels[0].radius_mm == pytest.approx(1.2)) and truth.vessels[0].name == f"{case} 1"


def test_cat08_references_lie_in_the_vessel(tmp_path):
    image, truth = dataset_cases("cat08", make.cat08(tmp_path))[0].read()
    assert [vessel.name for vessel in truth.vessels] == ["vessel0", "vessel1"] and not truth.structures
    at = np.rint(to_index(truth.vessels[0].points_mm, image.affine)).astype(int)
    assert (image.array[tuple(at.T)] == 400).all() and (truth.vessels[0].radius_mm == 1.1).all()


def test_mmwhs_codes(tmp_path):
    _, truth = dataset_cases("mmwhs", make.mmwhs(tmp_path))[0].read()
    first = {name: int(np.argwhere(mask)[0, 0]) for name, mask in truth.structures.items()}
    assert first == {"lv": 4, "rv": 6, "la": 8, "ra": 10, "myocardium": 12, "aorta": 14, "pulmonary_artery": 16}


def test_totalsegmentator_of_both_versions(tmp_path):
    one, two = (case.read()[1] for case in dataset_cases("totalsegmentator", make.totalsegmentator(tmp_path), "all"))
    assert set(one.structures) == {"heart_union"} and set(two.structures) == {"lv", "pulmonary_artery"}  # the atrium lies outside the image


def test_masks_on_another_grid_are_brought_to_the_image(tmp_path):
    _, truth = dataset_cases("files", make.files(tmp_path))[0].read()
    assert set(truth.structures) == {"heart_union"}
    np.testing.assert_array_equal(truth.structures["heart_union"], make.lumen())


def test_real_centerlines_of_vmtk_are_read(real_data):
    found = lines_of(real_data / "patient_tree" / "lca_cl.vtp", make.image(), None)
    assert len(found) == 5 and all(vessel.length_mm > 50 for vessel in found) and 0.3 < np.median(found[0].radius_mm) < 4


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_an_empty_folder_is_told_in_a_sentence(name, tmp_path):
    with pytest.raises(BadInput, match=f"holds no {name} case with its truth; looked for: "):
        dataset_cases(name, tmp_path)
    with pytest.raises(BadInput, match="does not exist or is no folder"):
        dataset_cases(name, tmp_path / "none")


def test_the_wrong_layout_is_told_which_it_looks_like(tmp_path):
    with pytest.raises(BadInput, match=r"holds no cat08 case.*It looks like mmwhs\."):
        dataset_cases("cat08", make.mmwhs(tmp_path))


def test_a_truth_of_another_image_is_refused(tmp_path):
    root = make.imagecas(tmp_path)
    moved = make.image().affine.copy()
    moved[:3, 3] += 100.0
    path = make.nifti(root / "1-200" / "10.label.nii.gz", make.lumen(), moved)
    with pytest.raises(BadInput, match=f"{path} lies to 100 % outside the image"):
        dataset_cases("imagecas", root)[0].read()
    make.nifti(path, 0 * make.lumen())
    with pytest.raises(BadInput, match="holds no voxel of lumen; the truth of 10 is empty"):
        dataset_cases("imagecas", root)[0].read()


def test_labels_of_another_data_set_are_refused(tmp_path):
    root = make.mmwhs(tmp_path)
    path = make.nifti(root / "ct_train" / "ct_train_1001_label.nii.gz", make.lumen())
    with pytest.raises(BadInput, match=r"no voxel of lv \(label 500, the file has \[0, 1\]\)"):
        dataset_cases("mmwhs", root)[0].read()
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadInput, match=r"ct_train_1001_label\.nii\.gz cannot be read"):
        dataset_cases("mmwhs", root)[0].read()


def test_centerlines_of_another_case_are_refused(tmp_path):
    root = make.asoca(tmp_path / "asoca")
    make.vmtk_lines(root / "Normal" / "Centerlines" / "Normal_1.vtp", make.axis_mm() + np.array([0, 0, 30]))
    with pytest.raises(BadInput, match="only 0 % of its points in the lumen"):
        dataset_cases("asoca", root, "train")[1].read()
    root = make.cat08(tmp_path / "cat08")
    reference = root / "dataset00" / "vessel0" / "reference.txt"
    rows = np.loadtxt(reference)
    np.savetxt(reference, rows + np.array([100, 0, 0, 0, 0]))
    with pytest.raises(BadInput, match="of its centerlines outside the image"):
        dataset_cases("cat08", root)[0].read()
    np.savetxt(reference, rows[:, :3])
    with pytest.raises(BadInput, match="has 3 numbers on 30 lines"):
        dataset_cases("cat08", root)[0].read()
    reference.write_text("x y z\n")
    with pytest.raises(BadInput, match="no reference centerline"):
        dataset_cases("cat08", root)[0].read()


def test_lines_without_radii_take_them_from_the_lumen_or_are_refused(tmp_path):
    path = make.vmtk_lines(tmp_path / "lines.vtp", make.axis_mm(), None)
    assert lines_of(path, make.image(), make.lumen())[0].radius_mm[15] == pytest.approx(1.25, abs=0.1)
    with pytest.raises(BadInput, match="no radii"):
        lines_of(path, make.image(), None)


def test_a_flipped_label_file_is_turned_back(tmp_path):
    """The same voxels stored in another order of axes and signs."""
    root = make.imagecas(tmp_path)
    stored = nibabel.load(root / "1-200" / "10.label.nii.gz")
    turned = stored.as_reoriented([[1, 1], [0, -1], [2, -1]])
    nibabel.save(turned, root / "1-200" / "10.label.nii.gz")
    _, truth = dataset_cases("imagecas", root)[0].read()
    np.testing.assert_array_equal(truth.structures["lumen"], make.lumen())
