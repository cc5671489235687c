"""A report as one self-contained HTML page and as an A4 PDF. Text is data to both templates, so no name can become markup."""

import base64
import json
import tempfile
from pathlib import Path

import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ccta.errors import StorageFailed
from ccta.report.blocks import ReportContent

TEMPLATES = Path(__file__).parent / "templates"


def write_html(content: ReportContent, path: Path) -> None:
    """One HTML file with its pictures inside. Raises StorageFailed when it cannot be written."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pictures = {key: base64.b64encode(png).decode() for key, png in content.pictures.items()}
    html = environment.get_template("report.html").render(report=content, pictures=pictures)
    _stored(Path(path), html.encode())


def write_pdf(content: ReportContent, path: Path) -> None:
    """An A4 PDF, typeset by Typst. Raises StorageFailed when it cannot be written."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for index, png in enumerate(content.pictures.values()):
            (root / f"{index}.png").write_bytes(png)
        files = {key: f"{index}.png" for index, key in enumerate(content.pictures)}
        (root / "content.json").write_text(json.dumps({**content.as_dict(), "files": files}))
        (root / "report.typ").write_bytes((TEMPLATES / "report.typ").read_bytes())
        pdf = typst.compile(root / "report.typ", root=root)
    _stored(Path(path), pdf)


def _stored(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise StorageFailed(f"the report could not be written to {path} ({error.strerror}); free space or choose another folder") from error
