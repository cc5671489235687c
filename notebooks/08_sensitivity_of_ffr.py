# %% [markdown]
# # What FFR is sensitive to
#
# **What one learns:** of all that is not known of a patient, what moves FFR, and by how much. 1,792 solutions of one tree by the reduced model; Sobol indices
# say which share of the spread each unknown has, alone and together with others. `ccta sweep` does the same from the command line.

# %%
import matplotlib

matplotlib.use("Agg")
import numpy as np
from shared_case import shared_case

from ccta.settings import FlowSettings
from cfd.case_stage import anatomy_of
from cfd.sweep import parse_range, samples_of, sobol_indices, sweep_reduced
from cfd.sweep_files import indices_figure, response_figure

ranges = [parse_range(text) for text in ("hyperaemia=0.18:0.32", "murray=2.15:3.0", "systolic=105:140", "lumen=0.95:1.05", "stenosis=0.8:1.15")]
values = samples_of(ranges, "sobol", 256)
sweep = sweep_reduced(anatomy_of(shared_case()), FlowSettings(), [one.name for one in ranges], values)

# %% [markdown]
# FFR of each artery over each unknown: line and band are the median and 90 % of the solutions, grey the zone in which a decision needs more than this number.

# %%
figure = response_figure(sweep)

# %% [markdown]
# The shares. A bar that reaches far beyond its dark part works through others.

# %%
indices = sobol_indices(ranges, sweep)
figure = indices_figure(indices)
for output, found in indices.items():
    print(output, {name: round(one["total"], 2) for name, one in found.items()})
assert all(0.8 < sum(one["total"] for one in found.values()) < 2 for name, found in indices.items() if name == "ffr_LAD")
assert np.isfinite(sweep.results).mean() > 0.95
