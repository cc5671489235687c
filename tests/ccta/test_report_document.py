"""The written report: self-contained, escaped, research use on every page."""

import html
import io
import re

import pytest
from PIL import Image
from pypdf import PdfReader

from ccta.errors import StorageFailed
from ccta.findings import Findings
from ccta.model import Unavailable
from ccta.report.blocks import RESEARCH_USE
from ccta.report.content import build
from ccta.report.document import write_html, write_pdf
from ccta.report.pictures import make_pictures
from ccta.report.study_sections import unavailable_values
from ccta.settings import ReportSettings
from tests.ccta.example_findings import HARD_NAME, example_findings, example_pullback, refused_findings

EVIL = '#include "/etc/passwd" `code` $x$ *bold* <script>alert(1)</script> {{ 7*7 }} \\ // @ref [link] =='


@pytest.fixture(scope="module")
def full():
    findings = example_findings(HARD_NAME)
    return build(findings, make_pictures(findings, example_pullback()), ReportSettings(institution=EVIL, indication=EVIL))


@pytest.fixture(scope="module")
def pdf(full, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.pdf"
    write_pdf(full, path)
    return PdfReader(path)


def squeezed(text):
    return re.sub(r"\s+", "", text)


def test_pdf_is_a4_with_research_use_and_a_number_on_every_page(pdf):
    assert len(pdf.pages) >= 3
    for number, page in enumerate(pdf.pages, start=1):
        assert [float(x) for x in page.mediabox[2:]] == pytest.approx([595.28, 841.89], abs=0.1)
        text = page.extract_text()
        assert RESEARCH_USE in text and f"{number} / {len(pdf.pages)}" in text


def filled(page) -> float:
    """The share of a page's height, between its margins, down to the lowest text (each picture has its caption below it)."""
    bottom, top = 20 * 72 / 25.4, 841.89 - 18 * 72 / 25.4
    places = []
    page.extract_text(visitor_text=lambda text, user, place, *_: places.append((place[4] * user[1] + place[5] * user[3] + user[5], text.strip())))
    return (top - min(y for y, text in places if text and y > bottom)) / (top - bottom)


@pytest.mark.parametrize("change", [{}, {"stenoses": []}, {"ffr": Unavailable("motion")}, {"calcium": Unavailable("no series")}], ids=str)
def test_every_page_but_the_last_is_filled(change, tmp_path):
    findings = example_findings().model_copy(update=change)
    write_pdf(build(findings, make_pictures(findings, example_pullback() if "ffr" not in change else None)), tmp_path / "r.pdf")
    shares = [filled(page) for page in PdfReader(tmp_path / "r.pdf").pages]
    assert min(shares[:-1]) > 0.65 and len(shares) <= 5, shares


def test_pdf_prints_markup_in_names_as_text(pdf):
    text = squeezed(pdf.pages[0].extract_text())
    assert squeezed('Müller-Sørensen "Anna" & <b>#strong</b> $x_1$ 王小明') in text
    assert squeezed(EVIL) in text


def test_pdf_carries_the_pictures(pdf, full):
    assert sum(len(page.images) for page in pdf.pages) == len(full.pictures) > 2


def test_html_is_self_contained_and_escaped(full, tmp_path):
    write_html(full, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "<script>" not in text and "<b>#strong" not in text and "49" not in re.findall(r"\{\{ 7\*7 \}\}|\b49\b", text)
    assert html.escape("<b>#strong</b>") in text and "王小明" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert text.count("data:image/png;base64,") == len(full.pictures)
    assert text.count(RESEARCH_USE) >= 3


@pytest.mark.parametrize("findings", [refused_findings(), Findings()], ids=["refused", "empty"])
def test_refused_cases_are_written_with_their_reasons(findings, tmp_path):
    content = build(findings)
    write_html(content, tmp_path / "r.html")
    write_pdf(content, tmp_path / "r.pdf")
    web = squeezed(html.unescape((tmp_path / "r.html").read_text()))
    paper = squeezed("".join(p.extract_text() for p in PdfReader(tmp_path / "r.pdf").pages).replace(RESEARCH_USE, ""))
    for _, reason in unavailable_values(findings):
        assert squeezed(reason)[1:] in web
        assert squeezed(reason)[1:40] in paper


def test_what_cannot_be_written_is_one_sentence(full, tmp_path):
    for write in (write_html, write_pdf):
        with pytest.raises(StorageFailed, match="could not be written to"):
            write(full, tmp_path / "no such folder" / "report")


def test_pictures_are_readable_pngs_of_print_size(full):
    assert set(full.pictures) == {"ffr_tree", "pullback", "plaque"}
    for png in full.pictures.values():
        image = Image.open(io.BytesIO(png))
        assert image.format == "PNG" and image.width > 800
