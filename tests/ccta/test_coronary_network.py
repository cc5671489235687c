"""The coronary network: its training pairs hold the patient's arteries, its loss asks for whole vessels, and what it says is of the windows that were asked."""

import numpy as np
import pytest
import torch

from ccta.model import CORONARY_LABELS
from ccta.networks.coronary_inference import predict_vessels
from ccta.networks.coronary_input import CORONARY_PATCH, coronary_input
from ccta.networks.coronary_synthesis import coronary_pair, profile, resliced
from ccta.networks.coronary_task import coronary_task, validated, vessel_loss
from ccta.networks.map_store import MapStore
from ccta.networks.published import publish, trainable
from ccta.networks.shipped import CORONARY, loaded
from ccta.networks.training import Run, TrainingSettings
from ccta.phantom.artery_scene import FIRST_PATIENT, artery_scene, painted_view, plaque_patient
from ccta.phantom.far import far_patient, far_scanner
from ccta.phantom.patient import make_patient
from ccta.tissues import CODE, TISSUES, ArteryScene, Line, View

SEED = 5  # has plaque; kept from the training of the shipped weights


@pytest.fixture(scope="module")
def scene():
    return artery_scene(SEED)


def view_at(point_mm, step_mm=0.5, shape=(32, 32, 32), **rest) -> View:
    affine = np.diag([step_mm, step_mm, step_mm, 1.0])
    affine[:3, 3] = point_mm - step_mm * (np.array(shape) - 1) / 2
    hu = np.full(len(TISSUES), -100.0)
    hu[CODE["myocardium"]] = 110.0
    return View(affine, shape, hu, 0 * hu, np.array([400.0, 50.0, 10.0, 1.3]), **rest)


def test_a_view_shows_the_patients_own_lumen(scene):
    """Labels are those of the patient at the voxels' centres; lumen is as bright as its blood."""
    patient = plaque_patient(FIRST_PATIENT + SEED)
    view = view_at(patient.tree.branches[0].point_at(30.0))
    image, label = painted_view(scene, view, np.random.default_rng(0))
    assert (label == patient.lumen_labels(view.affine, view.shape).array).all() and (label == CORONARY_LABELS["lumen"]).sum() > 100
    assert np.median(image[label == CORONARY_LABELS["lumen"]]) == pytest.approx(400, abs=5)


def test_a_vein_fills_what_is_darker_and_a_lead_is_added(scene):
    point = scene.node[100, :3]
    bare, _ = painted_view(scene, view_at(point), np.random.default_rng(0))
    path = point + np.array([[-6, 5, -6], [6, 5, 6]])
    vein, label = painted_view(scene, view_at(point, lines=(Line(path, 1.5, 300.0, fill=True),)), np.random.default_rng(0))
    lead, _ = painted_view(scene, view_at(point, lines=(Line(path, 1.5, 3000.0),)), np.random.default_rng(0))
    changed = vein != bare
    assert changed.any() and vein[changed].max() <= 300 and (vein >= bare - 1e-3).all()
    assert (lead - bare).max() == pytest.approx(3000, abs=1)
    assert (label > 0).any()


def test_pairs_follow_from_the_seed_and_hold_lumen_and_its_centerline(scene, tmp_path):
    stored = MapStore(tmp_path, lambda seed: scene, ArteryScene)(SEED)
    one, again = (coronary_pair(source, painted_view, np.random.default_rng(5)) for source in (scene, stored))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    found = [coronary_pair(scene, painted_view, np.random.default_rng(n)) for n in range(8)]
    assert sum((label == CORONARY_LABELS["lumen"]).any() for _, _, label, _ in found) >= 6
    for image, blood_hu, label, line in found:
        assert image.shape == label.shape == line.shape == CORONARY_PATCH and image.dtype == np.float32 and np.isfinite(image).all()
        assert blood_hu > 100 and not line[label == 0].any()


def test_slices_keep_the_mean_and_smooth_along_z():
    assert profile(0.8).tolist() == [1.0] and profile(2.0) == pytest.approx([0.25, 0.5, 0.25])
    ramp = np.broadcast_to(np.arange(40.0), (4, 4, 40))
    again = resliced(ramp, 2.5, np.zeros(ramp.shape), np.random.default_rng(0))
    np.testing.assert_allclose(again[:, :, 5:30], ramp[:, :, 5:30], atol=1e-6)


def logits_of(label: torch.Tensor) -> torch.Tensor:
    return 12 * torch.nn.functional.one_hot(label, 3).movedim(-1, 1).float()


def test_the_loss_asks_for_whole_vessels_and_for_no_calcium_where_there_is_none():
    label, line = torch.zeros(1, 16, 16, 16, dtype=torch.int64), torch.zeros(1, 16, 16, 16, dtype=torch.int64)
    label[:, 6:9, 6:9] = 1
    line[:, 7, 7] = 1
    target = torch.stack([label, line], dim=1)
    torn, rough, calcified = label.clone(), label.clone(), label.clone()
    torn[:, :, :, 6:10] = 0
    rough[:, 6, 6] = rough[:, 8, 8] = 0
    rough[:, 6, 8, :4] = 0  # as many voxels as are missing where it is torn
    calcified[:, 2:4, 2:4, 2:6] = 2
    assert (torn != label).sum() == (rough != label).sum()
    perfect = vessel_loss(logits_of(label), target)
    assert perfect < 0.01 < vessel_loss(logits_of(rough), target) < vessel_loss(logits_of(torn), target)
    assert vessel_loss(logits_of(calcified), target) > perfect + 0.2


def test_it_trains_and_its_file_answers_as_it_does(scene, tmp_path, monkeypatch):
    monkeypatch.setattr("ccta.networks.training.VALIDATION", 1)
    settings = TrainingSettings(steps=2, maps=1, warm_up=1, epoch=2, batch=1)
    run = Run(tmp_path, coronary_task(lambda seed: scene, painted_view), settings)
    figures = run.to_the_end(lambda message, share=None: None)
    assert set(figures) == {"lumen", "calcified", "line_precision", "line_recall", "clDice"} and (tmp_path / "epoch_000002.png").exists()
    path = publish(tmp_path / "weights.pt", tmp_path, settings, 0.1, figures, "coronary")
    assert path == tmp_path / "coronary"
    image, blood_hu, _, _ = coronary_pair(scene, painted_view, np.random.default_rng(1))
    given = coronary_input(image, blood_hu)[None]
    with torch.no_grad():
        again = trainable(path, "coronary").eval()(torch.from_numpy(given)).numpy()
    np.testing.assert_allclose(loaded(path)(given), again, atol=0.05 * np.abs(again).max())


def test_only_windows_that_may_hold_an_artery_are_asked():
    asked = []

    def network(image):
        asked.append(image)
        level = image[:, :1]
        return np.concatenate([np.zeros_like(level), 20 * (level - 0.5), -20 + 0 * level], axis=1)

    hu = np.full((150, 80, 70), -80.0, np.float32)
    hu[20:24, 40:44, 30:40] = 500.0
    found = predict_vessels(hu, hu > 0, 500.0, network)
    assert len(asked) == 1 and found.shape == (2, *hu.shape)
    assert (found[0][hu > 0] > 0.99).all() and found[0][hu < 0].max() < 0.01 and found[1].max() < 0.01
    assert not predict_vessels(hu, np.zeros(hu.shape, bool), 500.0, network).any()


def test_the_input_is_the_same_at_any_enhancement():
    hu = np.array([[[-100.0, 0.0, 250.0]]])
    np.testing.assert_allclose(coronary_input(hu, 250.0)[0], coronary_input(2 * hu, 500.0)[0])


def test_blood_beyond_the_training_is_refused_in_words():
    hu = np.full((64, 64, 64), 950.0, np.float32)
    assert "950 HU" in predict_vessels(hu, hu > 0, 950.0).reason


def test_the_shipped_network_follows_arteries_it_has_not_seen(scene):
    """On views of a patient that it was not trained on it finds most of the centerlines, and little else."""
    figures = validated(loaded(CORONARY), lambda seed: scene, painted_view, 4)
    assert figures["lumen"] > 0.6 and figures["line_recall"] > 0.8 and figures["line_precision"] > 0.6


def test_a_far_patient_is_far_from_the_plain_one():
    plain, far = make_patient(3), [far_patient(seed) for seed in (3, 4)]
    assert far_patient(3).spec == far[0].spec and far[0].spec != plain.spec
    veins = [next(layer.hu for layer in patient.anatomy.layers if layer.name == "vein") / patient.spec.blood_hu for patient in far]
    assert all(0.3 <= vein <= 1.0 for vein in veins) and veins[0] != veins[1]
    scanners = [far_scanner(seed) for seed in range(20)]
    assert max(s.increment_mm for s in scanners) <= 0.9 and {s.motion_mm > 0 for s in scanners} == {True, False}
    assert all(s.increment_mm <= s.thickness_mm <= 1.5 for s in scanners)
