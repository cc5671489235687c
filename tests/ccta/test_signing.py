"""The reader's part of a case: words and pictures in the draft, signed versions that never change, addenda."""

import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from pypdf import PdfReader

from ccta.case import Case
from ccta.errors import BadInput, MissingStage
from ccta.model import Unavailable
from ccta.pipeline import STAGES
from ccta.report import signing
from ccta.runner import run_stages, select, stale_stages
from ccta.settings import Settings
from tests.ccta.example_findings import example_findings
from tests.conftest import run_ccta

WHO = "Dr 王小明"


def report(case):
    run_stages(case, select(STAGES, ["report"]), Settings(), lambda _: lambda *_: None)


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (120, 80), (200, 30, 30)).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def case(tmp_path):
    """Findings and a report of them; no image."""
    made = Case.create(tmp_path / "case")
    made.write_json("findings", example_findings().model_dump_json())
    report(made)
    return made


def words_of(path) -> str:
    return "".join(page.extract_text() for page in PdfReader(path).pages)


def test_what_the_reader_writes_makes_the_draft_stale_and_is_printed(case):
    signing.write_text(case, WHO, indication="Chest pain on effort", clinical_data="LDL 4.2 mmol/L", impression="Stenosis of the mid LAD.")
    picture = signing.add_picture(case, WHO, png(), "The lesion & <b>its</b> plaque")
    assert stale_stages(case, STAGES, Settings()) == ["report"]
    with pytest.raises(BadInput, match=r"cannot be signed: report no longer follows"):
        signing.sign(case, WHO)
    report(case)
    html = case.path("report_html").read_text()
    for words in ("Chest pain on effort", "LDL 4.2 mmol/L", f"Stenosis of the mid LAD. ({WHO})", "The lesion &amp; &lt;b&gt;its&lt;/b&gt; plaque", "· Draft"):
        assert words in html
    signing.remove_picture(case, picture.file)
    assert not signing.read(case).pictures and not list(case.path("pictures").iterdir()) and signing.read(case).impression
    with pytest.raises(BadInput, match="has no picture"):
        signing.remove_picture(case, "../case.json")


def test_a_signed_report_stays_and_later_edits_make_a_draft_beside_it(case):
    version = signing.sign(case, WHO)
    folder = signing.version_folder(case, version.number)
    assert version.number == 1 and set(version.sha256) == {"report.html", "report.pdf", "findings.json", "report_content.json"}
    assert all(not os.stat(folder / name).st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) for name in version.sha256)
    assert f"Version 1, signed by {WHO} on" in case.path("report_html").read_text() and "Draft" not in words_of(folder / "report.pdf")
    assert stale_stages(case, STAGES, Settings()) == []  # signing changes nothing that the report says
    before = {name: (folder / name).read_bytes() for name in version.sha256}
    signing.write_text(case, "Another", impression="Changed my mind.")
    report(case)
    html = case.path("report_html").read_text()
    assert f"Draft beside the signed report: version 1 was signed by {WHO}" in html and "Changed my mind." in html
    assert {name: (folder / name).read_bytes() for name in version.sha256} == before and signing.verify(case) == []
    assert signing.sign(case, "Another").number == 2 and signing.verify(case) == []


def test_two_who_sign_at_once_make_one_version(case):
    """Both pass whatever is asked before; a third, when it is signed, is told so."""
    with ThreadPoolExecutor(2) as pool:
        tries = [pool.submit(signing.sign, case, who) for who in ("A", "B")]
    refused = [one.exception() for one in tries if one.exception()]
    assert len(refused) == 1 and "is signed already" in str(refused[0]) and isinstance(refused[0], BadInput)
    assert [version.number for version in signing.read(case).versions] == [1] and signing.why_not(case).kind == "signed"


def test_findings_that_nobody_signed_take_the_signature_away(case):
    """A stage that ran after the signature, before the report was made again: the signed PDF is still there, the numbers of the objects would be others."""
    version = signing.sign(case, WHO)
    assert signing.signed_as(case) == version
    case.update_findings(plaque=Unavailable("cut off"))
    assert signing.signed_as(case) is None and case.digest("report_pdf") == version.sha256["report.pdf"]


def test_an_addendum_is_a_version_that_names_what_it_adds_to(case):
    with pytest.raises(BadInput, match="has no signed report"):
        signing.add_addendum(case, WHO, "More.")
    first = signing.sign(case, WHO)
    added = signing.add_addendum(case, "B. Second", "Reviewed with the surgeon: #strong[no] change. 无变化")
    assert (added.number, added.kind, added.amends) == (2, "addendum", 1) and signing.read(case).last_report == first
    text = words_of(signing.version_folder(case, 2) / "report.pdf")
    assert "#strong[no]" in text and "无变化" in text and first.sha256["report.pdf"][:20] in text and "B. Second" in text


def test_a_changed_or_missing_signed_file_is_found(case):
    folder = signing.version_folder(case, signing.sign(case, WHO).number)
    (folder / "report.html").chmod(0o644)
    (folder / "report.html").write_text("forged")
    (folder / "report.pdf").unlink()
    changed, missing = signing.verify(case)
    assert changed.endswith("signed it on " + signing.read(case).versions[0].at) and WHO in changed and missing.endswith("report.pdf is missing")
    assert run_ccta("sign", case.root) == 2
    with pytest.raises(BadInput, match="not as they were signed"):
        signing.add_addendum(case, WHO, "More.")


def test_signing_needs_a_name_a_report_and_a_png(case, tmp_path):
    for act in (lambda: signing.sign(case, "  "), lambda: signing.write_text(case, "", impression="x"), lambda: signing.add_picture(case, WHO, b"GIF89a", "")):
        with pytest.raises(BadInput):
            act()
    with pytest.raises(MissingStage, match="ccta report"):
        signing.sign(Case.create(tmp_path / "empty"), WHO)
    assert signing.read(case).versions == [] and not case.path("signed").exists()


def test_the_command_signs_adds_and_checks(case, capsys):
    assert run_ccta("sign", case.root) == 0 and "nothing is signed yet" in capsys.readouterr().err
    assert run_ccta("sign", case.root, "--by", WHO) == 0
    assert run_ccta("sign", case.root, "--by", WHO, "--addendum", "More.") == 0
    assert run_ccta("sign", case.root, "--addendum", "More.") == 2
    assert run_ccta("sign", case.root) == 0 and "all 2 versions are as they were signed" in capsys.readouterr().err
