"""A network as a MONAI Bundle: configs/metadata.json and inference.json, models/model.onnx, docs/README.md and LICENSE. No torch, no MONAI.

`python -m monai.bundle run --config_file BUNDLE/configs/inference.json --bundle_root BUNDLE --image CT.nii.gz --output FOUND.nii.gz` runs one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ccta.errors import BadInput

MODEL, METADATA = "models/model.onnx", "configs/metadata.json"
SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
COMMON = {"bundle_root": ".", "image": "image.nii.gz", "output": "found.nii.gz", "to_ras": "$numpy.diag([-1.0, -1.0, 1.0, 1.0])"}
IMPORTS = (
    "$import numpy",
    "$import nibabel",
    "$from pathlib import Path",
    "$from ccta.networks.shipped import loaded",
    "$from ccta.reading.image_files import read_image",
)


@dataclass(frozen=True)
class Description:
    """What a bundle says of its network whatever its weights. channels: of the input; classes: name -> channel of the output, 0 being everything else.

    imports, steps: of configs/inference.json, in MONAI's configuration language; the last step is `found`, labels with their affine.
    """

    title: str
    data: str
    patch: tuple[int, int, int]
    channels: tuple[str, str]
    classes: dict[str, int]
    imports: tuple[str, ...]
    steps: dict[str, str | float]

    @property
    def inference(self) -> dict:
        save = "$nibabel.save(nibabel.Nifti1Image(@found.array, @to_ras.dot(@found.affine)), @output)"
        return {
            "imports": [*IMPORTS, *self.imports],
            **COMMON,
            "network": "$loaded(Path(@bundle_root))",
            "volume": "$read_image(Path(@image))[0]",
            **self.steps,
            "run": [save],
        }

    @property
    def data_format(self) -> dict:
        """Of one window, as MONAI's schema has it."""
        shared = {"modality": "CT", "spatial_shape": list(self.patch), "dtype": "float32", "is_patch_data": True}
        given = {"type": "image", "format": "hounsfield", "num_channels": 2, "value_range": [-1, 2], "channel_def": dict(zip("01", self.channels, strict=True))}
        classes = {str(code): name for name, code in {"background": 0, **self.classes}.items()}
        logits = {"type": "image", "format": "segmentation", "num_channels": len(classes), "value_range": [], "channel_def": classes}
        return {"inputs": {"image": given | shared}, "outputs": {"pred": logits | shared}}


def write_bundle(root: Path, about: Description, model: bytes, training: dict, figures: dict[str, float]) -> Path:
    """Writes a bundle's folder and returns it. training: command, settings, hours, hardware, made; figures: Dice and others on synthesised images."""
    metadata = {
        "schema": SCHEMA,
        "version": training["made"].replace("-", "."),
        "changelog": {training["made"].replace("-", "."): "trained as `training` says"},
        **{f"{name}_version": version(package) for name, package in (("monai", "monai"), ("pytorch", "torch"), ("numpy", "numpy"))},
        "required_packages_version": {package: version(package) for package in ("openvino", "nibabel")},
        "name": about.title,
        "task": f"segmentation: {about.title}",
        "description": "Weights that an OpenVINO or ONNX runtime reads; windows and cleaning are the ccta package's.",
        "authors": "the maintainers of the coronary CT workstation",
        "copyright": "Apache-2.0, see LICENSE",
        "intended_use": "research, not for diagnosis",
        "data_source": about.data,
        "data_type": "nifti",
        "image_classes": "Hounsfield units, windows as in network_data_format",
        "label_classes": ", ".join(f"{code} {name}" for name, code in about.classes.items()),
        "eval_metrics": {name: round(value, 3) for name, value in figures.items()},
        "training": training,
        "network_data_format": about.data_format,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    for name, text in (
        (METADATA, json.dumps(metadata, indent=2)),
        ("configs/inference.json", json.dumps(about.inference, indent=2)),
        ("docs/README.md", card(metadata)),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    (root / MODEL).parent.mkdir(exist_ok=True)
    (root / MODEL).write_bytes(model)
    if not (root / "LICENSE").exists():
        shutil.copy(Path(__file__).parent / "weights" / "heart" / "LICENSE", root / "LICENSE")
    return root


def card(metadata: dict) -> str:
    """The bundle's docs/README.md."""
    training, rows = metadata["training"], "\n".join(f"| {name} | {value:.3f} |" for name, value in metadata["eval_metrics"].items())
    lines = [f"# {metadata['name']}", "", "Research use only, not for diagnosis.", "", f"Trained on images {metadata['data_source']}."]
    lines += [f"Made {training['made']} by", "", f"    {training['command']}", "", f"in {training['hours']} h on {training['hardware']}."]
    lines += [
        "The same command trains on a CPU, on a GPU (bfloat16) or on all GPUs of a machine (each step's batch is shared by them: `--batch` of all together);"
    ]
    lines += [
        "`torchrun --no-python --nnodes N --nproc-per-node GPUS ccta train OUT ...` on several machines. A run that was killed goes on when asked for again."
    ]
    lines += ["History: " + training["history"] + "." if "history" in training else "", "", "On synthesised images that no training saw:", ""]
    return "\n".join([*lines, "| figure (Dice where nothing else is said) | value |", "|---|---|", rows])


def metadata_of(bundle: Path) -> dict:
    """A bundle's metadata.json. BadInput where it is missing or damaged."""
    path = bundle / METADATA
    try:
        return json.loads(path.read_text())
    except OSError:
        raise BadInput(f"{bundle} is no bundle of weights: {METADATA} is missing; install the package again, or make weights with `ccta train`") from None
    except ValueError as error:
        raise BadInput(f"{path} is damaged ({error}); install the package again, or make weights with `ccta train`") from None


def checked(bundle: Path) -> bytes:
    """The model of a bundle, an ONNX file. BadInput where it is not the one that its metadata describes."""
    known, path = metadata_of(bundle), bundle / MODEL
    if not path.exists():
        raise BadInput(f"the weights {path} are missing; install the package again, or make them with `ccta train`")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != known.get("sha256"):
        raise BadInput(f"the weights {path} are not those that {METADATA} describes: the file was damaged or changed; install the package again")
    return content
