"""The phantom on disk: valid DICOM, complete truth, clear refusals."""

import json

import numpy as np
import pydicom
import pytest
from pydicom import config
from pydicom.uid import CTImageStorage

from ccta.errors import BadSettings
from ccta.findings import Findings
from ccta.model import Unavailable
from ccta.phantom.study import load_spec, spec_from, write_study
from ccta.phantom.truth import Truth

SMALL = {
    "ccta": {"shape": [48, 44, 20], "pixel_mm": 3.5, "increment_mm": 6.0},
    "calcium": {"shape": [48, 44, 12], "pixel_mm": 3.5, "increment_mm": 9.0},
    "phases": [35],
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom")
    said = []
    write_study(out, 1, spec_from(SMALL), lambda what, fraction: said.append((what, fraction)))
    assert said[-1] == ("Truth", 1.0)
    return out


def slices(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def test_slices_are_ordered_and_hold_hounsfield_units(study):
    series = slices(study / "ccta")
    assert len(series) == 20
    z = [float(ds.ImagePositionPatient[2]) for ds in series]
    assert np.diff(z) == pytest.approx(6.0)
    assert [ds.InstanceNumber for ds in series] == list(range(1, 21))
    assert series[0].pixel_array.shape == (44, 48)
    hu = series[10].pixel_array * series[10].RescaleSlope + series[10].RescaleIntercept
    assert -1024 <= hu.min() < -700
    assert 380 < np.percentile(hu, 98) < 600


def test_headers_say_what_each_series_is(study):
    ccta, phase, calcium = (slices(study / name)[0] for name in ("ccta", "ccta_35", "calcium"))
    assert ccta.SOPClassUID == CTImageStorage == ccta.file_meta.MediaStorageSOPClassUID
    assert "ContrastBolusAgent" in ccta
    assert "ContrastBolusAgent" not in calcium
    assert (ccta.NominalPercentageOfCardiacPhase, phase.NominalPercentageOfCardiacPhase) == (75, 35)
    assert len({ds.StudyInstanceUID for ds in (ccta, phase, calcium)}) == 1
    assert len({ds.FrameOfReferenceUID for ds in (ccta, phase, calcium)}) == 1
    assert len({ds.SeriesInstanceUID for ds in (ccta, phase, calcium)}) == 3
    assert calcium.SliceThickness == 9.0


def test_every_value_is_valid_dicom(study):
    """pydicom's own validators, in raising mode, over every element; instance UIDs are unique."""
    seen = set()
    before = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.RAISE
    try:
        for path in study.rglob("*.dcm"):
            ds = pydicom.dcmread(path)
            for element in ds.iterall():
                assert element.value is not None or element.VM == 0
            required = (
                "PatientID",
                "StudyDate",
                "SeriesNumber",
                "PixelSpacing",
                "ImageOrientationPatient",
                "KVP",
                "BitsStored",
                "ImageType",
                "AcquisitionNumber",
            )
            assert all(name in ds for name in required)
            seen.add(ds.SOPInstanceUID)
            assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
    finally:
        config.settings.reading_validation_mode = before
    assert len(seen) == 20 + 20 + 12


def test_the_same_seed_writes_the_same_study(study, tmp_path):
    few = {"ccta": {**SMALL["ccta"], "shape": [48, 44, 4]}, "calcium": None}
    for name in ("a", "b"):
        write_study(tmp_path / name, 5, spec_from(few))
    first, second = slices(tmp_path / "a" / "ccta"), slices(tmp_path / "b" / "ccta")
    assert [ds.SOPInstanceUID for ds in first] == [ds.SOPInstanceUID for ds in second]
    assert all(a.PixelData == b.PixelData for a, b in zip(first, second, strict=True))
    assert (tmp_path / "a" / "truth.json").read_text() == (tmp_path / "b" / "truth.json").read_text()
    assert first[0].StudyInstanceUID != slices(study / "ccta")[0].StudyInstanceUID


def test_truth_has_every_key_of_the_findings(study):
    values = json.loads((study / "truth.json").read_text())
    truth = Truth.model_validate(values)
    assert set(Findings.model_fields) < set(Truth.model_fields)
    for name in ("quality", "calcium", "tree", "stenoses", "plaque", "fat", "cad_rads", "scores", "heart"):
        assert not isinstance(getattr(truth, name), Unavailable), name
    assert truth.cad_rads.category == "3"
    assert (truth.scores.sis, truth.scores.sss) == (2, 3)
    lad, rca = truth.stenoses
    assert (lad.segment, lad.diameter_pct, rca.segment) == (7, 60.0, 1)
    assert lad.area_pct == pytest.approx(84.0)
    assert lad.mla_mm2 == pytest.approx(np.pi / 4 * lad.mld_mm**2)
    assert lad.mld_mm == pytest.approx(0.4 * lad.reference_diameter_mm)
    plaque = truth.plaque
    assert plaque.total_mm3 == pytest.approx(plaque.calcified_mm3 + plaque.noncalcified_mm3)
    assert plaque.total_mm3 == pytest.approx(sum(v.total_mm3 for v in plaque.vessels.values()))
    assert plaque.calcified_mm3 == pytest.approx(truth.calcium.volume_mm3)
    assert 80 < truth.heart.lv_mass_g < 200
    assert 20 < truth.heart.eat_ml < 250


def test_true_geometry_can_be_read_back(study):
    truth = Truth.model_validate_json((study / "truth.json").read_text())
    lad = truth.phantom.branches[truth.stenoses[0].branch]
    step = np.linalg.norm(np.diff(np.array(lad.points_mm), axis=0), axis=1)
    at = np.argmin(np.abs(np.concatenate([[0], np.cumsum(step)]) - truth.stenoses[0].position_mm))
    assert 2 * lad.radius_mm[at] == pytest.approx(truth.stenoses[0].mld_mm, rel=0.01)
    assert lad.points_mm[at] == pytest.approx(truth.stenoses[0].center_mm, abs=0.3)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "JSON"),
        ("[1]", "object"),
        ('{"scanner": {}}', "keys"),
        ('{"ccta": {"noise": 3}}', "noise"),
        ('{"patient": {"plaques": [{"segment": 6, "size": 3}]}}', "size"),
        ('{"patient": {"plaques": [{"kind": "soft"}]}}', "segment"),
        ('{"ccta": {"noise_hu": "much"}}', "noise_hu"),
        ('{"phases": "all"}', "phases"),
    ],
)
def test_a_wrong_specification_is_refused(tmp_path, text, word):
    path = tmp_path / "spec.json"
    path.write_text(text)
    with pytest.raises(BadSettings, match=word):
        load_spec(path)


def test_a_missing_specification_is_refused(tmp_path):
    with pytest.raises(BadSettings, match=r"absent\.json"):
        load_spec(tmp_path / "absent.json")
