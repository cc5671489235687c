"""A linear ramp in patient millimetres through every transfer syntax and every orientation."""

import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import RLELossless

from ccta.errors import BadInput
from ccta.reading import decoders
from ccta.reading.dicom_files import scan
from ccta.reading.dicom_series import read_slices_hu
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


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if SYNTAXES[name] in decoders.DECODER_DEPENDENCIES])
def test_a_stream_of_another_size_than_the_header_is_not_decoded(tmp_path, syntax):
    """The decoder would allocate what the stream claims."""
    spec = ramp_spec(signed=False)
    datasets = [encoded(dataset, syntax) for dataset in slices(spec)]
    frame = next(generate_frames(datasets[0].PixelData, number_of_frames=1))
    assert decoders.claimed_size(frame) == (10, 12)
    datasets[4].Rows = 11
    path = write_datasets(tmp_path, datasets[4:5])[0]
    with pytest.raises(BadInput, match=r"the compressed image has \(10, 12\) rows and columns, its header says \(11, 12\)"):
        read_slices_hu([scan(path).images[0]])


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xff\xff\xff", b"\xff\x4f\xff\x51", b"\xff\xd8" + b"\xff\xe0\x00\x00" * 9, bytes(99)])
def test_a_stream_without_a_size(content):
    assert decoders.claimed_size(content) in (None, (0, 0))


def test_decoders_that_take_the_process_with_them_are_not_used():
    for syntax in decoders.DECODER_DEPENDENCIES:
        assert get_decoder(syntax).available_plugins == ("ccta",)
    assert get_decoder(RLELossless).available_plugins == ("pydicom",)
    decoders.install()  # a second time
