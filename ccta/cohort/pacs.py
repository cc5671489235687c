"""A row whose study lies in a PACS: `pacs:NAME?accession=A123`, fetched to the worker's scratch by `ccta pull`.

NAME is what `ccta pull` takes: a PACS of the worker's server.toml, host:port:AETITLE, or a DICOMweb URL. The query must match one study.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from urllib.parse import parse_qsl

from ccta.cohort.limits import Limits, run_limited
from ccta.errors import BadInput, CctaError

SCHEME = "pacs:"
KEYS = {"accession": "--accession", "patient_id": "--patient-id", "study": "--study", "date": "--date"}
DICOM = {"AccessionNumber": "accession", "PatientID": "patient_id", "StudyInstanceUID": "study", "StudyDate": "date"}
PROGRAM = ("-m", "ccta.tied")


class NotFetched(CctaError):
    """The PACS did not give the study, with what it said; it may do so at the next attempt."""


def is_query(source: str) -> bool:
    """Whether a row's source is a PACS query."""
    return source.startswith(SCHEME)


def query_of(source: str) -> tuple[str, dict[str, str]]:
    """(PACS, {key: value}) of a row's source. BadInput where it is no query."""
    pacs, _, text = source.removeprefix(SCHEME).rpartition("?")
    query = {DICOM.get(key, key): value.strip() for key, value in parse_qsl(text, keep_blank_values=True)}
    if not pacs or not query or not set(query) <= set(KEYS) or not all(query.values()):
        raise BadInput(f"{source!r} is no PACS query; write pacs:NAME?accession=A123, with one or more of {', '.join(KEYS)} joined by &")
    return pacs, query


def name_of(source: str) -> str:
    """What the case is called where the row gives no id: the values of its query."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", "_".join(query_of(source)[1].values())).lstrip(".-")[:80]


def fetch_study(source: str, scratch: Path, limits: Limits) -> Path:
    """The folder in `scratch` that the study's files are in. NotFetched with the reason of `ccta pull`, or with the limit that was exceeded."""
    pacs, query = query_of(source)
    words = [word for key, value in query.items() for word in (KEYS[key], value)]
    (scratch / "pull").mkdir()
    ended = run_limited([sys.executable, *PROGRAM, str(os.getpid()), "pull", pacs, str(scratch / "pulled"), *words], scratch / "pull", limits, {})
    if ended.exceeded or ended.code:
        said = [line.removeprefix("ccta: ") for line in ended.said.splitlines() if line.startswith("ccta: ")]
        raise NotFetched(f"{source} was not fetched: {ended.exceeded or (said or [f'`ccta pull` ended with status {ended.code}'])[-1]}")
    return next((scratch / "pulled").iterdir())
