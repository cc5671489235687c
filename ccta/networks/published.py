"""Weights as they are shipped, from training: an ONNX file in half precision, and a card that says how they were made and how they measure."""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from ccta.errors import BadInput
from ccta.networks.architecture import coronary_network, heart_network
from ccta.networks.coronary_input import CORONARY_PATCH
from ccta.networks.shipped import CORONARY, HEART, checked
from ccta.networks.training import TrainingSettings
from ccta.networks.windows import PATCH


@dataclass(frozen=True)
class Product:
    """A network that the package ships. file: name of its weights; data: what it was trained on."""

    title: str
    file: str
    network: Callable[[], torch.nn.Module]
    patch: tuple[int, int, int]
    data: str


PRODUCTS = {
    "heart": Product(
        "heart and coronary places in CT, with and without contrast",
        HEART.name,
        heart_network,
        PATCH,
        "synthesised from anatomy that the package makes (chest maps, synthesis); no patient's image",
    ),
    "coronary": Product(
        "coronary lumen and calcified plaque in contrast-enhanced CT",
        CORONARY.name,
        coronary_network,
        CORONARY_PATCH,
        "synthesised from anatomy that the package makes (artery scenes, coronary synthesis); no patient's image",
    ),
}


def publish(weights: Path, folder: Path, settings: TrainingSettings, hours: float, figures: dict[str, float], name: str = "heart") -> Path:
    """Writes the network's ONNX file and its card (.json) into `folder`; returns the former. weights: state of the product's network."""
    product = PRODUCTS[name]
    network = product.network()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    path = folder / product.file
    export(network, path, product.patch)
    command = f"ccta train OUT --network {name} --steps {settings.steps} --maps {settings.maps} --seed {settings.seed}"
    card = {
        "name": product.title,
        "licence": "Apache-2.0",
        "made": datetime.now(UTC).date().isoformat(),
        "command": command + (" --from EARLIER.onnx" if settings.start else ""),
        "settings": asdict(settings),
        "data": product.data,
        "hours": round(hours, 2),
        "hardware": f"{torch.get_num_threads()} threads of {platform.machine()}" if not torch.cuda.is_available() else torch.cuda.get_device_name(),
        "dice_on_synthesised_images": {name: round(value, 3) for name, value in figures.items()},
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return path


def export(network: torch.nn.Module, path: Path, patch: tuple[int, int, int]) -> None:
    """Writes a network as ONNX, its weights in half precision: image (B, 2, ni, nj, nk) -> logits (B, C, ni, nj, nk), for any B and the given patch."""
    network = network.to("cpu", memory_format=torch.contiguous_format).float().eval()
    content = io.BytesIO()
    names = {"input_names": ["image"], "output_names": ["logits"], "dynamic_axes": {"image": {0: "batch"}, "logits": {0: "batch"}}}
    # the older exporter: the newer one folds the norms' weights into new names, so that training could not go on from the file
    torch.onnx.export(network, (torch.zeros(2, 2, *patch),), content, **names, dynamo=False, do_constant_folding=False)
    model = onnx.load_from_string(content.getvalue())
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half"))
            model.graph.node.insert(0, onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def trainable(path: Path = HEART, name: str = "heart") -> torch.nn.Module:
    """A product's network with published weights, for training on. Raises as `checked`, and BadInput where they are another network's."""
    given = {
        tensor.name.removesuffix(".half"): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in onnx.load_from_string(checked(path)).graph.initializer
    }
    network = PRODUCTS[name].network()
    parameters = dict(network.named_parameters(remove_duplicate=False))  # some layers go by two names, of which the file has one
    if any(name not in parameters or parameters[name].shape != value.shape for name, value in given.items()):
        raise BadInput(f"the weights {path} are of another network than this version trains; train anew, or take the version that made them")
    network.load_state_dict(given, strict=False)
    return network
