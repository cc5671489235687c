"""Every transfer syntax in daily use: encoders of imagecodecs (OpenJPH for HTJ2K, CharLS, OpenJPEG, libjpeg-turbo), of pydicom for RLE."""

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

LOSSY_HU = 3.0  # at the highest quality
SYNTAXES = {
    "implicit": uid.ImplicitVRLittleEndian, "explicit": uid.ExplicitVRLittleEndian, "big-endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian, "RLE": uid.RLELossless, "JPEG baseline": uid.JPEGBaseline8Bit, "JPEG extended": uid.JPEGExtended12Bit,
    "JPEG lossless": uid.JPEGLossless, "JPEG lossless SV1": uid.JPEGLosslessSV1, "JPEG-LS": uid.JPEGLSLossless, "JPEG-LS near": uid.JPEGLSNearLossless,
    "JPEG 2000 lossless": uid.JPEG2000Lossless, "JPEG 2000": uid.JPEG2000, "HTJ2K lossless": uid.HTJ2KLossless,
    "HTJ2K lossless RPCL": uid.HTJ2KLosslessRPCL, "HTJ2K": uid.HTJ2K,
}  # fmt: skip
LOSSY = {"JPEG baseline", "JPEG extended", "JPEG-LS near", "JPEG 2000", "HTJ2K"}
UNSIGNED_ONLY = {"JPEG baseline", "JPEG extended"}
ENCODERS = {
    uid.JPEGBaseline8Bit: lambda a: imagecodecs.jpeg8_encode(a, 100),
    uid.JPEGExtended12Bit: lambda a: imagecodecs.jpeg8_encode(a, 100, bitspersample=12),
    uid.JPEGLossless: lambda a: imagecodecs.jpeg8_encode(a.view(np.uint16), lossless=True, predictor=4, bitspersample=16),
    uid.JPEGLosslessSV1: lambda a: imagecodecs.jpeg8_encode(a.view(np.uint16), lossless=True, predictor=1, bitspersample=16),
    uid.JPEGLSLossless: lambda a: imagecodecs.jpegls_encode(a.view(np.uint16)),
    uid.JPEGLSNearLossless: lambda a: imagecodecs.jpegls_encode(a.view(np.uint16), level=1),
    uid.JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True),
    uid.JPEG2000: lambda a: imagecodecs.jpeg2k_encode(a, 120, codecformat="j2k", reversible=False),
    uid.HTJ2KLossless: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    uid.HTJ2KLosslessRPCL: lambda a: imagecodecs.htj2k_encode(a, reversible=True, prog_order="RPCL"),
    uid.HTJ2K: lambda a: imagecodecs.htj2k_encode(a, 1e-5, reversible=False),
}


def encoded(dataset: Dataset, name: str) -> Dataset:
    """The same image (16 bits, one frame) in the transfer syntax of this name; 8 or 12 bits in lossy JPEG."""
    syntax = SYNTAXES[name]
    stored = np.frombuffer(dataset.PixelData, "<i2" if dataset.PixelRepresentation else "<u2").reshape(dataset.Rows, dataset.Columns)
    if syntax == uid.RLELossless:
        dataset.compress(uid.RLELossless, generate_instance_uid=False)
    elif syntax in ENCODERS:
        bits = {"JPEG baseline": 8, "JPEG extended": 12}.get(name, 16)
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8 if bits == 8 else 16, bits, bits - 1
        data = ENCODERS[syntax](np.ascontiguousarray(stored.astype(np.uint8) if bits == 8 else stored))
        dataset.PixelData = encapsulate([bytes(data)])
        dataset["PixelData"].VR = "OB"
    elif syntax == uid.ExplicitVRBigEndian:
        dataset.PixelData = stored.byteswap().tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset
