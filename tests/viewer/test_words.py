"""No word of the page is left untranslated, and the hot keys are those of the help sheet."""

import re
from html.parser import HTMLParser

import pytest
from trame.app import get_server

from tests.conftest import ROOT
from tests.viewer.small_case import small_study
from viewer.app.keys import KEYS, MOUSE, meaning, sheet
from viewer.app.page import Page
from viewer.app.room import POINTER, ReadingRoom
from viewer.app.state import COLOURS, MODES, WINDOWS
from viewer.app.words import LANGUAGES, WORDS, said

ALIKE = {"MIP", "MinIP", "ΔFFR", "CTA", "FFR", "FFR-CT", "CAD-RADS", "MLD", "%"}
"""What a Chinese report writes in Latin letters."""
BY_MODE = {f"{part}_{mode}" for mode in MODES for part in ("hint", "tool")}
"""Words that are looked up by the mode that is chosen."""
FREE_TEXT = ("title", "placeholder", "alt", "aria-label", "label")


class Texts(HTMLParser):
    """Text between tags and in attributes that a reader sees, without what comes from the state."""

    def __init__(self, html: str):
        super().__init__()
        self.found, self._raw = [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._raw += tag in ("style", "script")
        self.found += [value for name, value in attrs if name in FREE_TEXT and value]

    def handle_endtag(self, tag):
        self._raw -= tag in ("style", "script")

    def handle_data(self, data):
        if not self._raw:
            self.found.append(data)


@pytest.fixture(scope="module")
def template() -> str:
    """The page as it is sent to the browser."""
    server = get_server("words", client_type="vue3")
    ReadingRoom(small_study(), "case", server)
    return server.state.trame__template_main


def plain_texts(html: str) -> list[str]:
    """What a reader sees, without what comes from the state."""
    return [re.sub(r"\{\{.*?\}\}", "", text).strip(" ,.:()°\n") for text in Texts(html).found]


def untranslated(html: str) -> set[str]:
    """Texts that no table of words has a hand in."""
    return {text for text in plain_texts(html) if re.search(r"[A-Za-z一-鿿]{2,}", text)} - {"mm", "HU", "中文 / EN"}


def hidden(html: str) -> set[str]:
    """Strings within expressions that are no keys."""
    inside = [string for part in re.findall(r"\{\{(.*?)\}\}", html) for string in re.findall(r"'([^']*)'", part)]
    return {s for s in inside if s not in WORDS and re.search(r"[A-Za-z]{2,}", s)} - {"120 mm", "60 mm", "30 mm"}


def test_a_text_that_nobody_translated_is_found(template):
    for text in ("<button>Go back</button>", "<input placeholder='your name'>", "<p>{{ tr.keep }} now</p>", "<b title='返回'>x</b>"):
        assert untranslated(template + text), text
    assert hidden(template + "{{ ok ? 'done now' : tr.keep }}") == {"done now"}


def test_every_text_of_the_page_is_a_word_of_the_table(template):
    plain = plain_texts(template)
    assert untranslated(template) == set()
    assert len(re.findall(r"\btr[.\[]", template)) > 30
    one_letter = {text for text in plain if re.fullmatch(r"[A-Za-z]", text)}
    assert one_letter <= set("RLAPHF"), "letters of the patient's directions"


def test_strings_in_the_templates_expressions_are_keys(template):
    """{{ 'some text' }} would hide a word from the test above."""
    assert hidden(template) == set()


def test_every_word_has_both_languages_and_is_used(template):
    for key, (english, chinese) in WORDS.items():
        assert english.strip() and chinese.strip(), key
        assert re.search(r"[一-鿿]", chinese) or chinese in ALIKE, f"{key} is not translated"
        assert not re.search(r"[一-鿿]", english), key
    used = (
        set(re.findall(r"\btr\.(\w+)", template)) | set(re.findall(r"tr\['([^']+)'\]", template)) | {*WINDOWS, *COLOURS, *(f"{m}_does" for m in MOUSE), *MOUSE}
    )
    assert used <= {*WORDS, "120 mm", "60 mm", "30 mm"}, used - set(WORDS)
    sources = "\n".join(path.read_text() for path in (ROOT / "viewer").rglob("*.py") if not path.name.endswith("words.py"))
    unused = [
        key
        for key in WORDS
        if key not in used and f'"{key}"' not in sources and not key.startswith(("kind_", "state_", "plaque_")) and key not in BY_MODE and key not in sources
    ]
    assert unused == []


def test_no_handler_of_the_page_raises_an_english_sentence():
    for path in (ROOT / "viewer/app").rglob("*.py"):
        if path.name != "study.py":  # what it says stands in the terminal, before there is a page
            assert not re.search(r"raise \w*(BadInput|Refusal)\(", path.read_text()), path.name


def test_an_unknown_language_is_english():
    assert said("xx") == said("en") != said("zh") and LANGUAGES == ("en", "zh")


def test_hot_keys_are_on_the_sheet_and_do_something():
    names = [name for key in KEYS for name in key.names]
    assert len(names) == len(set(names))
    for key in KEYS:
        assert key.word in WORDS and len(key.names) == len(key.values) and callable(getattr(ReadingRoom, key.action))
    assert len(sheet()) == len(KEYS) and meaning("q") is None and meaning("2") == ("choose_window", ("calcium",))


def test_what_the_script_sends_exists():
    script = "".join((ROOT / f"viewer/app/static/{name}.js").read_text() for name in ("page", "views"))
    sent = set(re.findall(r"send\('(\w+)'", script))
    assert sent == set(POINTER) and all(callable(getattr(ReadingRoom, name)) for name in POINTER) and issubclass(ReadingRoom, Page)
