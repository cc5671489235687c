# %% [markdown]
# # A cohort
#
# **What one learns:** how findings of many patients become tables that can be published, and how a small error of the contours carries into FFR and into the
# area under a ROC curve. A real cohort begins with `ccta batch cohort.csv out/ --workers 8`; here, so that it takes seconds, the lumen of made-up patients
# is disturbed by 0.07 mm, and FFR on it is compared with FFR on the true lumen as if that were the pressure wire.

# %%
import matplotlib

matplotlib.use("Agg")
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas

from ccta.cohort.record import start_cohort
from ccta.cohort.storage import Place
from ccta.cohort.summary import Pair, compare, read_frames, sentences, summarise
from ccta.cohort.table import Study
from ccta.cohort.tables import write_tables
from ccta.findings import Findings, Patient, Stenosis
from ccta.model import Branch, CoronaryTree
from ccta.settings import FlowSettings
from cfd.pipeline import Anatomy, reduced_flow

# %% [markdown]
# Forty patients: an LAD with one diagonal, a stenosis of 30-80 %, myocardium of 30-50 g behind it.

# %%
rng = np.random.default_rng(9)


def patient(degree, center_mm, error_mm):
    """The tree with a stenosis, its radii off by an error that is shared along the vessel and one of each 5 mm."""
    s = np.linspace(0, 110, 441)
    dip = 0.5 * (1 + np.cos(2 * np.pi * np.clip((s - center_mm) / 12.0, -0.5, 0.5)))
    off = error_mm * np.sqrt(0.5) * (rng.normal() + np.interp(s, np.arange(0, 115, 5), rng.normal(size=23)))
    radius = np.maximum(np.interp(s, [0, 110], [1.9, 0.9]) * (1 - degree * dip) + off, 0.2)
    lad = Branch(np.stack([s, 0 * s, 0 * s], axis=1), radius, name="LAD", segment=np.where(s < 30, 6, np.where(s < 70, 7, 8)))
    t = np.linspace(0, 50, 201)
    side = Branch(np.stack([30 + 0.7 * t, 0.7 * t, 0 * t], axis=1), np.linspace(1.1, 0.7, 201), 0, 30.0, np.full(201, 9), "D1")
    return CoronaryTree((lad, side), "right")


def lesion(degree, center_mm):
    """The stenosis as a finding: FFR is read 10-20 mm behind it."""
    healthy = float(np.interp(center_mm, [0, 110], [3.8, 1.8]))
    return Stenosis(
        segment=7,
        vessel="LAD",
        branch=0,
        diameter_pct=100 * degree,
        area_pct=100 * (1 - (1 - degree) ** 2),
        mld_mm=healthy * (1 - degree),
        mla_mm2=np.pi / 4 * (healthy * (1 - degree)) ** 2,
        reference_diameter_mm=healthy,
        position_mm=center_mm,
        entry_mm=center_mm - 6,
        exit_mm=center_mm + 6,
        length_mm=12.0,
        center_mm=(center_mm, 0.0, 0.0),
    )


root, studies, wire = Place(tempfile.mkdtemp(prefix="ccta-cohort-") + "/out"), [], []
cases = []
for number in range(40):
    degree, center, mass = rng.uniform(0.3, 0.8), rng.uniform(35, 60), rng.uniform(30, 50)
    settings = FlowSettings(lv_mass_g=mass, interval_samples=0)
    true = reduced_flow(Anatomy(patient(degree, center, 0.0), stenoses=(lesion(degree, center),)), settings)[1].vessels["LAD"].ffr
    seen = reduced_flow(Anatomy(patient(degree, center, 0.07), stenoses=(lesion(degree, center),)), settings)[1]
    if not (isinstance(true, float) and isinstance(seen.vessels["LAD"].ffr, float)):
        continue
    studies.append(Study(f"p{number:02d}", "made up", {"flow": {"lv_mass_g": mass}}))
    cases.append(Findings(patient=Patient(sex="M", age_years=60.0), stenoses=[lesion(degree, center)], ffr=seen))
    wire.append(true)
start_cohort(root, studies, {}, False)
for study, found in zip(studies, cases, strict=True):
    (root / f"cases/{study.id}/findings.json").write_bytes(found.model_dump_json().encode())
print(write_tables(root), "rows in the tables")

# %% [markdown]
# The tables beside the wire: bias and limits of agreement, and how well FFR <= 0.80 is told.

# %%
reference = Path(root.address) / "wire.csv"
pandas.DataFrame({"id": [one.id for one in studies], "wire_ffr": wire}).to_csv(reference, index=False)
content = summarise(root, reference, [Pair("ffr", "wire_ffr", 0.80)])
frame = read_frames(root)["patient"].merge(pandas.read_csv(reference), on="id")
found = compare(frame, Pair("ffr", "wire_ffr", 0.80))
figure_bland_altman, figure_roc = found["figures"]["bland_altman"], found["figures"]["roc"]
print("\n".join(sentences(content["comparisons"][0])))

# %% [markdown]
# Every column is explained in the data dictionary that lies beside the tables.

# %%
dictionary = pandas.DataFrame(json.loads((root / "tables/dictionary.json").read_bytes()))
print(dictionary.query("table == 'patient'")[["name", "unit", "definition"]].head(8).to_string())
assert content["comparisons"][0]["roc"]["auc"] > 0.85 and len(frame) > 30
