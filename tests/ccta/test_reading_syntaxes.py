"""A linear ramp in patient millimetres through every transfer syntax and every orientation."""

import pytest

from tests.ccta.dicom_makers import slices, write_datasets
from tests.ccta.dicom_syntaxes import LOSSY, LOSSY_HU, SYNTAXES, UNSIGNED_ONLY, encoded
from tests.ccta.test_reading_dicom import ORIENTATIONS, assert_same, ramp_spec, volume_in


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_ramp_through_every_syntax_and_orientation(tmp_path, syntax, orientation):
    signed = syntax not in UNSIGNED_ONLY
    spec = ramp_spec(ORIENTATIONS[orientation], signed=signed, intercept=0.0 if signed else -1024.0)  # signed: the stored values are negative
    write_datasets(tmp_path, [encoded(dataset, syntax) for dataset in slices(spec)])
    assert_same(volume_in(tmp_path), spec, tolerance_hu=LOSSY_HU if syntax in LOSSY else 0.0)


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if name not in UNSIGNED_ONLY])
def test_unsigned_ramp_through_every_syntax(tmp_path, syntax):
    spec = ramp_spec(signed=False)
    write_datasets(tmp_path, [encoded(dataset, syntax) for dataset in slices(spec)])
    assert_same(volume_in(tmp_path), spec, tolerance_hu=LOSSY_HU if syntax in LOSSY else 0.0)
