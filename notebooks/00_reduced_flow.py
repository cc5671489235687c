# %% [markdown]
# # How a stenosis changes FFR
#
# The reduced flow model on a tree built by hand: a left anterior descending artery with one diagonal. The narrower the lesion, the lower the
# pressure behind it, and the more flow the diagonal takes. Everything is as `ccta flow --model rom` does it; nothing is fitted here.

# %%
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from ccta.model import Branch, CoronaryTree
from ccta.settings import FlowSettings
from cfd.pipeline import Anatomy, solve_flow

# %% [markdown]
# A vessel is a polyline with radii. The lesion is a smooth cosine dip of 12 mm at 45 mm.


# %%
def narrowed_mm(distance_mm, degree, center_mm=45.0, length_mm=12.0):
    """Lumen diameter of a tapering artery with one stenosis of the given degree (0-1 of the diameter)."""
    healthy = np.interp(distance_mm, [0, 110], [3.8, 1.8])
    inside = np.abs(distance_mm - center_mm) < length_mm / 2
    return healthy * (1 - degree * inside * 0.5 * (1 + np.cos(2 * np.pi * (distance_mm - center_mm) / length_mm)))


def tree_with(degree):
    """LAD with a diagonal at 30 mm."""
    s = np.linspace(0, 110, 441)
    lad = Branch(np.stack([s, 0 * s, 0 * s], axis=1), narrowed_mm(s, degree) / 2, name="LAD", segment=np.where(s < 30, 6, np.where(s < 70, 7, 8)))
    t = np.linspace(0, 50, 201)
    side = Branch(np.stack([30 + 0.7 * t, 0.7 * t, 0 * t], axis=1), np.linspace(1.1, 0.7, 201), 0, 30.0, np.full(201, 9), "D1")
    return CoronaryTree((lad, side), "right")


# %%
settings = FlowSettings(lv_mass_g=35.0, interval_samples=0)  # the myocardium that this one artery supplies, not the whole ventricle
degrees = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8)
results = {degree: solve_flow(Anatomy(tree_with(degree)), settings, "rom").pullback for degree in degrees}

# %% [markdown]
# The pullback of each. Grey is the zone 0.75-0.80 in which a decision needs more than this number.

# %%
figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
axis.axhspan(0.75, 0.80, color="0.85")
for degree, pullback in results.items():
    lad = pullback.branches[0]
    axis.plot(lad.distance_mm, lad.ffr, color=plt.cm.viridis(degree), label=f"{100 * degree:.0f} %")
axis.set(xlabel="distance along the LAD, mm", ylabel="FFR", ylim=(0, 1.02))
axis.legend(title="diameter stenosis")
distal_ffr = {degree: pullback.branches[0].ffr[-1] for degree, pullback in results.items()}
print({f"{100 * degree:.0f} %": round(value, 3) for degree, value in distal_ffr.items()})

# %% [markdown]
# Flow: what the LAD loses, the diagonal gains only a little, because each bed has its own resistance.

# %%
for degree, pullback in results.items():
    lad, diagonal = pullback.outlets
    print(f"{100 * degree:3.0f} %   LAD {lad.flow_ml_min:4.0f}   D1 {diagonal.flow_ml_min:4.0f} mL/min")
