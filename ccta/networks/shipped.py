"""The weights in the package, as a network that is ready to predict: ONNX, run by OpenVINO, with a card and a hash that is checked. No torch.

OpenVINO computes in bfloat16 where the processor does: two cores with AMX take 13 ms for 64 x 64 x 48 voxels, 47 ms in single precision
(torch 55, ONNX Runtime 77).
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path

from ccta.errors import BadInput
from ccta.networks.windows import Network

HEART = Path(__file__).parent / "weights" / "heart.onnx"
CORONARY = HEART.with_name("coronary.onnx")


def checked(path: Path) -> bytes:
    """The content of a weights file. BadInput where it is not the one that its card (.json beside it) describes."""
    card = path.with_suffix(".json")
    if not path.exists() or not card.exists():
        raise BadInput(f"the weights {path} with their card {card.name} are missing; install the package again, or make them with `ccta train`")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != json.loads(card.read_text())["sha256"]:
        raise BadInput(f"the weights {path} are not those that {card.name} describes: the file was damaged or changed; install the package again")
    return content


@cache
def loaded(path: Path = HEART) -> Network:
    """The network of a weights file, compiled once a process. Raises as `checked`. OMP_NUM_THREADS limits its threads."""
    import openvino

    core = openvino.Core()
    threads = {"INFERENCE_NUM_THREADS": os.environ["OMP_NUM_THREADS"]} if os.environ.get("OMP_NUM_THREADS", "").isdigit() else {}
    compiled = core.compile_model(core.read_model(checked(path)), "CPU", {"PERFORMANCE_HINT": "LATENCY", **threads})
    return lambda image: compiled([image])[0]
