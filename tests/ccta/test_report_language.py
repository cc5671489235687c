"""The Chinese report: every sentence of the report's own is translated, with the same fields; numbers and names are the same."""

import ast
import re
from pathlib import Path

import pytest

import ccta.report
from ccta.findings import Findings
from ccta.report import wording
from ccta.report.chinese import CHINESE
from ccta.report.content import build
from ccta.settings import ReportSettings
from tests.ccta.example_findings import example_findings, refused_findings

FIELD = re.compile(r"\{(\w+)[^}]*\}")


def spoken_literals() -> set[str]:
    """Strings that stand directly in a call of t()."""
    found = set()
    for path in Path(ccta.report.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "t":
                found |= {part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    return found


def test_every_sentence_has_its_translation_with_the_same_fields():
    tables = (wording.INTERPRETATION, wording.BURDEN, wording.FEATURES, wording.FLOW_MODEL, wording.MODIFIER_ADVICE)
    words = {text for table in tables for value in table.values() for text in ((value,) if isinstance(value, str) else value)} | set(wording.LIMITS)
    said = {text for text in spoken_literals() if len(text) > 1 and text not in wording.BURDEN and text not in wording.INTERPRETATION}
    assert not (said | words) - set(CHINESE)
    assert not [english for english, chinese in CHINESE.items() if sorted(FIELD.findall(english)) != sorted(FIELD.findall(chinese))]


@pytest.mark.parametrize("findings", [example_findings(), refused_findings(), Findings()], ids=["full", "refused", "empty"])
def test_the_chinese_report_can_be_built_and_has_the_same_shape(findings):
    english, chinese = (build(findings, settings=ReportSettings(language=language)) for language in ("en", "zh"))
    assert [len(section.tables) for section in english.sections] == [len(section.tables) for section in chinese.sections]
    for ours, theirs in zip(english.sections, chinese.sections, strict=True):
        assert ours.title != theirs.title and re.search(r"[\u4e00-\u9fff]", theirs.title)
    assert "仅供研究" in chinese.footer and chinese.words["lang"] == "zh"
