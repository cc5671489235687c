"""What an edit changes, at once and in memory: contours, stenoses and FFR by the reduced model. The stages that write them follow in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ccta.anatomy.edited import with_tree_edits
from ccta.disease.cadrads import classify
from ccta.disease.edited_lesions import nearest_lesion
from ccta.edits import Edit, applied
from ccta.errors import CctaError
from ccta.findings import Ffr, PullbackFile, Stenosis
from ccta.model import Unavailable
from ccta.pipeline import edited_lumen
from cfd.pipeline import reduced_flow
from viewer.app.study import Study


def previewed(study: Study, history: Sequence[Edit]) -> Study:
    """The study with another history of edits. Where a centerline moved, the contours follow only when they are traced again."""
    tree, _ = with_tree_edits(study.tree_found, applied(history, "tree"))
    sections, stenoses, _ = edited_lumen(tree, list(study.found), list(history), study.settings)
    stenoses = [_with_plaque(one, study.measured) for one in stenoses]
    findings = study.findings.model_copy(update={"stenoses": stenoses})
    shown = replace(study, tree=tree, sections=tuple(sections), findings=findings, history=tuple(history))
    if study.pullback is None:
        return shown
    pullback, ffr = _flow(shown)
    found = findings.model_copy(update={"ffr": ffr})
    return replace(shown, pullback=pullback, findings=found.model_copy(update={"cad_rads": classify(found)}))


def _flow(study: Study) -> tuple[PullbackFile | None, Ffr | Unavailable]:
    try:
        return reduced_flow(study.anatomy, study.settings.flow)
    except CctaError as refused:
        return None, Unavailable(str(refused))


def _with_plaque(stenosis: Stenosis, known: Sequence[Stenosis]) -> Stenosis:
    """Plaque is measured in the image by its own stage; until then it stays what it was at this lesion."""
    index = nearest_lesion(known, stenosis.center_mm)
    return stenosis if index is None else stenosis.model_copy(update={"plaque_type": known[index].plaque_type, "high_risk": known[index].high_risk})
