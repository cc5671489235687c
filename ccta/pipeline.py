"""DICOM to findings, one function per stage: each reads its inputs from the case, calls the algorithms, and writes its outputs.

`STAGES` says what each needs and makes; `ccta.runner` runs them. The study is read by `ccta.study_input`, flow is solved in `cfd`: the command line
puts the stages together.
Stages import their algorithms when they run, so that a command loads only what it uses.
"""

from __future__ import annotations

from pathlib import Path

from ccta.case import READER_DRAFT, Case
from ccta.edits import Edit, applied
from ccta.errors import Refusal
from ccta.findings import Acquisition, CalciumEdit, Findings, Stenosis
from ccta.model import CoronaryTree, CrossSections, Unavailable, Volume
from ccta.runner import Progress, Stage
from ccta.settings import Settings
from ccta.tissues import PlaceMap


def segment(case: Case, settings: Settings, progress: Progress) -> dict[str, str]:
    """Heart, image quality, and coronary arteries. Where the image cannot give the arteries, the heart still stands."""
    from ccta.anatomy.coronaries import segment_coronaries
    from ccta.anatomy.heart import measure_heart, segment_heart
    from ccta.networks.coronary_inference import predict_vessels
    from ccta.networks.inference import predict_places
    from ccta.reading.quality import assess_quality

    volume = case.read_volume("image")
    progress("heart and aorta")
    heart = segment_heart(volume, settings.segment, predict_places(volume))
    case.write_volume("heart", heart)
    acquisition = case.findings().acquisition
    phase = acquisition.phase_percent if acquisition else Unavailable("the phase is not known")
    case.update_findings(heart=measure_heart(heart, volume, phase), quality=assess_quality(volume, heart, acquisition))
    progress("coronary arteries")
    try:
        found = segment_coronaries(volume, heart, settings.segment, predict_vessels)
    except Refusal as refusal:
        return dict.fromkeys(("coronary", "artery_probability", "artery_uncertainty"), str(refusal))
    case.write_volume("coronary", found.labels)
    case.write_volume("artery_uncertainty", found.uncertainty)
    if isinstance(found.probability, Unavailable):
        return {"artery_probability": found.probability.reason}
    case.write_volume("artery_probability", found.probability)
    return {}


def adopt_segmentation(source: Path, case: Case, settings: Settings, progress: Progress) -> None:
    """Labels of a DICOM segmentation instead of found ones; what it does not hold stays as it is."""
    from ccta.anatomy.heart import measure_heart
    from ccta.reading.label_names import case_labels

    progress(f"segments of {source}")
    volume = case.read_volume("image")
    found = case_labels(source, volume)
    for item, labels in found.items():
        case.write_volume(item, labels)
    if "heart" in found:
        acquisition = case.findings().acquisition
        phase = acquisition.phase_percent if acquisition else Unavailable("the phase is not known")
        case.update_findings(heart=measure_heart(found["heart"], volume, phase))


def centerlines(case: Case, settings: Settings, progress: Progress) -> None:
    """Centerlines with SCCT names, as the image gives them."""
    from ccta.anatomy.branch_names import name_tree
    from ccta.anatomy.centerline import extract_tree

    volume, heart = case.read_volume("image"), case.read_volume("heart")
    progress("centerlines")
    named = name_tree(extract_tree(volume, heart, case.read_volume("coronary"), settings.tree), heart, settings.tree)
    case.write_tree(named.continued(), "tree_found")


def tree(case: Case, settings: Settings, progress: Progress) -> None:
    """The tree with its hand edits, and how sure the network is of each segment."""
    from ccta.anatomy.branch_names import tree_findings
    from ccta.anatomy.confidence import with_confidence
    from ccta.anatomy.edited import with_tree_edits

    edits = applied(case.edits(), "tree")
    progress(f"{len(edits)} hand edits" if edits else "segments")
    named, lost = with_tree_edits(case.read_tree("tree_found"), edits)
    _tell_lost(lost, progress)
    case.write_tree(named)
    here = case.path("artery_probability").exists()
    seen = (
        case.read_volume("artery_probability") if here else case.unavailable("artery_probability") or Unavailable("the case has no artery_probability.nii.gz")
    )
    case.update_findings(tree=with_confidence(tree_findings(named), named, seen))


def contours(case: Case, settings: Settings, progress: Progress) -> None:
    """Lumen and wall contours, as the image gives them."""
    from ccta.anatomy.contours import trace_contours

    progress("lumen and wall contours")
    case.write_sections(trace_contours(case.read_volume("image"), case.read_tree(), settings.measure), "contours_found")


def measure(case: Case, settings: Settings, progress: Progress) -> None:
    """Contours and stenoses with their hand edits, lumen surface, plaque and pericoronary fat."""
    from ccta.anatomy.lumen_surface import lumen_surface
    from ccta.disease.fat import measure_fat
    from ccta.disease.plaque import plaque_findings, sample_plaque
    from ccta.disease.plaque_labels import plaque_labels
    from ccta.reading.segment_quality import segment_qualities, with_segments

    volume, named, edits = case.read_volume("image"), case.read_tree(), case.edits()
    sections, found_stenoses, lost = edited_lumen(named, case.read_sections("contours_found"), edits, settings)
    _tell_lost(lost, progress)
    case.write_sections(sections)
    progress("lumen surface")
    case.write_surface(lumen_surface(named, sections))
    progress("stenoses, plaque and fat")
    sampled = sample_plaque(volume, named, sections, found_stenoses, settings.measure)
    plaque, stenoses = plaque_findings(sampled, found_stenoses)
    case.write_volume("plaque", plaque_labels(sampled, volume))
    found = case.findings()
    case.update_findings(stenoses=stenoses, plaque=plaque, fat=measure_fat(volume, named, sections, found.acquisition))
    if found.quality:
        case.update_findings(quality=with_segments(found.quality, segment_qualities(volume, named, sections, found.quality)))


def edited_lumen(
    named: CoronaryTree, found: list[CrossSections], history: list[Edit], settings: Settings
) -> tuple[list[CrossSections], list[Stenosis], list[Edit]]:
    """(contours, stenoses in them, edits that found no place): what the image gave, with the edits that hold. No image is read."""
    from ccta.anatomy.edited import with_contour_edits
    from ccta.disease.edited_lesions import with_lesion_edits
    from ccta.disease.stenosis import find_stenoses

    edits = applied(history, "measure")
    sections, lost = with_contour_edits(found, [edit for edit in edits if edit.kind == "contour"])
    stenoses = find_stenoses(named, sections, settings.measure)
    stenoses, also = with_lesion_edits(stenoses, named, sections, [edit for edit in edits if edit.kind == "lesion"])
    return sections, stenoses, [*lost, *also]


def _tell_lost(lost: list[Edit], progress: Progress) -> None:
    for edit in lost:
        progress(f"a hand edit by {edit.by} ({edit.what}, {edit.place}) was left out: what it corrects is no longer found at its place")


def calcium(case: Case, settings: Settings, progress: Progress) -> None:
    """Agatston, volume and mass score: of a reader's regions where given, else found by the tree where one is there. Hand corrections are kept."""
    from ccta.disease.calcium import score_calcium, score_regions
    from ccta.disease.calcium_list import with_corrections

    progress("scoring")
    found, image = case.findings(), case.read_volume("calcium_image")
    if case.path("calcium_regions").exists():
        regions = case.read_volume("calcium_regions").array
        scored = score_regions(image, regions, found.calcium_acquisition, found.patient, settings.calcium)
    else:
        guide, left_out = _guide(case, image, found.calcium_acquisition, progress)
        scored = score_calcium(image, found.calcium_acquisition, found.patient, settings.calcium, guide, left_out)
    source = _list_source(case, found)
    made_here = [edit for edit in case.calcium_edits() if {"series_uid": edit.series_uid, "of_regions": edit.of_regions} == source]
    if len(made_here) < len(case.calcium_edits()):
        progress(f"{len(case.calcium_edits()) - len(made_here)} corrections were left out: they were made on another series or list")
    listed, lost = with_corrections(scored.calcium, made_here, found.patient)
    for edit in lost:
        progress(f"a correction by {edit.by} ({edit.after}) was left out: no lesion is found at its place any more")
    case.write_volume("calcium_labels", scored.labels)
    case.update_findings(calcium=listed)


def _guide(case: Case, image: Volume, acquisition: Acquisition, progress: Progress) -> tuple[CoronaryTree | PlaceMap, str]:
    """(the case's tree where it fits the calcium image, else what the heart network names in it; why a tree is not used)."""
    from ccta.disease.calcium import check_scorable
    from ccta.disease.calcium_beside import tree_beside
    from ccta.networks.inference import predict_places

    left_out = ""
    if case.path("tree").exists() and case.path("image").exists():  # else the tree is of a scan that has gone
        beside = tree_beside(case.read_tree(), case.read_volume("image", pixels=False), image)
        if isinstance(beside, CoronaryTree) and len(beside):
            return beside, ""
        left_out = beside.reason if isinstance(beside, Unavailable) else "it has no branches"
    check_scorable(image, acquisition)
    progress("heart and arteries, by the network")
    return predict_places(image), left_out


def _list_source(case: Case, found: Findings) -> dict:
    return {"series_uid": found.calcium_acquisition.series_uid, "of_regions": case.path("calcium_regions").exists()}


def correct_calcium(edits: list[CalciumEdit], case: Case, settings: Settings, progress: Progress) -> None:
    """Hand corrections of the lesion list, kept in the case, and the scores that follow; no image is read."""
    from ccta.disease.calcium_list import corrected

    found = case.findings()
    listed = found.calcium
    for edit in edits:
        progress(f"lesion {edit.lesion} now {edit.after}")
        listed = corrected(listed, edit, found.patient)
    case.write_calcium_edits([*case.calcium_edits(), *(edit.model_copy(update=_list_source(case, found)) for edit in edits)])
    case.update_findings(calcium=listed)


def verdict(case: Case, settings: Settings, progress: Progress) -> None:
    """CAD-RADS 2.0 and the segment scores from what was found."""
    from ccta.disease.cadrads import classify
    from ccta.disease.scores import score

    found = case.findings()
    case.update_findings(cad_rads=classify(found), scores=score(found))


def report(case: Case, settings: Settings, progress: Progress) -> None:
    """HTML and PDF, with the pictures that the case allows."""
    from ccta.report.content import build
    from ccta.report.document import write_html, write_pdf
    from ccta.report.pictures import make_pictures
    from ccta.report.reformats import case_reformats

    progress("pictures")
    found = case.findings()
    pullback = case.pullback() if case.path("pullback").exists() else None
    measured = case.path("image").exists() and case.path("contours").exists()
    reformats = case_reformats(case.read_volume("image"), case.read_tree(), case.read_sections(), list(found.stenoses or ())) if measured else ()
    pictures = make_pictures(found, pullback, *(reformats or ((), (), ())), _calcium_cuts(case, found))
    reader = case.reader()
    pictures |= {one.file: (case.path("pictures") / one.file).read_bytes() for one in reader.pictures}
    content = build(found, pictures, settings.report, case.edits(), reader)
    progress("HTML and PDF")
    case.write_json("report_content", content.to_json())
    with case.writing("report_html") as path:
        write_html(content, path)
    with case.writing("report_pdf") as path:
        write_pdf(content, path)


def _calcium_cuts(case: Case, found: Findings) -> tuple:
    """A picture of each calcium lesion, where the image and its labels are there."""
    from ccta.disease.calcium import prepared
    from ccta.report.calcium_cuts import lesion_cuts

    if not found.calcium or not case.path("calcium_labels").exists() or not case.path("calcium_image").exists():
        return ()
    return lesion_cuts(prepared(case.read_volume("calcium_image"))[0], case.read_volume("calcium_labels"), found.calcium)


REPORT_USES = ("findings", "image", "calcium_labels", "tree", "contours", "pullback", "edits", READER_DRAFT)
STAGES = (
    Stage(
        "segment",
        ("image",),
        ("heart", "coronary", "artery_probability", "artery_uncertainty", "findings.heart", "findings.quality"),
        segment,
        ("findings.acquisition",),
        ("segment",),
    ),
    Stage("centerlines", ("image", "heart", "coronary"), ("tree_found",), centerlines, (), ("tree",)),
    Stage("tree", ("tree_found",), ("tree", "tree_polydata", "findings.tree"), tree, ("artery_probability", "edits.tree")),
    Stage("contours", ("image", "shape.tree"), ("contours_found",), contours, (), ("measure",)),
    Stage(
        "measure",
        ("image", "tree", "contours_found"),
        ("contours", "surface", "plaque", "findings.stenoses", "findings.plaque", "findings.fat"),
        measure,
        ("findings.acquisition", "findings.quality", "edits.measure"),
        ("measure",),
    ),
    Stage(
        "calcium",
        ("calcium_image",),
        ("findings.calcium", "calcium_labels"),
        calcium,
        ("calcium_regions", "calcium_edits", "image", "tree", "findings.calcium_acquisition", "findings.patient"),
        ("calcium",),
    ),
    Stage(
        "verdict",
        (),
        ("findings.cad_rads", "findings.scores"),
        verdict,
        tuple(f"findings.{name}" for name in ("stenoses", "plaque", "calcium", "ffr", "quality", "tree")),
    ),
    Stage("report", (), ("report_content", "report_html", "report_pdf"), report, REPORT_USES, ("report",)),
)
