"""Tiny public data sets in every layout: one small chest-like image with a tube, and what readers would have drawn on it."""

import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pyvista as pv
import SimpleITK

from ccta.model import Volume

SHAPE = (24, 20, 16)
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def image() -> Volume:
    """HU: lung about a soft block, in it a bright tube along the first axis at (y, z) = (10, 8) voxels."""
    hu = np.full(SHAPE, -850, np.int16)
    hu[3:21, 3:17, 3:13] = 60
    hu[lumen()] = 400
    affine = np.diag([0.5, 0.5, 0.8, 1.0])
    affine[:3, 3] = -20.0, -150.0, 60.0
    return Volume(hu, affine)


def lumen() -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[4:20, 8:13, 6:11] = True
    return mask


def axis_mm(first=4.5, last=19.0, count=30) -> np.ndarray:
    """(N, 3) the tube's middle, LPS."""
    index = np.column_stack([np.linspace(first, last, count), np.full(count, 10.0), np.full(count, 8.0)])
    volume = image()
    return index @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def nifti(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array.astype(np.int16), RAS @ (image().affine if affine is None else affine)), path)
    return path


def itk(path: Path, array: np.ndarray, origin=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = image()
    written = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.astype(np.int16).T))
    written.SetSpacing(volume.spacing_mm.tolist())
    written.SetOrigin(volume.affine[:3, 3].tolist() if origin is None else origin)
    SimpleITK.WriteImage(written, str(path))
    return path


def vmtk_lines(path: Path, points_mm: np.ndarray, radius_mm: float | None = 1.2) -> Path:
    """One line with VMTK's radii, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pv.PolyData(points_mm, lines=np.array([len(points_mm), *range(len(points_mm))]))
    if radius_mm is not None:
        data.point_data["MaximumInscribedSphereRadius"] = np.full(len(points_mm), radius_mm)
    data.save(path)
    return path


def asoca(root: Path) -> Path:
    """Two annotated cases, the second with a centerline whose frame has the origin's other sign in x and y; one test case without annotation."""
    for kind in ("Normal", "Diseased"):
        itk(root / kind / "CTCA" / f"{kind}_1.nrrd", image().array)
        itk(root / kind / "Annotations" / f"{kind}_1.nrrd", lumen())
    vmtk_lines(root / "Diseased" / "Centerlines" / "Diseased_1.vtp", axis_mm() - 2 * image().affine[:3, 3] * (1, 1, 0))
    vmtk_lines(root / "Normal" / "Centerlines" / "Normal_1.vtp", axis_mm())
    itk(root / "Normal" / "Testset_Normal" / "0.nrrd", image().array)
    return root


def imagecas(root: Path, table="xlsx") -> Path:
    """Cases 2 and 10 in folders of 200; 2 is training, 10 testing, 999 is in the table only."""
    for name in ("2", "10"):
        nifti(root / "1-200" / f"{name}.img.nii.gz", image().array)
        nifti(root / "1-200" / f"{name}.label.nii.gz", lumen())
    rows = [["FileName", "Split-1", "Split-2"], [2, "Training", "Testing"], [10, "Testing", "Training"], [999, "Val", "Training"]]
    if table == "xlsx":
        worksheet(root / "imageCAS_data_split.xlsx", rows)
    else:
        (root / "imageCAS_data_split.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    return root


def worksheet(path: Path, rows: list[list]) -> None:
    """A minimal XLSX: words in the shared table, numbers as numbers."""
    words = list(dict.fromkeys(cell for row in rows for cell in row if isinstance(cell, str)))
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    cells = [
        [
            f'<c r="{"ABCDE"[n]}{k}" t="s"><v>{words.index(c)}</v></c>' if isinstance(c, str) else f'<c r="{"ABCDE"[n]}{k}"><v>{c}</v></c>'
            for n, c in enumerate(row)
        ]
        for k, row in enumerate(rows, 1)
    ]
    sheet = "".join(f'<row r="{k}">{"".join(row)}</row>' for k, row in enumerate(cells, 1))
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{''.join(f'<si><t>{word}</t></si>' for word in words)}</sst>")
        book.writestr("xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{sheet}</sheetData></worksheet>")


def imagecas_x(root: Path) -> Path:
    """Case 7: LM then LAD along the tube, D1 a spur; left centerline as a graph that begins in the middle of the point list. Case 8 is excluded."""
    for name in ("7", "8"):
        nifti(root / "volumes" / f"{name}.img.nii.gz", image().array)
        nifti(root / "segmentations" / f"{name}.coronary.nii.gz", artery_labels())
    (root / "filelist").mkdir()
    for name, cases in (("train", ""), ("val", ""), ("test", "7\n8\n"), ("exclude", "8\n")):
        (root / "filelist" / f"{name}.txt").write_text(cases)
    main, spur = axis_mm(count=30), axis_mm(first=10, last=10, count=5) + np.linspace(0, 1, 5)[:, None] * [0, 1.2, 0]
    points = np.vstack([main[15:], main[:15], spur[1:]])  # the ostium is point 15
    fork = int(np.argmin(np.linalg.norm(points - spur[0], axis=1)))
    edges = [*range(15, 30), *range(15)]
    lines = [[len(edges), *edges], [len(spur), fork, *range(30, 34)]]
    data = pv.PolyData(points, lines=np.concatenate(lines))
    start = np.zeros(len(points))
    start[15] = 1
    data.point_data["start_points"], data.point_data["segment_label"] = start, np.array([2] * 15 + [1] * 15 + [4] * 4)
    (root / "centerlines").mkdir()
    data.save(root / "centerlines" / "7.coronary_left_centerline.vtk")
    return root


def artery_labels() -> np.ndarray:
    """1 LM and 2 LAD along the tube, 4 D1 on its side."""
    labels = np.where(lumen(), 2, 0)
    labels[4:8][lumen()[4:8]] = 1
    labels[9:12, 12:14, 7:10] = 4
    return labels


def cat08(root: Path) -> Path:
    """HU with an offset of 1024; two vessels with radii in dataset00, none in dataset08."""
    for name in ("00", "08"):
        itk(root / f"dataset{name}" / f"image{name}.mhd", image().array + 1024, origin=(0.0, 0.0, 0.0))
    for number in (0, 1):
        folder = root / "dataset00" / f"vessel{number}"
        folder.mkdir()
        points = axis_mm() - image().affine[:3, 3]
        np.savetxt(folder / "reference.txt", np.column_stack([points, np.full(len(points), 1.1), np.full(len(points), 0.3)]))
    return root


def mmwhs(root: Path) -> Path:
    labels = np.zeros(SHAPE, int)
    for n, code in enumerate((500, 600, 420, 550, 205, 820, 850)):
        labels[4 + 2 * n : 6 + 2 * n, 5:15, 5:11] = code
    nifti(root / "ct_train" / "ct_train_1001_image.nii.gz", image().array)
    nifti(root / "ct_train" / "ct_train_1001_label.nii.gz", labels)
    nifti(root / "ct_test" / "ct_test_2001_image.nii.gz", image().array)
    return root


def totalsegmentator(root: Path) -> Path:
    """Version 2 (heart in one piece) and version 1 (chambers, the right atrium outside the image); meta.csv with a byte-order mark."""
    nifti(root / "s0001" / "ct.nii.gz", image().array)
    nifti(root / "s0001" / "segmentations" / "heart.nii.gz", lumen())
    nifti(root / "s0001" / "segmentations" / "liver.nii.gz", lumen())
    nifti(root / "s0002" / "ct.nii.gz", image().array)
    for name in ("heart_ventricle_left", "pulmonary_artery"):
        nifti(root / "s0002" / "segmentations" / f"{name}.nii.gz", lumen())
    nifti(root / "s0002" / "segmentations" / "heart_atrium_right.nii.gz", 0 * lumen())
    (root / "meta.csv").write_text("\ufeffimage_id;age;split\ns0001;60;test\ns0002;61;train\n", encoding="utf-8")
    return root


def files(root: Path) -> Path:
    """An image and masks on another grid, one of them of no structure of ours."""
    nifti(root / "ct_cropped.nii.gz", image().array)
    wide = image().affine.copy()
    wide[:3, 3] -= 5 * image().spacing_mm
    nifti(root / "heart.nii.gz", np.pad(lumen(), 5), wide)
    nifti(root / "spleen.nii.gz", lumen())
    return root


MAKERS = {
    "asoca": asoca, "imagecas": imagecas, "imagecas-x": imagecas_x, "cat08": cat08, "mmwhs": mmwhs, "totalsegmentator": totalsegmentator, "files": files,
}  # fmt: skip
