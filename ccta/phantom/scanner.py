"""A CT scanner: partial volume, point spread, slice profile, correlated noise, optional blooming, motion and slab misregistration."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ccta.coordinates import to_patient_mm
from ccta.errors import BadSettings
from ccta.model import Volume
from ccta.phantom.deposits import add_deposits, sub_voxels
from ccta.phantom.patient import PhantomPatient
from ccta.phantom.plaques import LIPID_HU, WALL_HU
from ccta.phantom.tissue import paint_layers
from ccta.phantom.vessels import paint, touched

HU_PER_MG_CM3 = {70: 2.05, 80: 1.80, 90: 1.60, 100: 1.48, 110: 1.38, 120: 1.30, 130: 1.24, 140: 1.18}
"""Attenuation of calcium hydroxyapatite above its matrix by tube voltage (about 0.77 mg/(HU cm3) at 120 kVp: McCollough et al., Radiology 2007;243:527)."""
FWHM = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class ScannerSpec:
    """One series. Slices are averaged over `thickness_mm`; 0 means the increment. Lengths in mm."""

    shape: tuple[int, int, int] = (512, 512, 260)
    pixel_mm: float = 0.39
    increment_mm: float = 0.5
    thickness_mm: float = 0.0
    center_mm: tuple[float, float, float] = (-10.0, -3.0, 2.0)
    contrast: bool = True
    kvp: int = 120
    noise_hu: float = 22.0
    fwhm_mm: float = 0.7  # in-plane point spread of a medium cardiac kernel
    fwhm_z_mm: float = 0.7
    noise_fwhm_mm: float = 0.9  # grain of the noise
    blooming: float = 0.0  # fraction of what exceeds 600 HU that is spread once more over twice the point spread
    motion_mm: float = 0.0  # in-plane travel of the heart during one rotation
    slab_mm: float = 0.0  # height of one slab of a step-and-shoot scan; 0: none
    slab_shift_mm: float = 0.0  # SD of the heart's in-plane shift from slab to slab
    sub_mm: float = 0.17  # sub-voxels of the arteries are no larger
    phase_percent: int = 75

    def __post_init__(self):
        if self.kvp not in HU_PER_MG_CM3:
            raise BadSettings(f"the tube voltage is {self.kvp} kV; it must be one of {sorted(HU_PER_MG_CM3)}")
        if min(self.shape) < 4 or len(self.shape) != 3:
            raise BadSettings(f"the series has shape {self.shape}; it needs three axes of at least 4 voxels")
        for name in ("pixel_mm", "increment_mm", "fwhm_mm", "fwhm_z_mm", "noise_fwhm_mm", "sub_mm"):
            if not getattr(self, name) > 0:
                raise BadSettings(f"{name} is {getattr(self, name)}; it must be positive")

    @property
    def affine(self) -> np.ndarray:
        """Slices from feet to head, rows and columns along x and y."""
        spacing = np.array([self.pixel_mm, self.pixel_mm, self.increment_mm])
        matrix = np.diag([*spacing, 1.0])
        matrix[:3, 3] = np.array(self.center_mm) - spacing * (np.array(self.shape) - 1) / 2
        return matrix


CALCIUM_SERIES = ScannerSpec(shape=(512, 512, 46), pixel_mm=0.43, increment_mm=3.0, contrast=False, noise_hu=17.0, fwhm_mm=0.9, noise_fwhm_mm=1.2)
"""Prospectively gated calcium scan: 3 mm slices, softer kernel (Hecht et al., JCCT 2017;11:74)."""


def scan(patient: PhantomPatient, spec: ScannerSpec | None = None, progress=None) -> Volume:
    """One reconstructed series in HU, int16, rounded. Deterministic in the patient's seed and the specification."""
    spec = spec or ScannerSpec()
    image = noiseless(patient, spec, progress)
    rng = np.random.default_rng([patient.seed, 10, spec.kvp, int(spec.contrast), *spec.shape])
    for low in range(0, spec.shape[2], 64):
        add_noise(image[:, :, low : low + 64], spec, rng, low)
    np.clip(np.round(image, out=image), -1024, 3071, out=image)
    return Volume(image.astype(np.int16), spec.affine)


def noiseless(patient: PhantomPatient, spec: ScannerSpec, progress=None) -> np.ndarray:
    """What the scanner would show without noise, float32 HU, made in slabs of slices."""
    result = np.empty(spec.shape, np.float32)
    rng = np.random.default_rng([patient.seed, 11])
    height = max(1, round(spec.slab_mm / spec.increment_mm)) if spec.slab_mm else spec.shape[2]
    done = 0
    for first in range(0, spec.shape[2], height):
        shift = rng.normal(0, spec.slab_shift_mm, 2) if first and spec.slab_mm else np.zeros(2)
        stop = min(first + height, spec.shape[2])
        for low in range(first, stop, chunk_of(spec)):
            high = min(low + chunk_of(spec), stop)
            result[:, :, low:high] = chunk(patient, spec, low, high, shift)
            done += high - low
            if progress:
                progress(done / spec.shape[2])
    return result


def chunk_of(spec: ScannerSpec) -> int:
    """Slices made at once: at most 12 million fine voxels."""
    return max(1, int(12e6 / (spec.shape[0] * spec.shape[1] * fine_slices(spec))))


def fine_slices(spec: ScannerSpec) -> int:
    """Fine slices that are averaged into one."""
    return max(1, int(np.ceil(spec.increment_mm / 0.8)))


def chunk(patient: PhantomPatient, spec: ScannerSpec, low: int, high: int, shift_mm) -> np.ndarray:
    """Slices low..high: fine slices, point spread, slice profile."""
    count, step = fine_slices(spec), spec.increment_mm / fine_slices(spec)
    thick = (spec.thickness_mm or spec.increment_mm) / step
    margin = int(np.ceil(4 * spec.fwhm_z_mm / FWHM / step + thick / 2)) + 1
    affine = spec.affine.copy()
    affine[:2, 3] -= shift_mm
    affine[2, 2] = step
    affine[2, 3] += low * spec.increment_mm - margin * step
    shape = (*spec.shape[:2], (high - low - 1) * count + 1 + 2 * margin)
    if spec.motion_mm:
        fine = np.mean([painted(patient, spec, translated(affine, spec.motion_mm * f), shape) for f in (-0.5, -0.25, 0, 0.25, 0.5)], axis=0)
    else:
        fine = painted(patient, spec, affine, shape)
    spread(fine, spec, step, 1.0)
    if spec.blooming:
        excess = np.maximum(fine - 600, 0)
        wide = excess.copy()
        spread(wide, spec, step, 2.0)
        fine += spec.blooming * (wide - excess)
    profile = slice_profile(thick)
    if len(profile) > 1:
        fine = ndimage.correlate1d(fine, profile, axis=2)
    return fine[:, :, margin : margin + (high - low - 1) * count + 1 : count]


def translated(affine, by_mm: float) -> np.ndarray:
    """Motion is along the diagonal of the axial plane, as of the right coronary artery in systole."""
    moved = affine.copy()
    moved[:2, 3] += by_mm * np.array([0.8, 0.6])
    return moved


def slice_profile(width: float) -> np.ndarray:
    """Box of `width` fine slices, sampled with partial end weights; sums to 1."""
    reach = int(np.ceil((width - 1) / 2 - 1e-9))
    weight = np.clip((width + 1) / 2 - np.abs(np.arange(-reach, reach + 1)), 0, 1)
    return weight / weight.sum()


def spread(image: np.ndarray, spec: ScannerSpec, step_mm: float, factor: float) -> None:
    """Gaussian point spread in place; the partial volume of the voxel itself is already in the image."""
    for axis, (fwhm, spacing) in enumerate(((spec.fwhm_mm, spec.pixel_mm), (spec.fwhm_mm, spec.pixel_mm), (spec.fwhm_z_mm, step_mm))):
        ndimage.gaussian_filter1d(image, factor * fwhm / FWHM / spacing, axis=axis, output=image, mode="nearest")


def painted(patient: PhantomPatient, spec: ScannerSpec, affine: np.ndarray, shape) -> np.ndarray:
    """Tissue layers, then the arteries in sub-voxels; float32 HU without point spread."""
    field = patient.fields(affine, shape)
    layers = patient.anatomy.layers
    hu = np.array([layer.hu if spec.contrast else layer.plain_hu for layer in layers], float)
    texture = np.array([layer.texture_hu if spec.contrast else min(layer.texture_hu, 8.0) for layer in layers], float)
    width = float(np.mean(np.abs(affine[[0, 1, 2], [0, 1, 2]])))
    image = paint_layers(affine[:3], tuple(shape), field, hu, texture, width)
    index, near = touched(patient.tubes, affine, shape)
    if len(index):
        where = tuple(index.T)
        offsets = sub_voxels(affine, spec.sub_mm)
        art = np.array([patient.spec.blood_hu if spec.contrast else 44.0, WALL_HU if spec.contrast else 40.0, LIPID_HU, HU_PER_MG_CM3[spec.kvp]])
        image[where] = paint(to_patient_mm(index, affine), offsets, image[where], near, patient.tubes, art)
    add_deposits(image, patient.deposits, affine, spec.sub_mm)
    return image


def add_noise(image: np.ndarray, spec: ScannerSpec, rng: np.random.Generator, first: int = 0) -> None:
    """Blurred white noise with the stated SD, added in place. In z the grain is that of the slice profile or the point spread, whichever is larger."""
    if not spec.noise_hu:
        return
    sigma = np.array([spec.noise_fwhm_mm / spec.pixel_mm, spec.noise_fwhm_mm / spec.pixel_mm, 0.8 * spec.noise_fwhm_mm / spec.increment_mm]) / FWHM
    pad = int(np.ceil(4 * sigma[2])) if sigma[2] > 0.3 else 0
    noise = rng.standard_normal((*image.shape[:2], image.shape[2] + 2 * pad), dtype=np.float32)
    for axis in range(3):
        if sigma[axis] > 0.3:
            ndimage.gaussian_filter1d(noise, sigma[axis], axis=axis, output=noise, mode="wrap")
            noise /= np.float32(kernel_norm(sigma[axis]))
    image += np.float32(spec.noise_hu) * noise[:, :, pad : pad + image.shape[2]]


def kernel_norm(sigma: float) -> float:
    """SD that unit white noise keeps after ndimage's Gaussian of `sigma` samples: sqrt(sum of squared weights)."""
    impulse = np.zeros(2 * int(np.ceil(4 * sigma)) + 3)
    impulse[len(impulse) // 2] = 1
    return float(np.sqrt(np.sum(ndimage.gaussian_filter1d(impulse, sigma, mode="constant") ** 2)))
