"""`ccta cohort summary`: distributions of a cohort's tables, and columns of them beside the researcher's own. HTML, PNG, SVG and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import numpy as np

from ccta.cohort import figures
from ccta.cohort.comparison import bland_altman, roc, weighted_kappa
from ccta.cohort.storage import Place
from ccta.cohort.tables import LEVELS
from ccta.errors import BadInput

JOIN = {"patient": ["id"], "vessel": ["id", "vessel"], "segment": ["id", "segment"], "lesion": ["id", "lesion"]}
SHOWN = ("agatston", "max_diameter_stenosis_pct", "ffr", "plaque_total_mm3", "cad_rads_category", "lv_mass_g", "noise_hu", "age_years")
LOW_IS_ILL = ("ffr", "mld_mm", "mla_mm2")
CADRADS = ("N", "0", "1", "2", "3", "4", "4A", "4B", "5")
CUTS = {"ffr": 0.80, "diameter": 50.0, "stenosis": 50.0}
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:66rem;margin:2rem auto;padding:0 1rem;color:#1c2733}h1{font-size:1.5rem}h2{font-size:1.15rem;
margin-top:2rem}table{border-collapse:collapse}td,th{padding:.3rem .8rem;border-bottom:1px solid #e3e8ed;text-align:left}
img{max-width:100%}p.sub{color:#5b6b7b}"""


@dataclass(frozen=True)
class Pair:
    """A measured column beside a reference column. cut: reference values on the ill side of it are positives of the ROC curve."""

    measured: str
    reference: str
    cut: float | None = None


def parse_pair(text: str) -> Pair:
    """`measured=reference[:CUT]`, for example ffr=invasive_ffr:0.80. Without a cut, 0.80 for FFR and 50 for stenoses."""
    measured, equals, rest = text.partition("=")
    reference, colon, cut = rest.partition(":")
    try:
        if not (measured and equals and reference):
            raise ValueError(text)
        given = float(cut) if colon else next((value for word, value in CUTS.items() if word in measured), None)
        return Pair(measured.strip(), reference.strip(), given)
    except ValueError as error:
        raise BadInput(f"--columns {text}: write MEASURED=REFERENCE or MEASURED=REFERENCE:CUT, for example ffr=invasive_ffr:0.80") from error


def read_frames(root: Place) -> dict:
    """{level: DataFrame} of OUT/tables. BadInput where they are not there."""
    import pandas

    found = {}
    for level in LEVELS:
        content = (root / f"tables/{level}.parquet").read_bytes()
        if content is None:
            raise BadInput(f"{root.address}/tables/{level}.parquet is missing; make it by `ccta cohort tables` on {root.address}")
        found[level] = pandas.read_parquet(io.BytesIO(content))
    return found


def joined(frames: dict, reference: Path):
    """(level, DataFrame): the reference's rows beside the table of its level, which its key columns name (id, and vessel, segment or lesion)."""
    import pandas

    try:
        given = pandas.read_csv(reference, sep=None, engine="python", dtype={"id": str}, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{reference} cannot be read as a CSV table ({error}); give a table with a column id") from error
    level = next((one for one in ("lesion", "segment", "vessel") if one in given.columns), "patient")
    keys = JOIN[level]
    if "id" not in given.columns:
        raise BadInput(f"{reference} has no column id; name there the study of each row, as in the cohort")
    if given.duplicated(keys).any():
        raise BadInput(f"{reference} has two rows for {given.loc[given.duplicated(keys), keys].iloc[0].to_dict()}; keep one")
    strangers = sorted(set(given["id"]) - set(frames["patient"]["id"]))
    if strangers:
        raise BadInput(f"{reference} names studies that the cohort has not: {', '.join(strangers[:5])}")
    clash = [name for name in given.columns if name in frames[level].columns and name not in keys]
    return level, frames[level].merge(given.rename(columns={name: f"reference.{name}" for name in clash}), on=keys, how="inner")


def compare(frame, pair: Pair) -> dict:
    """Everything that the two columns allow, as plain values, with {name: figure} under "figures"; what they do not allow is said under "not"."""
    for name in (pair.measured, pair.reference):
        if name not in frame.columns:
            raise BadInput(f"--columns {pair.measured}={pair.reference}: there is no column {name!r}; there are {', '.join(frame.columns)}")
    both = frame[[pair.measured, pair.reference]].dropna()
    found: dict = {"measured": pair.measured, "reference": pair.reference, "rows": len(frame), "pairs": len(both), "figures": {}, "not": []}
    if _is_number(both[pair.measured]) and _is_number(both[pair.reference]):
        _compare_numbers(found, both.to_numpy(float), pair)
    else:
        _compare_categories(found, both.astype(str).to_numpy(), pair)
    return found


def _compare_numbers(found: dict, values: np.ndarray, pair: Pair) -> None:
    measured, reference = values.T
    try:
        agreement = bland_altman(measured, reference)
        found["bland_altman"] = asdict(agreement)
        found["figures"]["bland_altman"] = figures.bland_altman_figure(measured, reference, agreement, pair)
    except ValueError as error:
        found["not"].append(f"Bland-Altman: {error}")
    if pair.cut is None:
        found["not"].append("ROC: no cut of the reference was given")
        return
    low_is_ill = any(word in pair.measured for word in LOW_IS_ILL)
    positive = reference <= pair.cut if low_is_ill else reference >= pair.cut
    try:
        curve = roc(-measured if low_is_ill else measured, positive)
        kept = asdict(curve)
        found["roc"] = {"cut": pair.cut, **{key: kept[key] for key in ("positives", "negatives", "auc", "interval")}}
        found["figures"]["roc"] = figures.roc_figure(curve, pair)
    except ValueError as error:
        found["not"].append(f"ROC: {error}")


def _compare_categories(found: dict, values: np.ndarray, pair: Pair) -> None:
    words = [[one.removesuffix(".0") for one in column] for column in values.T]
    try:
        agreement = weighted_kappa(*words, order=CADRADS if "cad_rads" in pair.measured else ())
        found["kappa"] = asdict(agreement) | {"table": agreement.table.tolist()}
        found["figures"]["kappa"] = figures.kappa_figure(agreement, pair)
    except ValueError as error:
        found["not"].append(f"kappa: {error}")


def _is_number(column) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return is_numeric_dtype(column) and not is_bool_dtype(column)


def summarise(root: Place, reference: Path | None = None, pairs: Sequence[Pair] = ()) -> dict:
    """Writes OUT/summary/: index.html, summary.json, a PNG and SVG per picture. Returns what stands in summary.json."""
    if bool(pairs) != (reference is not None):
        raise BadInput("--reference and --columns belong together: the file, and which of its columns stand beside which of ours")
    frames = read_frames(root)
    patients = frames["patient"]
    pictures = {f"distribution_{name}": figures.distribution_figure(patients[name], name) for name in SHOWN if patients[name].notna().any()}
    content = {"studies": len(patients), "status": patients["status"].value_counts().to_dict(), "distributions": _described(patients), "comparisons": []}
    if reference is not None:
        level, frame = joined(frames, reference)
        for number, pair in enumerate(pairs):
            found = compare(frame, pair)
            pictures |= {f"{number}_{pair.measured}_{name}": figure for name, figure in found.pop("figures").items()}
            content["comparisons"].append({"level": level, **found})
    for name, figure in pictures.items():
        for kind in ("png", "svg"):
            (root / f"summary/{name}.{kind}").write_bytes(figures.drawn(figure, kind))
    (root / "summary/summary.json").write_bytes(json.dumps(content, indent=1, ensure_ascii=False, default=float).encode())
    (root / "summary/index.html").write_bytes(_html(content, list(pictures)).encode())
    return content


def _described(frame) -> dict:
    return {
        name: {"count": int(frame[name].notna().sum()), **{f"q{round(100 * q)}": float(frame[name].quantile(q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}}
        for name in SHOWN
        if _is_number(frame[name]) and frame[name].notna().any()
    }


def sentences(found: dict) -> list[str]:
    """A comparison in words."""
    said = []
    if "bland_altman" in found:
        b = found["bland_altman"]
        said.append(
            f"bias {b['bias']:+.3g} (95 % interval {b['bias_interval'][0]:+.3g} to {b['bias_interval'][1]:+.3g}), limits of agreement {b['limits'][0]:+.3g} "
            f"to {b['limits'][1]:+.3g}, ICC {b['icc']:.2f}, n = {b['count']}"
        )
    if "roc" in found:
        r = found["roc"]
        said.append(
            f"AUC {r['auc']:.3f} ({r['interval'][0]:.3f}-{r['interval'][1]:.3f}) at a reference of {r['cut']:g}: {r['positives']} ill, {r['negatives']} not"
        )
    if "kappa" in found:
        k = found["kappa"]
        said.append(f"weighted kappa {k['kappa']:.2f} ({k['interval'][0]:.2f}-{k['interval'][1]:.2f}), {100 * k['exact']:.0f} % the same, n = {k['count']}")
    return said + [f"not possible: {reason}" for reason in found["not"]]


def _html(content: dict, pictures: Sequence[str]) -> str:
    image = lambda name: f'<img src="{escape(name)}.png" alt="{escape(name)}">'  # noqa: E731
    status = ", ".join(f"{count} {name}" for name, count in content["status"].items())
    blocks = [f"<h1>Cohort of {content['studies']} studies</h1><p class='sub'>{escape(status)}. Research use only, not for diagnosis.</p>"]
    for number, found in enumerate(content["comparisons"]):
        title = f"{found['measured']} beside {found['reference']} ({found['pairs']} pairs, by {found['level']})"
        text = "".join(f"<p>{escape(one)}</p>" for one in sentences(found))
        blocks.append(f"<h2>{escape(title)}</h2>{text}" + "".join(image(name) for name in pictures if name.startswith(f"{number}_")))
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{d['count']}</td><td>{d['q50']:.3g}</td><td>{d['q25']:.3g}-{d['q75']:.3g}</td><td>{d['q5']:.3g}-{d['q95']:.3g}</td></tr>"
        for name, d in content["distributions"].items()
    )
    head = "<tr><th>column</th><th>n</th><th>median</th><th>quartiles</th><th>5-95 %</th></tr>"
    blocks.append(f"<h2>Distributions</h2><table>{head}{rows}</table>" + "".join(image(name) for name in pictures if name.startswith("distribution_")))
    head = f'<meta charset="utf-8"><title>Cohort summary</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(blocks)}</body></html>'
