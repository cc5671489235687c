"""Which library decodes which compressed transfer syntax, as a pydicom plug-in. Chosen by what survives damaged streams (tests/benchmarks/hostile_input).

GDCM ends the whole process on some damaged JPEG streams (an exception leaves its C++), pylibjpeg-rle panics past Python's `Exception`: neither is used.
JPEG: libjpeg-turbo, also lossless and 12 bits. JPEG 2000 and HTJ2K: OpenJPEG (both by imagecodecs, which lets other threads decode meanwhile; pylibjpeg does
not). JPEG-LS: CharLS (pyjpegls). RLE: pydicom itself.
"""

from __future__ import annotations

from pydicom import uid
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders import pyjpegls
from pydicom.pixels.decoders.base import DecodeRunner

LABEL = "ccta"
JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
DECODER_DEPENDENCIES = dict.fromkeys((*JPEG, *JPEG_LS, *JPEG_2000), ("imagecodecs", "pyjpegls"))


def is_available(syntax: str) -> bool:
    """Asked by pydicom: all of them come with this program."""
    return syntax in DECODER_DEPENDENCIES


def install() -> None:
    """Make this the only decoder of JPEG, JPEG-LS and JPEG 2000 streams, and pydicom's own the only one of RLE. Does nothing the second time."""
    for syntax in (*JPEG, *JPEG_LS, *JPEG_2000, uid.RLELossless):
        decoder = get_decoder(syntax)
        own = "pydicom" if syntax == uid.RLELossless else LABEL
        if own not in decoder.available_plugins:
            decoder.add_plugin(LABEL, (__name__, "decode_frame"))
        for other in decoder.available_plugins:
            if other != own:
                decoder.remove_plugin(other)


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """One frame. ValueError where the stream's own size is not the header's: a decoder would allocate what the stream claims."""
    claimed = claimed_size(src)
    if claimed != (runner.rows, runner.columns):
        raise ValueError(f"the compressed image has {claimed} rows and columns, its header says {(runner.rows, runner.columns)}")
    if runner.transfer_syntax in JPEG_LS:
        return pyjpegls._decode_frame(src, runner)
    import imagecodecs

    frame = imagecodecs.jpeg2k_decode(src) if runner.transfer_syntax in JPEG_2000 else imagecodecs.jpeg8_decode(src)
    if frame.shape != (runner.rows, runner.columns):
        raise ValueError(f"the compressed image has the shape {frame.shape}")
    runner.set_option("bits_allocated", 8 * frame.itemsize)
    return frame.tobytes()


def claimed_size(src: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a JPEG, JPEG-LS (ISO 10918-1 B.2.2, 14495-1 C.2.2) or JPEG 2000 stream (ISO 15444-1 A.5.1) states; None where it states none."""
    start = src.find(b"\xff\x4f\xff\x51", 0, 4096)  # JPEG 2000: SOC and SIZ, perhaps behind the boxes of a JP2 file
    if start >= 0 and not src.startswith(b"\xff\xd8"):
        numbers = [int.from_bytes(src[at : at + 4]) for at in range(start + 8, start + 24, 4)]
        return numbers[1] - numbers[3], numbers[0] - numbers[2]
    at = 2
    while at + 9 < len(src):
        if src[at] != 0xFF:
            return None
        marker = src[at + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:  # fill bytes, and markers without a length
            at += 1 if marker == 0xFF else 2
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(src[at + 5 : at + 7]), int.from_bytes(src[at + 7 : at + 9])
        else:
            at += 2 + int.from_bytes(src[at + 2 : at + 4])
    return None
