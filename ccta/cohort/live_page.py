"""OUT/index.html: the cohort at a glance while it runs and after, the cases that need a person first. Plain HTML without scripts; it reloads itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape

from ccta.cohort.record import DONE, FAILED, RUNNING, WAITING
from ccta.cohort.storage import Place

GREY_ZONE = (0.75, 0.80)
SEVERE_PCT = 70.0
STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.5rem;margin:0}p.sub{color:#5b6b7b;margin:.2rem 0 1rem}
.bar{display:flex;height:.8rem;border-radius:.4rem;overflow:hidden;background:#e8edf2}.bar i{display:block}
.done{background:#2f86b8}.failed{background:#c4161c}.running{background:#f2c200}
.counts{display:flex;gap:2rem;margin:.7rem 0 1.4rem}.counts b{font-size:1.3rem;display:block}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #e3e8ed;vertical-align:middle}
th{color:#5b6b7b;font-weight:600;font-size:.85rem}td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
td img{height:64px;display:block}.mark{display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.45rem}
.waiting{background:#c9d2da}.look{color:#8a1c17}td.why{max-width:34rem}
"""


def page(records: Sequence[dict], rows: Sequence[dict], dashboard: str, running: bool) -> str:
    """The page's HTML. records: of every case. rows: of `row_of` for each."""
    shown = sorted(rows, key=lambda row: (row["order"], row["id"]))
    counts = {name: sum(record["status"] == name for record in records) for name in (DONE, FAILED, RUNNING, WAITING)}
    total = max(len(records), 1)
    bar = "".join(f'<i class="{name}" style="width:{100 * counts[name] / total:.2f}%"></i>' for name in (DONE, FAILED, RUNNING))
    numbers = "".join(f"<span><b>{count}</b>{name}</span>" for name, count in counts.items())
    look = sum(row["order"] == 0 for row in shown)
    refresh = '<meta http-equiv="refresh" content="5">' if running else ""
    link = f'<a href="{escape(dashboard)}">Dask dashboard</a>' if dashboard.startswith("http") else escape(dashboard)
    when = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    title = f"Cohort of {len(records)} {'study' if len(records) == 1 else 'studies'}"
    body = "".join(_html(row) for row in shown)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}<title>Cohort</title><style>{STYLE}</style></head><body>'
        f'<h1>{title}</h1><p class="sub">{"running" if running else "not running"}, as of {when}. {link}. '
        f'Research use only, not for diagnosis.</p><div class="bar">{bar}</div><div class="counts">{numbers}<span><b>{look}</b>need a person</span></div>'
        "<table><thead><tr><th></th><th>study</th><th>step</th><th>CAD-RADS</th><th>worst stenosis</th><th>lowest FFR</th><th>Agatston</th>"
        f"<th>look at this</th></tr></thead><tbody>{body}</tbody></table></body></html>"
    )


def row_of(root: Place, record: dict) -> dict:
    """What stands in the row of a case. order: 0 a person is needed, 1 runs, 2 done, 3 waits."""
    found = _findings(root, record) if record["status"] in (DONE, FAILED) else {}
    warnings = [record["reason"]] if record["reason"] else []
    warnings += warnings_of(found)
    order = 0 if warnings else {RUNNING: 1, DONE: 2, WAITING: 3}.get(record["status"], 0)
    return {"id": record["id"], "status": record["status"], "step": record.get("step", ""), "order": order, "warnings": warnings, **_numbers(found)}


def warnings_of(found: dict) -> list[str]:
    """What a person should look at first in findings.json: image quality, severe stenosis, FFR in the grey zone. Refusals are among the verdicts."""
    verdicts = {task: verdict for task, verdict in _part(found, "quality").get("verdict", {}).items() if task != "calcium"}  # that series has its own
    verdicts |= {"calcium": _part(found, "calcium_quality").get("verdict", "good")}
    said = [verdict for verdict in verdicts.values() if verdict != "good"]
    worst = _worst_pct(found)
    if worst is not None and worst >= SEVERE_PCT:
        said.append(f"stenosis of {worst:.0f} %")
    low = _lowest_ffr(found)
    if low is not None and GREY_ZONE[0] <= low <= GREY_ZONE[1]:
        said.append(f"FFR {low:.2f} lies in the grey zone")
    return list(dict.fromkeys(said))


def _numbers(found: dict) -> dict:
    worst, low, agatston = _worst_pct(found), _lowest_ffr(found), _part(found, "calcium").get("agatston")
    return {
        "cad_rads": _part(found, "cad_rads").get("text", ""),
        "worst": "" if worst is None else f"{worst:.0f} %",
        "ffr": "" if low is None else f"{low:.2f}",
        "agatston": "" if agatston is None else f"{agatston:.0f}",
    }


def _part(found: dict, name: str) -> dict:
    part = found.get(name) or {}
    return {} if "unavailable" in part else part


def _worst_pct(found: dict) -> float | None:
    stenoses = found.get("stenoses")
    return max((one["diameter_pct"] for one in stenoses), default=None) if isinstance(stenoses, list) else None


def _lowest_ffr(found: dict) -> float | None:
    values = [one["ffr"] for one in _part(found, "ffr").get("vessels", {}).values()]
    return min((value for value in values if isinstance(value, int | float)), default=None)


def _findings(root: Place, record: dict) -> dict:
    content = (root / f"cases/{record['id']}/findings.json").read_bytes()
    return json.loads(content) if content else {}


def _html(row: dict) -> str:
    name, report = escape(row["id"]), f"cases/{escape(row['id'])}/report.html"
    picture = f'<img src="thumbnails/{name}.png" alt="" loading="lazy">' if row["status"] == DONE else ""
    link = f'<a href="{report}">{name}</a>' if row["status"] == DONE else name
    why = "<br>".join(escape(one) for one in row["warnings"])
    numbers = "".join(f'<td class="n">{escape(row[key])}</td>' for key in ("cad_rads", "worst", "ffr", "agatston"))
    step = escape(row["step"]) if row["status"] in (RUNNING, FAILED) else ""
    mark = f'<span class="mark {row["status"]}"></span>'
    return f'<tr><td>{picture}</td><td class="n">{mark}{link}</td><td>{step}</td>{numbers}<td class="why look">{why}</td></tr>'
