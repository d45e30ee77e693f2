"""Label cells that are lists of Python, NumPy, JSON and PostgreSQL are read as lists."""

import json

import numpy as np
import pytest
from foldline.dataset.columns import Columns
from foldline.dataset.labels import Labels
from foldline.dataset.list_cells import cells_without_brackets, listed_words
from foldline.dataset.raw_table import RawTable
from foldline.errors import FoldlineError

WORDS = [["a"], ["a", "b c"], ["it's", 'say "x"'], ["ä", "b"], []]


@pytest.mark.parametrize("words", WORDS)
def test_words_are_those_that_were_written(words: list[str]) -> None:
    assert listed_words(str(words)) == words
    assert listed_words(json.dumps(words)) == words
    assert listed_words(str(tuple(words))) == words
    assert listed_words(str(np.array(words))) == words


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("{a,b c}", ["a", "b c"]),
        ('{a,"b, c"}', ["a", "b, c"]),
        ("[0, 1]", ["0", "1"]),
        ("[0 1 0]", ["0", "1", "0"]),
        ("[.2 .8]", [".2", ".8"]),
        ("[sinus rhythm]", ["sinus rhythm"]),
        ("a|b", None),
        ("(benign)", None),
        ("nevus [1]", None),
        ("[a", None),
        ("['a]", None),
        ("", None),
    ],
)
def test_other_forms(cell: str, words: list[str] | None) -> None:
    assert listed_words(cell) == words


def without(cells: list[str], kind: str = "multilabel") -> list[str]:
    raw = RawTable("a.csv", ("id", "y"), range(len(cells)), {"y": cells})
    return list(cells_without_brackets(raw, cells, Columns("id", "y", None, labels=Labels(kind))))


def test_all_cells_or_none() -> None:
    assert without(["['a', 'b']", "['a']", "", "[]"]) == ["a|b", "a", "", ""]
    assert without(["['a', 'b']", "a"]) == ["['a', 'b']", "a"]
    assert without(["['a']", "['b']"], "multiclass") == ["a", "b"]
    assert without(["[0, 1]", "[1, 0]"], "multiclass") == ["0|1", "1|0"]
    assert without(["['a', 'b']", "['b']"], "multiclass") == ["['a', 'b']", "['b']"]


def test_a_word_with_the_separator_is_refused() -> None:
    with pytest.raises(FoldlineError, match=r"a\.csv, column y: label .* set dataset.labels.separator"):
        without(["['a|b', 'c']"])
