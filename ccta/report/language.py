"""The report's language: every sentence of its own is written in English and looked up here. Sentences that the stages wrote stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ccta.errors import BadSettings

LANGUAGES = ("en", "zh")
_language: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Within the block `t` answers in this language. BadSettings for one that does not exist."""
    if language not in LANGUAGES:
        raise BadSettings(f'report language "{language}" does not exist; it may be {" or ".join(LANGUAGES)}')
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def spoken() -> str:
    """The language of the block."""
    return _language.get()


def t(english: str, **values) -> str:
    """A sentence of the report in its language, its {fields} filled in. KeyError for one that nobody translated."""
    return _pattern(english).format(**values)


def word(english: str) -> str:
    """A word or short sentence that a stage chose from a fixed list; as it is where it is none of these."""
    from ccta.report.chinese import CHINESE

    return CHINESE.get(english, english) if spoken() == "zh" else english


def _pattern(english: str) -> str:
    from ccta.report.chinese import CHINESE

    return CHINESE[english] if spoken() == "zh" else english
