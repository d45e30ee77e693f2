"""The value of a table's cell: one spelling for equal values, and the words that mean "missing".

Labels, groups and metadata are read by these functions alone, so `3` and `3.0` are one class, patient or site.

Standard library only, because the process that builds the DAG imports it.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from unicodedata import normalize

# Stands for `DEFAULT_MISSING` in `dataset.missing`.
DEFAULT = "default"
# What pandas reads as missing, and what people write. Case does not count.
DEFAULT_MISSING = (
    *("", "NA", "N/A", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "-NaN", "NaT", "None", "null"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
BOOLEANS = {"true": "1", "false": "0"}
# First characters of the texts that `canonical` may change.
_FIRST = frozenset("-0123456789tTfF")
_WHOLE = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.0*)?")
_LARGE = re.compile(r"-?[1-9](?:\.[0-9]+)?e\+[0-9]{2,3}")
_WITH_COMMA = re.compile(r"([0-9]+),([0-9]+)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def composed(text: str) -> str:
    """The text in Unicode NFC, which has one spelling for a letter with an accent; macOS writes another (NFD)."""
    return text if text.isascii() else normalize("NFC", text)


def canonical(text: str) -> str:
    """The one spelling of a value: without spaces around it, 3 for 3.0 and 3., 0 for -0.0, 1 for True, 0 for false.

    Line breaks within it are those of Unix, and letters with accents those of NFC, whichever system wrote them. Only
    whole numbers as programs write them change: 007, 1.10 and 1e5 may be names, so they stay as they are.
    """
    stripped = composed(text.strip())
    if "\r" in stripped:
        stripped = stripped.replace("\r\n", "\n").replace("\r", "\n")
    if stripped[:1] not in _FIRST:
        return stripped
    whole = _WHOLE.fullmatch(stripped)
    if whole:
        return whole[2] if whole[2] == "0" else whole[1] + whole[2]
    if _LARGE.fullmatch(stripped):
        # Python writes floats from 1e16 on with an exponent, and R those from 1e+05 on.
        value = float(stripped)
        if value.is_integer() and (abs(value) < 2**53 or repr(value) == stripped):
            return str(int(value))
    return BOOLEANS.get(stripped.lower(), stripped)


def whole_number(text: str) -> int | None:
    """Value of a whole number that is not negative, such as 12 or 12.0; None for any other text."""
    stripped = text.strip()
    whole = _WHOLE.fullmatch(stripped)
    return int(whole[2]) if whole and not whole[1] else None


def number(text: str) -> float | None:
    """Value of a finite decimal number, or 1 for True and 0 for False; None for any other text."""
    value = canonical(text)
    if not _NUMBER.fullmatch(value):
        return None
    # 1e999 has the form of a number, but is not finite.
    return float(value) if abs(float(value)) != float("inf") else None


def sorted_words(words: Iterable[str]) -> list[str]:
    """Words in an order that does not depend on the rows: numbers by their value, before other words."""

    def key(word: str) -> tuple[bool, float, str]:
        value = number(word)
        return value is None, 0.0 if value is None else value, word

    return sorted(words, key=key)


def decimal_hint(texts: Iterable[str]) -> str:
    """How to write numbers that are written with a comma or a percent sign, as the end of a message; "" for others."""
    for text in map(str.strip, texts):
        if match := _WITH_COMMA.fullmatch(text):
            return f"; write {text} as {match[1]}.{match[2]}"
        if (share := text.removesuffix("%").strip()) != text and (value := number(share)) is not None:
            return f"; write {text} as {value / 100:g}"
    return ""


def is_utf8(text: str) -> bool:
    """Whether a text can be written in UTF-8; bytes of file names that are no text are surrogates in Python."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def missing_words(words: Sequence[str | float]) -> tuple[str, ...]:
    """The words that `dataset.missing` lists, with `DEFAULT_MISSING` in place of the word `default`."""
    listed = [DEFAULT_MISSING if word == DEFAULT else (canonical(str(word)),) for word in words]
    return tuple(dict.fromkeys(word for some in listed for word in some))


def is_missing(text: str, words: tuple[str, ...], *, is_canonical: bool = False) -> bool:
    """Whether a cell is empty or one of the words, in any spelling of its value and with any case."""
    return (text.casefold() if is_canonical else _folded(text)) in _folded_words(words)


@lru_cache(maxsize=64)
def _folded_words(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(("", *map(_folded, words)))


def _folded(text: str) -> str:
    return canonical(text).casefold()
