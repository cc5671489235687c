"""The calcium page: scores, arteries, the lesion list with pictures, what was not counted and why, hand corrections."""

from collections import Counter

from ccta.findings import Calcium, Findings
from ccta.model import VESSELS, Unavailable
from ccta.report.blocks import Cell, Picture, Section, Table, row, sentence, shown
from ccta.report.language import t, word

PROBABILITY_NOTE = "Probability that it is calcium of this artery; below 0.5 it deserves a second look. Change the list with `ccta lesions`."
SURE = 0.5  # below this probability a lesion is marked for a second look


def calcium_section(findings: Findings, pictures: dict[str, bytes]) -> Section:
    """Agatston, volume and mass; per artery; per lesion with a picture of each."""
    calcium = findings.calcium
    if isinstance(calcium, Unavailable):
        return Section(t("Coronary calcium"), refused=sentence(calcium.reason))
    tables = (_vessel_table(calcium), *((_lesion_table(calcium),) if calcium.lesions else ()))
    keys = [key for key in pictures if key.startswith("calcium_")]
    caption = t("Each lesion: number, artery, Agatston score; red: what was scored. Axial, seen from the feet.")
    drawn = tuple(Picture(key, caption) for key in keys)
    return Section(t("Coronary calcium"), _facts(calcium), _said(calcium), tables, drawn)


def _facts(calcium: Calcium) -> tuple[tuple[str, str], ...]:
    percentile, spread = calcium.percentile, calcium.agatston_interval
    place = shown(percentile) if isinstance(percentile, Unavailable) else f"{shown(percentile.value)} ({percentile.table})"
    range_ = (
        shown(spread)
        if isinstance(spread, Unavailable)
        else t("{low:.0f} to {high:.0f}, by where the first slice happens to lie", low=spread[0], high=spread[1])
    )
    return (
        (t("Agatston score"), f"{calcium.agatston:.0f}  ({calcium.cac_drs})"),
        (t("Spread of the score"), range_),
        (t("Percentile for age and sex"), place),
        (t("Volume, mass"), f"{calcium.volume_mm3:.0f} mm³, {calcium.mass_mg:.0f} mg ({word(calcium.mass_calibration)})"),
        (t("Method"), "; ".join(x for x in (calcium.method, t("threshold {hu:.0f} HU", hu=calcium.threshold_hu)) if x)),
    )


def _vessel_table(calcium: Calcium) -> Table:
    rows = []
    for vessel in VESSELS:
        own = [x for x in calcium.lesions if x.vessel == vessel]
        peak = f"{max(x.peak_hu for x in own):.0f}" if own else "–"
        sums = (f"{sum(x.volume_mm3 for x in own):.0f}", f"{sum(x.mass_mg for x in own):.1f}")
        rows.append(row(vessel, f"{calcium.vessels.get(vessel, 0):.0f}", *sums, len(own), peak))
    return Table(tuple(t(x) for x in ("Vessel", "Agatston", "Volume mm³", "Mass mg", "Lesions", "Peak HU")), tuple(rows))


def _lesion_table(calcium: Calcium) -> Table:
    rows = tuple(
        row(
            str(x.id), x.vessel, f"{x.agatston:.1f}", f"{x.volume_mm3:.0f}", f"{x.mass_mg:.1f}", f"{x.peak_hu:.0f}",
            Cell(f"{x.probability:.2f}" if x.source == "automatic" else word(x.source), "grey" if x.source == "automatic" and x.probability < SURE else ""),
        )
        for x in calcium.lesions
    )  # fmt: skip
    head = tuple(t(x) for x in ("Lesion", "Vessel", "Agatston", "Volume mm³", "Mass mg", "Peak HU", "Probability"))
    return Table(head, rows, t("Lesions"), t(PROBABILITY_NOTE))


def _said(calcium: Calcium) -> tuple[str, ...]:
    """The rejected by kind of reason (what stands before its colon), most frequent first, listed and not; notes on lesions; each hand correction."""
    lines = []
    if calcium.rejected:
        kinds = Counter(spot.reason.split(":")[0] for spot in calcium.rejected)
        lines.append(t("Not counted as coronary: {kinds}. Each with its place is in findings.json.", kinds=_counted(kinds)))
    if calcium.rejected_unlisted:
        lines.append(t("Not counted and not listed, spots away from the arteries: {kinds}.", kinds=_counted(Counter(calcium.rejected_unlisted))))
    lines += [t("Lesion {id}: {note}.", id=x.id, note=x.note) for x in calcium.lesions if x.note]
    lines += [
        t("Corrected by hand: lesion {id}, {change}, by {who}, {when}.", id=x.lesion, change=f"{word(x.before)} → {word(x.after)}", who=x.by, when=x.at)
        for x in calcium.corrections
    ]
    return tuple(lines)


def _counted(kinds: Counter) -> str:
    return "; ".join(f"{count} {word(kind)}" for kind, count in kinds.most_common())
