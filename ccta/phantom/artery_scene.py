"""Patients for the training of the coronary network: hearts, calibres and plaques spread far beyond the usual, and any view of one painted with its truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ccta.coordinates import to_patient_mm
from ccta.model import CORONARY_LABELS
from ccta.phantom.chest_map import TISSUE_OF, wide_patient
from ccta.phantom.deposits import Deposit, add_deposits, sub_voxels
from ccta.phantom.patient import PhantomPatient, make_patient
from ccta.phantom.plaques import KINDS, PlaqueSpec
from ccta.phantom.tissue import GRID_MM, Fields, fields_from, fields_of, paint_layers
from ccta.phantom.vessels import CALCIUM, LUMEN, Tubes, classes, paint, touched
from ccta.tissues import CODE, OFF_SCALE_MM, ArteryScene, View

BEYOND_MM = 26.0  # of the arteries: what a view of 32 mm about one of them may show
FIRST_PATIENT = 50_000  # of the wide patients: the heart network's and all evaluations' have other numbers
SUB_MM = 0.17  # sub-voxels of the arteries are no larger


def artery_scene(seed: int) -> ArteryScene:
    """The scene of a training seed, a function of the seed alone."""
    patient = plaque_patient(FIRST_PATIENT + seed)
    points = np.vstack([branch.points_mm for branch in patient.tree])
    layers = patient.anatomy.layers
    fields = fields_of([layer.shape for layer in layers], points.min(axis=0) - BEYOND_MM, points.max(axis=0) + BEYOND_MM, seed)
    near = fields.distance_mm.min(axis=(1, 2, 3)) < 5.0
    codes = np.array([CODE[TISSUE_OF.get(layer.name, layer.name)] for layer in layers], np.uint8)
    distance = np.clip(np.rint(fields.distance_mm[near] / OFF_SCALE_MM), -127, 127).astype(np.int8)
    return ArteryScene(codes[near], fields.origin_mm, distance, *patient.tubes)


def plaque_patient(seed: int) -> PhantomPatient:
    """`wide_patient` with up to nine plaques of any kind, length and degree, at most one in a segment."""
    plain = wide_patient(seed)
    rng = np.random.default_rng([seed, 4004])
    segments = np.unique(np.concatenate([branch.segment for branch in plain.tree]))
    segments = segments[segments > 0]
    plaques = []
    for segment in rng.permutation(segments)[: rng.integers(0, 10)]:
        room_mm = max(float(np.count_nonzero(branch.segment == segment)) * 0.25 for branch in plain.tree)
        if room_mm < 8:
            continue
        length = float(min(rng.uniform(3, 30), 0.8 * room_mm))
        shape = {"stenosis_pct": float(95 * rng.beta(1.2, 1.8)), "length_mm": length, "eccentricity": float(rng.uniform(0, 1))}
        calcium = {"angle_deg": float(rng.uniform(0, 360)), "calcium_mg_cm3": float(rng.uniform(200, 1400)), "remodelling": float(rng.uniform(1, 1.5))}
        plaques.append(PlaqueSpec(int(segment), str(rng.choice(KINDS)), **shape, **calcium))
    return make_patient(plain.seed, replace(plain.spec, plaques=tuple(plaques)), plain.form)


def painted_view(scene: ArteryScene, view: View, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(float32 HU without blur or noise, uint8 CORONARY_LABELS at the voxels' centres), both of the view's shape. rng: the tissues' texture."""
    hu, texture = view.hu[scene.codes].astype(float), view.texture_hu[scene.codes].astype(float)
    width_mm = float(np.cbrt(abs(np.linalg.det(view.affine[:3, :3]))))
    image = paint_layers(view.affine[:3], view.shape, _fields(scene, view, rng), hu, texture, width_mm)
    tubes = Tubes(scene.node, scene.shape, scene.start, scene.part, scene.part_start)
    index, near = touched(tubes, view.affine, view.shape)
    label = np.zeros(view.shape, np.uint8)
    if len(index):
        where, points = tuple(index.T), to_patient_mm(index, view.affine)
        image[where] = paint(points, sub_voxels(view.affine, SUB_MM), image[where], near, tubes, view.artery_hu)
        kind = classes(points, near, tubes)
        label[where] = np.where(kind == LUMEN, CORONARY_LABELS["lumen"], np.where(kind == CALCIUM, CORONARY_LABELS["calcified"], 0))
    for line in view.lines:
        cover = np.zeros(view.shape, np.float32)
        add_deposits(cover, (Deposit("line", line.points_mm, line.radius_mm, 1.0, line.wall_mm),), view.affine, 2 * SUB_MM)
        image += np.minimum(cover, 1) * (np.maximum(line.hu - image, 0) if line.fill else line.hu)
    return image, label


def _fields(scene: ArteryScene, view: View, rng: np.random.Generator) -> Fields:
    """The painter's fields over the view's box; beyond the scene its border goes on."""
    corners = to_patient_mm(np.array(np.meshgrid(*[[-0.5, n - 0.5] for n in view.shape])).reshape(3, -1).T, view.affine)
    low = np.floor((corners.min(axis=0) - scene.origin_mm) / GRID_MM).astype(int) - 1
    high = np.ceil((corners.max(axis=0) - scene.origin_mm) / GRID_MM).astype(int) + 2
    axes = [np.clip(np.arange(a, b), 0, n - 1) for a, b, n in zip(low, high, scene.distance.shape[1:], strict=True)]
    distance = scene.distance[:, axes[0][:, None, None], axes[1][:, None], axes[2]].astype(np.float32) * np.float32(OFF_SCALE_MM)
    texture = ndimage.gaussian_filter(rng.standard_normal(distance.shape[1:], dtype=np.float32), rng.uniform(0.7, 2.5), mode="wrap")
    return fields_from(distance, scene.origin_mm + low * GRID_MM, texture / texture.std())
