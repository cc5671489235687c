"""What stands on the reading page: everything that depends on study, place and language, from the reading state to the page's state."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from trame.app import TrameApp

from ccta.errors import CctaError
from ccta.model import Unavailable
from viewer.app import editor, logic
from viewer.app.calcium_table import calcium_choices, calcium_corrections, calcium_line, calcium_rows
from viewer.app.charts import chart
from viewer.app.editing_desk import EditingDesk
from viewer.app.guard import IdleWatch
from viewer.app.keys import KEYS, MOUSE, sheet
from viewer.app.pictures import branch_values, cross_half_mm, cross_picture, stack_picture
from viewer.app.planes import AXES, bounds_mm
from viewer.app.study import Study
from viewer.app.tables import corrections, headline, lesion_rows, notes, planned_rows, segment_choices, study_line
from viewer.app.views.oblique import plane_of
from viewer.app.views.show import cpr_of, look_of, over_x, slice_of, views_of
from viewer.app.words import NotPossible, said
from viewer.scenes.tree_scene import TreeScene, scale_marks, tree_values

log = logging.getLogger(__name__)

TREE_FOLLOWS_S = 0.15
KEPT = 12
"""Pictures of a kind that are kept: a drag across the heart comes by the same vessels again."""


class Page(TrameApp):
    """`self.reading` is the state, `self.study` what is read."""

    def __init__(self, study: Study, title: str, server=None, desk: EditingDesk | None = None, watch: IdleWatch | None = None):
        super().__init__(server)
        self.study, self.reading, self.say = study, logic.opened(study), said("en")
        self.desk, self.watch = desk, watch or IdleWatch(0)
        self.scene = TreeScene(study.surface, *tree_values(study.tree, branch_values(study)))
        self.view, self._drawn, self._tree_timer, self.moving = None, {}, None, False
        self._publish_once(title)
        self.translate("en")
        self.show()

    def _publish_once(self, title: str) -> None:
        low, high = bounds_mm(self.study.volume)
        sizes = {name: (high[right] - low[right]) / (high[down] - low[down]) for name, (right, down, _, _) in AXES.items()}
        self.state.update({f"{name}_whole": float(ratio) for name, ratio in sizes.items()})
        colour = "FFR" if self.study.pullback is not None else "diameter"
        keys = [name for key in KEYS for name in key.names]
        self.state.update(title=title, trame__title=title, problem="", plan_text="", regrade_text="", press=[0, 0], key_names=keys, help=False, ended="")
        self.state.update(window="cta", field="whole", colour_by=colour, language="en", mode="", can_edit=self.desk is not None, volume_image="")
        self.state.update(reader=self.desk.reader if self.desk else "", author_known=bool(self.desk and self.desk.author), job=None, job_word="")

    def translate(self, language: str) -> None:
        """Everything that is written in the page's language."""
        self.say = said(language)
        self.state.update(tr=self.say, language=language, sheet=self._sheet(), segments=segment_choices(self.say))
        self.publish_study()

    def _sheet(self) -> list[list[str]]:
        return [[shown, self.say[word]] for shown, word in sheet()] + [[self.say[word], self.say[f"{word}_does"]] for word in MOUSE]

    def publish_study(self) -> None:
        """What depends on the study and the language, not on the place."""
        study, say = self.study, self.say
        stenoses = study.findings.stenoses
        self._drawn = {}
        self.state.update(
            facts=headline(study.findings, say),
            lesions=lesion_rows(study, say),
            no_lesions=say["no_stenosis"] if isinstance(stenoses, list) else f"{say['stenoses']}: {stenoses.reason}",
            no_tree="" if study.surface is not None else no_tree(study, say),
            subtitle=study_line(study.findings, say),
            phases=[study.phases.name(k) for k in range(len(study.phases))] if study.phases else [],
            analysed=study.phases.analysed if study.phases else -1,
            vessels=[{"index": i, "name": b.name or f"{say['vessel']} {i}"} for i, b in enumerate(study.tree)],
            notes=notes(study.findings, say),
            calcium=calcium_rows(study, say),
            calcium_line=calcium_line(study, say),
            calcium_choices=calcium_choices(say),
            corrections=[*corrections(study, say), *calcium_corrections(study, say)],
            can_undo=any(edit.state == "applied" for edit in study.history),
            can_redo=any(edit.state == "undone" for edit in study.history),
        )
        self.colour_tree()

    def take(self, study: Study) -> None:
        """Another state of the same study: after an edit, or after its stages ran. The place stays."""
        if len(study.tree) <= self.reading.branch:
            self.reading = logic.opened(study)
        self.study = study
        self.reading = replace(self.reading, draft=None, lesion=logic.lesion_at(study, self.reading))
        self.publish_study()
        self.show()

    def colour_tree(self) -> None:
        """The tree's colours and their scale."""
        values = branch_values(self.study, plaque=self.state.colour_by == "burden")
        self.scene.show(self.study.surface, *tree_values(self.study.tree, values))
        self.scene.colour(self.state.colour_by)
        self.state.scale = scale_marks(self.state.colour_by)

    # --- from the reading state to the page ---

    def show(self) -> None:
        """Every view at the place of the reading state."""
        reading = self.reading
        self.show_slices()
        curves = self.kept(("chart", reading.branch, reading.stents), lambda: chart(self.study, reading.branch, reading.stents))
        self.state.update(chart=curves, place_x=100 * reading.distance_mm / curves["length_mm"] if curves["length_mm"] else 0)
        self.state.plan = self.kept(("plan", reading.stents), lambda: planned_rows(self.study, reading.stents))
        segment = self.study.branch(reading.branch).segment_at(reading.distance_mm) if reading.branch >= 0 else 0
        self.state.update(branch=reading.branch, lesion=reading.lesion, segment=segment, mode=reading.mode)
        self.state.views = views_of(reading, self.study)
        self.scene.mark(reading.position_mm)
        self.show_cpr()
        self.show_stack()
        self.show_cross()
        self._follow_in_tree()

    def show_slices(self) -> None:
        """The three linked slices."""
        for name in AXES:
            image, drawn = slice_of(self, name)
            x, y = plane_of(self.reading, self.study, name).fraction(self.reading.position_mm)
            self.state.update({f"{name}_image": image, f"{name}_x": 100 * x, f"{name}_y": 100 * y, f"{name}_drawn": drawn})

    def _follow_in_tree(self) -> None:
        """The marker on the tree, when the place has stood still for a moment: a browser without a graphics card draws the tree slower than all the rest."""
        if self.view is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # before the server runs
            self.view.update()
            return
        if self._tree_timer is not None:
            self._tree_timer.cancel()
        self._tree_timer = loop.call_later(TREE_FOLLOWS_S, self.view.update)

    def show_cpr(self) -> None:
        """The straightened vessel: while it turns nothing else changes."""
        image, edges, marks = cpr_of(self, self.state.place_x, self.state.chart["lesions"])
        self.state.update(cpr_image=image, cpr_edges=edges, cpr=marks, cpr_angle=round(self.reading.cpr_angle_deg) % 360)

    def show_stack(self) -> None:
        """Cross-sections before and behind the place."""
        reading = self.reading
        key = ("stack", reading.branch, reading.distance_mm, *look_of(reading), reading.draft)
        image, tiles = self.kept(key, lambda: stack_picture(self.study, reading))
        self.state.update(stack_image=image, stack=tiles)

    def show_cross(self) -> None:
        """The cross-section under the pointer, its contours and control points, and the sentence about the place."""
        reading = self.reading
        image, contours = cross_picture(self.study, reading)
        handles = []
        if reading.draft is not None:
            places = editor.handle_places(reading.draft, self.study.section(reading.draft.branch))
            handles = (50 + 50 / cross_half_mm(self.study, reading) * places).round(2).tolist()
        length_mm = self.study.branch(reading.branch).length_mm if reading.branch >= 0 else 1.0
        self.state.update(
            cross_image=image,
            cross_width=round(2 * cross_half_mm(self.study, reading)),
            contours=contours,
            handles=handles,
            drawing=reading.draft.contour if reading.draft else "",
        )
        self.state.update(
            place_text=" · ".join(logic.place_facts(reading, self.study)), hover_x=100 * reading.hover_mm / length_mm, over_x=over_x(reading, self.study)
        )

    def kept(self, key: tuple, draw):
        """What was drawn for the same key before: most clicks move along one vessel or in one plane, and what does not change stays as it is."""
        known = self._drawn.setdefault(key[0], {})
        if key not in known:
            if len(known) >= KEPT:
                known.pop(next(iter(known)))
            known[key] = draw()
        return known[key]

    def act(self, action, *values, show=None) -> None:
        """Runs what a click means and shows the outcome. A failure goes to the log and as one sentence to the page, never as a traceback."""
        self.watch.used()
        try:
            action(*values)
            (show or self.show)()
            self.state.problem = ""
        except Exception as trouble:
            self.refused(trouble)

    def refused(self, trouble: Exception) -> None:
        """What could not be done, as one sentence in the page's language where it has one; what nobody expected goes to the log."""
        if isinstance(trouble, NotPossible):
            self.state.problem = trouble.said(self.say)
        elif isinstance(trouble, CctaError):
            self.state.problem = str(trouble)
        else:
            log.error("a click could not be shown", exc_info=trouble)
            self.state.problem = self.say["not_shown"]


def no_tree(study: Study, say: dict[str, str]) -> str:
    """Why there is nothing to show in 3-D."""
    tree = study.findings.tree
    return f"{say['coronary_tree']}: {tree.reason}" if isinstance(tree, Unavailable) else say["no_surface"]
