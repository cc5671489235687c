"""Weights as they are shipped: half precision, with a card that says how they were made and how they measure, and a hash that is checked."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from ccta.errors import BadInput
from ccta.networks.architecture import heart_network
from ccta.networks.training import TrainingSettings

SHIPPED = Path(__file__).parent / "weights" / "heart.pt"


def publish(weights: Path, folder: Path, settings: TrainingSettings, hours: float, dice: dict[str, float]) -> Path:
    """Writes heart.pt and its card heart.json into `folder`; returns the former."""
    state = torch.load(weights, map_location="cpu", weights_only=True)
    halved = {value.data_ptr(): value.half() for value in state.values()}  # the network lists some layers twice; they are kept once
    path = folder / SHIPPED.name
    torch.save({name: halved[value.data_ptr()] for name, value in state.items()}, path)
    card = {
        "name": "heart and coronary places in CT, with and without contrast",
        "licence": "Apache-2.0",
        "made": datetime.now(UTC).date().isoformat(),
        "command": f"ccta train OUT --steps {settings.steps} --seed {settings.seed}",
        "settings": asdict(settings),
        "data": "synthesised from anatomy that the package makes (chest maps, synthesis); no patient's image",
        "hours": round(hours, 2),
        "hardware": f"{torch.get_num_threads()} threads of {platform.machine()}" if not torch.cuda.is_available() else torch.cuda.get_device_name(),
        "dice_on_synthesised_images": {name: round(value, 3) for name, value in dice.items()},
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return path


def loaded(path: Path = SHIPPED) -> torch.nn.Module:
    """The network with published weights, ready to predict. Raises BadInput where the file is not the one that its card describes; runs nothing it may hold."""
    card = path.with_suffix(".json")
    if not path.exists() or not card.exists():
        raise BadInput(f"the weights {path} with their card {card.name} are missing; install the package again, or make them with `ccta train`")
    if hashlib.sha256(path.read_bytes()).hexdigest() != json.loads(card.read_text())["sha256"]:
        raise BadInput(f"the weights {path} are not those that {card.name} describes: the file was damaged or changed; install the package again")
    network = heart_network()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.float().eval()
