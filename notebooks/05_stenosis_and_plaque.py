# %% [markdown]
# # Stenosis and plaque
#
# **What one learns:** how a stenosis is measured against the vessel's own taper, with its interval, and what the plaque around it is made of.

# %%
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from shared_case import shared_case

from ccta.report.pictures import cross_figure, plaque_figure, straightened_figure
from ccta.report.reformats import case_reformats

case = shared_case()
found = case.findings()
for one in found.stenoses:
    interval = one.diameter_pct_interval
    shown = f"{interval[0]:.0f}-{interval[1]:.0f} %" if interval else interval.reason
    print(f"{one.vessel}, segment {one.segment}: {one.diameter_pct:.0f} % ({shown}), MLD {one.mld_mm:.1f} mm, {one.plaque_type} {one.high_risk}")

# %% [markdown]
# Diameter along the diseased vessels with the reference that a healthy taper gives.

# %%
straightened, crosses, profiles = case_reformats(case.read_volume("image"), case.read_tree(), case.read_sections(), found.stenoses)
figure, axes = plt.subplots(len(profiles), 1, figsize=(9, 2.2 * len(profiles)), layout="constrained", squeeze=False)
for axis, profile in zip(axes[:, 0], profiles, strict=True):
    axis.plot(profile.distance_mm, profile.diameter_mm, color="#1c2733", lw=1.4)
    for entry, leave, reference in profile.lesions:
        axis.axvspan(entry, leave, color="#c4161c", alpha=0.18, lw=0)
        axis.plot([entry, leave], [reference, reference], color="#2f86b8", ls="--", lw=1.5)
    axis.set(ylabel=f"{profile.name}, mm", ylim=(0, None))
    axis.spines[["top", "right"]].set_visible(False)
axes[-1, 0].set_xlabel("distance along the branch, mm")

# %% [markdown]
# Cross-sections at the tightest places: lumen and outer wall, between them the plaque.

# %%
figure = cross_figure(crosses)

# %% [markdown]
# The vessel with the worst lesion laid straight, and the plaque's composition.

# %%
figure = straightened_figure(straightened[0])
figure = plaque_figure(found)
print(f"{found.cad_rads.text}: {found.cad_rads.because}")
assert found.plaque.total_mm3 > 0 and max(one.diameter_pct for one in found.stenoses) > 30
