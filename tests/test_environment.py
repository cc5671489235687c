"""environment.yml, pyproject.toml and the lock file name the same versions; the lock is hashed and names no index."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = dict(re.findall(r"^([a-z0-9_.-]+)(?:\[.*?\])?==([^ ;\\]+)", LOCK, re.M))
CONDA_NAME = {"dolfinx-solver-real": "fenics-dolfinx"}
FIXED = ("vtk", "pyvista", "itk", "torch", "monai", "gmsh", "numba", "trame")


def requirements() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def conda_and_pip() -> tuple[dict, dict]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = dict(entry.split("=") for entry in entries if isinstance(entry, str) and "=" in entry)
    pip = dict(re.sub(r"\[.*\]", "", line).split("==") for entry in entries if isinstance(entry, dict) for line in entry["pip"])
    return conda, pip


def test_every_requirement_is_in_both_environments():
    conda, pip = conda_and_pip()
    for requirement in requirements():
        name = re.split(r"[\[=<>]", requirement)[0].lower().replace(".", "-")
        assert name in PINNED, f"{name} is not locked: run `make lock`"
        if name in CONDA_NAME:
            assert PINNED[name].startswith(conda[CONDA_NAME[name]])
        else:
            assert pip[name] == PINNED[name], f"environment.yml has {name} {pip[name]}, the lock has {PINNED[name]}"


def test_the_fixed_packages_are_there():
    conda, pip = conda_and_pip()
    assert conda["fenics-dolfinx"] and conda["python"] == "3.12"
    assert set(FIXED) <= set(pip)


def test_the_lock_has_hashes_and_no_index():
    assert LOCK.count("--hash=sha256:") > len(PINNED)
    assert "://" not in LOCK and "index-url" not in LOCK
