"""tree.json: the coronary tree as JSON, points rounded to a micrometre."""

from __future__ import annotations

import json

import numpy as np

from ccta.model import Branch, CoronaryTree


def tree_to_dict(tree: CoronaryTree) -> dict:
    """The content of tree.json."""
    return {"dominance": tree.dominance, "branches": [_branch_to_dict(branch) for branch in tree]}


def _branch_to_dict(branch: Branch) -> dict:
    return {
        "name": branch.name,
        "parent": branch.parent,
        "parent_distance_mm": round(float(branch.parent_distance_mm), 4),
        "points_mm": np.round(branch.points_mm, 3).tolist(),
        "radius_mm": np.round(branch.radius_mm, 4).tolist(),
        "segment": branch.segment.tolist(),
    }


def tree_from_dict(data: dict) -> CoronaryTree:
    """The inverse of `tree_to_dict`; ValueError, KeyError or TypeError where the data is no tree."""
    branches = (
        Branch(np.array(b["points_mm"], float), np.array(b["radius_mm"], float), b["parent"], b["parent_distance_mm"], np.array(b["segment"], int), b["name"])
        for b in data["branches"]
    )
    return CoronaryTree(tuple(branches), data["dominance"])


def shape_of(tree: CoronaryTree) -> bytes:
    """What the contours depend on: where the branches run, how wide they are and how they hang together; the names of their segments are left out."""
    named = ("name", "segment")
    return json.dumps([{key: value for key, value in _branch_to_dict(branch).items() if key not in named} for branch in tree]).encode()
