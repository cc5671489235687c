"""The weights in the package, as a network that is ready to predict: ONNX in a MONAI Bundle whose hash is checked, run by OpenVINO. No torch.

OpenVINO computes in bfloat16 where the processor does: two cores with AMX take 13 ms for 64 x 64 x 48 voxels, 47 ms in single precision
(torch 55, ONNX Runtime 77).
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from ccta.networks.bundle import checked
from ccta.networks.windows import Network

HEART = Path(__file__).parent / "weights" / "heart"
CORONARY = HEART.with_name("coronary")


@cache
def loaded(bundle: Path = HEART) -> Network:
    """The network of a bundle, compiled once a process. Raises as `checked`. OMP_NUM_THREADS limits its threads."""
    import openvino

    core = openvino.Core()
    threads = {"INFERENCE_NUM_THREADS": os.environ["OMP_NUM_THREADS"]} if os.environ.get("OMP_NUM_THREADS", "").isdigit() else {}
    compiled = core.compile_model(core.read_model(checked(bundle)), "CPU", {"PERFORMANCE_HINT": "LATENCY", **threads})
    return lambda image: compiled([image])[0]
