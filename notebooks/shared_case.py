"""The phantom case that the notebooks share: made once (about two minutes of one core) in a cache folder, or named by CCTA_NOTEBOOK_CASE."""

import json
import os
import tempfile
from pathlib import Path

from ccta.case import Case

SPEC = {
    "patient": {
        "dominance": "right",
        "plaques": [{"segment": 7, "kind": "mixed", "stenosis_pct": 60}, {"segment": 1, "kind": "calcified", "stenosis_pct": 40}],
    },
    "ccta": {"shape": [320, 320, 200], "pixel_mm": 0.5, "increment_mm": 0.6, "noise_hu": 20},
    "calcium": {"shape": [320, 320, 46], "pixel_mm": 0.6},
}


def shared_case() -> Case:
    """A patient with a mixed plaque in the LAD and calcium in the right artery, analysed with the reduced flow model."""
    if "CCTA_NOTEBOOK_CASE" in os.environ:
        return Case.open(Path(os.environ["CCTA_NOTEBOOK_CASE"]))
    folder = Path(tempfile.gettempdir()) / "ccta-notebooks"
    if not (folder / "done").exists():
        from dataclasses import replace

        from ccta.cli.stages import pipeline
        from ccta.phantom.study import load_spec, write_study
        from ccta.runner import run_stages
        from ccta.settings import FlowSettings, Settings

        folder.mkdir(exist_ok=True)
        (folder / "spec.json").write_text(json.dumps(SPEC))
        write_study(folder / "study", 5, load_spec(folder / "spec.json"), lambda *_: None)
        settings = replace(Settings(), flow=FlowSettings(model="rom"))
        run_stages(Case.create(folder / "case"), pipeline(folder / "study"), settings, lambda name: lambda *_: print(name), resume=True)
        (folder / "done").touch()
    return Case.open(folder / "case")
