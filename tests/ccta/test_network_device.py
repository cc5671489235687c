"""Which device runs the networks: torch's way answers as OpenVINO's does, and what cannot be had is refused in words."""

import numpy as np
import pytest

from ccta.errors import BadSettings
from ccta.networks import shipped
from ccta.networks.coronary_input import CORONARY_PATCH
from ccta.networks.shipped import CORONARY, chosen_device, loaded
from ccta.networks.torch_network import torch_network


def test_torch_and_openvino_answer_alike(monkeypatch):
    monkeypatch.setenv("CCTA_DEVICE", "cpu")
    image = np.random.default_rng(0).normal(0.5, 0.4, (1, 2, *CORONARY_PATCH)).astype(np.float32)
    ours, theirs = torch_network(CORONARY, "cpu")(image), loaded(CORONARY)(image)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=0.05 * np.abs(theirs).max())  # bfloat16 where the processor has it
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() > 0.99


@pytest.mark.parametrize(("wanted", "present", "device"), [("", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")])
def test_a_gpu_is_taken_where_there_is_one_unless_the_cpu_is_asked_for(monkeypatch, wanted, present, device):
    monkeypatch.setattr(shipped, "gpu_present", lambda: present)
    monkeypatch.setenv("CCTA_DEVICE", wanted)
    assert chosen_device() == device


@pytest.mark.parametrize(("wanted", "said"), [("cuda", "no NVIDIA GPU"), ("gpu", "auto, cpu, cuda")])
def test_a_device_that_cannot_be_had_is_refused(monkeypatch, wanted, said):
    monkeypatch.setattr(shipped, "gpu_present", lambda: False)
    monkeypatch.setenv("CCTA_DEVICE", wanted)
    with pytest.raises(BadSettings, match=said):
        chosen_device()
