"""One spelling for each value, and one list of words that mean "missing"."""

import pandas as pd
import pytest
from foldline.dataset.cell_values import DEFAULT_MISSING, canonical, is_missing, missing_words, number, whole_number
from pandas._libs.parsers import STR_NA_VALUES


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (("3", "3.0", " 3 ", "3.", "3.000"), "3"),
        (("0", "0.0", "-0", "-0.0", "False", "FALSE", "false"), "0"),
        (("1", "1.0", "True", "TRUE", "true"), "1"),
        (("-1", "-1.0"), "-1"),
        (("1e+05", "100000", "100000.0"), "100000"),
        (("1e+15", "1000000000000000"), "1000000000000000"),
        (("1.0000000001e+10", "10000000001", "10000000001.0"), "10000000001"),
        (("1e+16", "10000000000000000", "10000000000000000.0"), "10000000000000000"),
        (("-1.5e+16",), "-15000000000000000"),
        (("12345678901234567890",), "12345678901234567890"),
        # Composed and decomposed, as macOS writes it.
        (("Zürich", "Zu\u0308rich", " Zu\u0308rich "), "Zürich"),
        (("\u1112\u1161\u11ab", "\ud55c"), "\ud55c"),
        (("a\nb\nc", "a\r\nb\rc", "\r\na\rb\nc\r"), "a\nb\nc"),
    ],
)
def test_equal_values_have_one_spelling(texts: tuple[str, ...], value: str) -> None:
    assert {canonical(text) for text in texts} == {value}
    assert canonical(value) == value


@pytest.mark.parametrize(
    "text",
    [
        "007",
        "1.10",
        "0.5",
        "2.50",
        "1e5",
        "7e10",
        "1e+5",
        "+3",
        "--1",
        "1_0",
        "1.0.0",
        "a 1",
        "P3.0",
        ".0",
        ".",
        "",
        "٣",
    ],
)
def test_texts_that_may_be_names_stay(text: str) -> None:
    assert canonical(text) == text


def test_what_pandas_writes_of_whole_numbers_has_the_value_that_it_had() -> None:
    integers = [0, 1, 7, 10**15, 10**16, 3 * 10**17]
    written = pd.Series([*integers, None], dtype=float).to_csv(index=False, header=False).split("\n")
    assert [canonical(text) for text in written[: len(integers)]] == list(map(str, integers))


def test_whole_numbers_and_numbers_are_decimal() -> None:
    texts = ("3", "3.0", "-3", "0.5", "True", "x", "1_0", "1e3", "٣")
    assert [whole_number(text) for text in texts] == [3, 3, None, None, None, None, None, None, None]
    texts = ("3", "-2.5", ".5", "5.", "1e3", "+4", "TRUE", "inf", "nan", "1e999", "1_0", "0x1", "1,5", "٣", "")
    assert [number(text) for text in texts] == [3, -2.5, 0.5, 5, 1000, 4, 1, *([None] * 8)]


def test_every_word_that_pandas_reads_as_missing_is_missing() -> None:
    assert [word for word in STR_NA_VALUES if not is_missing(word, DEFAULT_MISSING)] == []
    assert is_missing(" n/a ", DEFAULT_MISSING)
    assert [
        word for word in ("0", "no", "nil", "unknown", "-1", "Nat.", "N") if is_missing(word, DEFAULT_MISSING)
    ] == []


def test_a_list_replaces_the_words_or_adds_to_them() -> None:
    assert missing_words(["default"]) == DEFAULT_MISSING
    assert missing_words(["default", "unknown", -1.0]) == (*DEFAULT_MISSING, "unknown", "-1")
    words = missing_words(["?"])
    assert [is_missing(text, words) for text in ("?", "", " ", "NA")] == [True, True, True, False]
    assert is_missing("-1.0", missing_words([-1]))
    assert is_missing("UNKLARE HO\u0308HE", missing_words(["unklare Höhe"]))
    assert is_missing("unklare Höhe", missing_words(["unklare Ho\u0308he"]))
