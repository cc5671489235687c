"""The weights in the package, as a network that is ready to predict: ONNX in a MONAI Bundle whose hash is checked.

On the CPU OpenVINO runs it, without torch, in bfloat16 where the processor has it: two cores with AMX take 13 ms for 64 x 64 x 48 voxels, 47 ms in single
precision (torch 55, ONNX Runtime 77). On an NVIDIA GPU, where there is one, torch runs it (torch_network). CCTA_DEVICE in the environment chooses.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from ccta.errors import BadSettings
from ccta.networks.bundle import checked
from ccta.networks.windows import Network

HEART = Path(__file__).parent / "weights" / "heart"
CORONARY = HEART.with_name("coronary")
DEVICES = ("auto", "cpu", "cuda")


def loaded(bundle: Path = HEART) -> Network:
    """The network of a bundle, ready once a process. Raises as `checked` and `chosen_device`. OMP_NUM_THREADS limits the CPU's threads."""
    return _ready(bundle, chosen_device())


def chosen_device() -> str:
    """ "cpu" or "cuda": what CCTA_DEVICE says; without it, or with "auto", the GPU where there is one. Raises BadSettings."""
    wanted = os.environ.get("CCTA_DEVICE") or "auto"
    if wanted not in DEVICES:
        raise BadSettings(f'CCTA_DEVICE is "{wanted}"; it may be {", ".join(DEVICES)}')
    if wanted == "cuda" and not gpu_present():
        raise BadSettings("CCTA_DEVICE asks for cuda, but no NVIDIA GPU with its driver is here; leave it out, or set it to cpu")
    return "cuda" if wanted != "cpu" and gpu_present() else "cpu"


@cache
def gpu_present() -> bool:
    """Whether NVIDIA's driver counts a GPU and torch can use it; torch, which takes seconds to load, is asked only then."""
    try:
        driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
            return False
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()


@cache
def _ready(bundle: Path, device: str) -> Network:
    if device == "cuda":
        from ccta.networks.torch_network import torch_network

        return torch_network(bundle, device)
    import openvino

    core = openvino.Core()
    threads = {"INFERENCE_NUM_THREADS": os.environ["OMP_NUM_THREADS"]} if os.environ.get("OMP_NUM_THREADS", "").isdigit() else {}
    compiled = core.compile_model(core.read_model(checked(bundle)), "CPU", {"PERFORMANCE_HINT": "LATENCY", **threads})
    return lambda image: compiled([image])[0]
