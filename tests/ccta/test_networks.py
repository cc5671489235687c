"""The heart network: training that goes on where it stopped, weights that are checked, and what the shipped ones name in chests they have not seen."""

import json

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, run
from scipy import ndimage
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ccta.coordinates import resampled_like
from ccta.errors import BadInput, BadSettings
from ccta.model import HEART_LABELS, Volume
from ccta.networks.architecture import heart_network
from ccta.networks.bundle import METADATA, MODEL, checked, metadata_of
from ccta.networks.heart_task import heart_task, validated
from ccta.networks.inference import predict_places
from ccta.networks.published import PRODUCTS, publish, trainable
from ccta.networks.shipped import HEART, loaded
from ccta.networks.training import Run, TrainingSettings
from ccta.networks.windows import PATCH, probabilities
from ccta.phantom.chest_map import chest_map
from ccta.phantom.patient import make_patient
from ccta.phantom.scanner import ScannerSpec, scan
from ccta.reading.study import open_input, read
from ccta.tissues import PLACES

SMALL = TrainingSettings(steps=4, maps=1, warm_up=1, epoch=2)


@pytest.fixture(scope="module")
def chest():
    return chest_map(1)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr("ccta.networks.training.VALIDATION", 1)


def told(message: str, share: float | None = None) -> None:
    """A reporter that keeps silent."""


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, chest, few):
    whole, parts = (Run(tmp_path / name, heart_task(lambda seed: chest), SMALL) for name in ("whole", "parts"))
    whole.to_the_end(told)

    def stop(message, share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parts.to_the_end(stop)
    again = Run(tmp_path / "parts", heart_task(lambda seed: chest), SMALL)
    assert again.step == 2
    again.to_the_end(told)
    one, other = (torch.load(tmp_path / name / "weights.pt", weights_only=True) for name in ("whole", "parts"))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-5)
    assert len((tmp_path / "parts" / "log.csv").read_text().splitlines()) == 3 and (tmp_path / "parts" / "epoch_000004.png").exists()
    shown = EventAccumulator(str(tmp_path / "parts" / "tensorboard")).Reload()
    assert [event.step for event in shown.Scalars("loss")] == [2, 4] and "dice/lv" in shown.Tags()["scalars"]
    with pytest.raises(BadSettings, match="other settings"):
        Run(tmp_path / "parts", heart_task(lambda seed: chest), TrainingSettings(steps=5))


def test_training_goes_on_from_given_weights(tmp_path, chest, few):
    """The first step starts at the given network, whose card's hash the new run's settings hold."""
    torch.manual_seed(5)
    torch.save(heart_network().state_dict(), tmp_path / "weights.pt")
    path = publish(tmp_path / "weights.pt", tmp_path, SMALL, 0.1, {"lv": 0.9})
    given = {name: value.clone() for name, value in trainable(path).state_dict().items()}
    run = Run(tmp_path / "next", heart_task(lambda seed: chest), SMALL, trainable(path))
    for name, value in run.parts["network"].state_dict().items():
        torch.testing.assert_close(value, given[name])


def test_weights_are_what_their_card_says_or_refused(tmp_path):
    torch.save(heart_network().state_dict(), tmp_path / "weights.pt")
    path = publish(tmp_path / "weights.pt", tmp_path, SMALL, 0.1, {"lv": 0.9})
    assert metadata_of(path)["eval_metrics"] == {"lv": 0.9} and (path / MODEL).stat().st_size < 16 * 2**20
    assert {"configs", "docs", "models", "LICENSE"} == {part.name for part in path.iterdir()}
    image = np.random.default_rng(0).normal(0, 0.5, (1, 2, *PATCH)).astype(np.float32)
    with torch.no_grad():
        again = trainable(path).eval()(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(loaded(path)(image), again, atol=0.05 * np.abs(again).max())  # bfloat16 where the processor has it
    content = bytearray((path / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    (path / MODEL).write_bytes(content)
    with pytest.raises(BadInput, match="damaged or changed"):
        checked(path)
    (path / MODEL).unlink()
    with pytest.raises(BadInput, match="missing"):
        checked(path)
    (path / METADATA).write_text("{")
    with pytest.raises(BadInput, match="damaged"):
        checked(path)
    with pytest.raises(BadInput, match="no bundle"):
        checked(tmp_path / "nowhere")


def test_windows_meet_without_a_seam_and_air_is_not_asked_about():
    """A network that answers voxel by voxel gives the same with windows as without."""
    rng = np.random.default_rng(1)
    hu = ndimage.gaussian_filter(rng.normal(0, 900, (90, 50, 70)), 2).astype(np.float32)
    hu[60:] = -1000
    asked = []

    def network(image):
        asked.append(image.shape)
        return np.concatenate([image[:, :1], 2 * image[:, 1:]], axis=1)

    found = probabilities(hu, network)
    narrow, wide = np.clip(hu / 160, -1, 1), 2 * np.clip(hu / 1000, -1, 1)
    np.testing.assert_allclose(found[1], 1 / (1 + np.exp(narrow - wide)), atol=1e-5)
    assert found.shape == (2, 90, 50, 70) and set(asked) == {(1, 2, *PATCH)}
    assert probabilities(np.full((200, 80, 60), -1000.0), network).shape[0] == 1


@pytest.mark.parametrize("name", PRODUCTS)
def test_shipped_weights_are_a_bundle_that_monai_reads(name):
    """Metadata with what MONAI's schema and our licence of data ask for; the configuration names the package's own functions, which exist."""
    bundle, about = HEART.with_name(name), PRODUCTS[name].about
    metadata = ConfigParser.load_config_file(bundle / METADATA)
    asked = {"version", "changelog", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright", "network_data_format"}
    assert asked <= set(metadata) and {"command", "settings", "hours", "hardware", "made"} <= set(metadata["training"])
    assert metadata["network_data_format"]["outputs"]["pred"]["num_channels"] == max(about.classes.values()) + 1
    assert (bundle / MODEL).stat().st_size <= 16 * 10**6 and "Apache License" in (bundle / "LICENSE").read_text()
    assert json.loads((bundle / "configs/inference.json").read_text()) == json.loads(json.dumps(about.inference))


def test_a_shipped_bundle_runs_in_monai(tmp_path):
    """On an image of air and tissue without a heart, since it is the way from file to file that is tested."""
    hu = np.full((40, 40, 40), -1000, np.int16)
    hu[8:32, 8:32, 8:32] = 40
    affine = np.diag([-2.0, -2, 2, 1])
    nibabel.save(nibabel.Nifti1Image(hu, affine), tmp_path / "image.nii.gz")
    files = {"image": str(tmp_path / "image.nii.gz"), "output": str(tmp_path / "found.nii.gz")}
    run(config_file=str(HEART / "configs/inference.json"), bundle_root=str(HEART), **files)
    found = nibabel.load(tmp_path / "found.nii.gz")
    assert found.get_data_dtype() == np.uint8 and found.shape == (40, 40, 40)
    np.testing.assert_allclose(found.affine, affine, atol=1e-6)


def test_the_shipped_network_names_chests_it_has_not_seen():
    dice = validated(loaded(), chest_map, 4)
    assert min(dice[name] for name in HEART_LABELS) > 0.6 and min(dice[name] for name in ("LAD", "LCx", "RCA")) > 0.4


@pytest.mark.parametrize("contrast", [True, False])
def test_a_phantom_of_the_scanner_is_named_in_any_orientation(contrast):
    """The plain generator's scanner, which training does not use; stored feet first and prone the places are the same."""
    spec = ScannerSpec(shape=(110, 110, 46), pixel_mm=2.0, increment_mm=3.0, contrast=contrast, sub_mm=1.0, fwhm_mm=2.0, fwhm_z_mm=3.0, noise_hu=8.0)
    patient = make_patient(31)
    image, true = scan(patient, spec), patient.heart_labels(spec.affine, spec.shape).array
    places = predict_places(image)
    found = resampled_like(Volume(places.label, places.affine), image, order=0).array
    for name in ("lv", "myocardium", "rv", "la", "ra"):
        one, other = true == HEART_LABELS[name], found == PLACES[name]
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.75, name
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, 1] * (image.array.shape[1] - 1) + affine[:3, 2] * (image.array.shape[2] - 1)
    affine[:3, 1:3] *= -1
    turned = predict_places(Volume(image.array[:, ::-1, ::-1], affine))
    assert (turned.label == places.label).mean() > 0.999


def test_the_heart_of_a_real_scan(real_data):
    """Chambers, muscle and pulmonary artery against another program's heart, which holds all three; the network has seen no patient."""
    volume = read(open_input(real_data / "patient_cta" / "ct_cropped.nii.gz").required("ccta")).volume
    places = predict_places(volume)

    def dice(file: str, *names: str) -> float:
        inside = np.isin(places.label, [PLACES[name] for name in names])
        true = resampled_like(read_label(real_data / "patient_cta" / file), Volume(inside, places.affine), order=0).array > 0
        return 2 * (inside & true).sum() / (inside.sum() + true.sum())

    assert dice("heart.nii.gz", "lv", "myocardium", "rv", "la", "ra", "pulmonary_artery") > 0.87
    assert dice("pulmonary_artery.nii.gz", "pulmonary_artery") > 0.55


def read_label(path) -> Volume:
    image = nibabel.load(path)
    return Volume(np.asarray(image.dataobj), np.diag([-1.0, -1, 1, 1]) @ image.affine)
