"""Weights as they are shipped, from training: a MONAI Bundle with an ONNX file in half precision, how it was made and how it measures."""

from __future__ import annotations

import io
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
from ccta.model import CORONARY_LABELS
from ccta.networks.architecture import coronary_network, heart_network
from ccta.networks.bundle import Description, checked, write_bundle
from ccta.networks.coronary_input import CORONARY_PATCH, STEP_MM
from ccta.networks.processes import team
from ccta.networks.shipped import HEART
from ccta.networks.training import TrainingSettings
from ccta.networks.windows import NARROW_HU, PATCH, WIDE_HU
from ccta.tissues import PLACES


@dataclass(frozen=True)
class Product:
    """A network that the package ships, and what its bundle says of it."""

    about: Description
    network: Callable[[], torch.nn.Module]


PRODUCTS = {
    "heart": Product(
        Description(
            "heart and coronary places in CT, with and without contrast",
            "synthesised from anatomy that the package makes (chest maps, synthesis); no patient's image",
            PATCH,
            (f"HU / {NARROW_HU:g}, -1 to 1", f"HU / {WIDE_HU:g}, -1 to 1"),
            PLACES,
            ("$from ccta.model import Volume", "$from ccta.networks.inference import predict_places"),
            {"places": "$predict_places(@volume, @network)", "found": "$Volume(@places.label, @places.affine)"},
        ),
        heart_network,
    ),
    "coronary": Product(
        Description(
            "coronary lumen and calcified plaque in contrast-enhanced CT",
            "synthesised from anatomy that the package makes (artery scenes, coronary synthesis); no patient's image",
            CORONARY_PATCH,
            ("HU / HU of the aorta's blood, -0.5 to 2", f"HU / {WIDE_HU:g}, -1 to 2"),
            CORONARY_LABELS,
            ("$from ccta.coordinates import resampled", "$from ccta.networks.coronary_inference import vessel_labels"),
            {"blood_hu": 400.0, "grid": f"$resampled(@volume, {STEP_MM})", "found": "$@grid.with_array(vessel_labels(@grid.array, @blood_hu, @network))"},
        ),
        coronary_network,
    ),
}


def publish(weights: Path, folder: Path, settings: TrainingSettings, hours: float, figures: dict[str, float], name: str = "heart") -> Path:
    """Writes the network's bundle into `folder` and returns its path. weights: state of the product's network."""
    product = PRODUCTS[name]
    network = product.network()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    command = f"ccta train OUT --network {name} --steps {settings.steps} --maps {settings.maps} --batch {settings.batch} --seed {settings.seed}"
    training = {
        "command": command + (" --from EARLIER" if settings.start else ""),
        "settings": asdict(settings),
        "made": datetime.now(UTC).date().isoformat(),
        "hours": round(hours, 2),
        "hardware": hardware(),
    }
    return write_bundle(folder / name, product.about, exported(network, product.about.patch), training, figures)


def hardware() -> str:
    """What the run's processes compute on, of one machine."""
    one = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} threads of {platform.machine()}"
    return one if team().count == 1 else f"{team().count} x {one}"


def exported(network: torch.nn.Module, patch: tuple[int, int, int]) -> bytes:
    """A network as ONNX, its weights in half precision: image (B, 2, ni, nj, nk) -> logits (B, C, ni, nj, nk), for any B and the given patch."""
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
    return model.SerializeToString()


def trainable(bundle: Path = HEART, name: str = "heart") -> torch.nn.Module:
    """A product's network with published weights, for training on. Raises as `checked`, and BadInput where they are another network's."""
    given = {
        tensor.name.removesuffix(".half"): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in onnx.load_from_string(checked(bundle)).graph.initializer
    }
    network = PRODUCTS[name].network()
    parameters = dict(network.named_parameters(remove_duplicate=False))  # some layers go by two names, of which the file has one
    if any(name not in parameters or parameters[name].shape != value.shape for name, value in given.items()):
        raise BadInput(f"the weights {bundle} are of another network than this version trains; train anew, or take the version that made them")
    network.load_state_dict(given, strict=False)
    return network
