"""What label cells hold follows from all of them, or the error shows both readings and the key that decides."""

from dataclasses import replace
from typing import Any

import pytest
from foldline.dataset.label_reading import remedy, resolve, resolve_together
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.errors import FoldlineError

SPOTS = Labels("multiclass", ("MEL", "NV", "BCC"))
PARTS = Labels("multilabel", ("red", "green", "blue", "rare"))
PAIR = Labels("multilabel", ("left", "right"))


def resolved(labels: Labels, *cells: str) -> Labels:
    return resolve(labels, {cell: f"train.csv, line {number}" for number, cell in enumerate(cells, start=2)})


@pytest.mark.parametrize(
    ("labels", "cells", "reading", "codes"),
    [
        (SPOTS, ("NV", "MEL", "BCC"), "class names", ("010", "100", "001")),
        (SPOTS, ("0", "1", "2"), "class numbers from 0", ("100", "010", "001")),
        (SPOTS, ("0.0", "2.0"), "class numbers from 0", ("100", "001")),
        (SPOTS, ("1", "2", "3"), "class numbers from 1", ("100", "010", "001")),
        (SPOTS, ("0|0|1", "1|0|0"), "one 0 or 1 for each class", ("001", "100")),
        (PARTS, ("0", "1|3", "2"), "class numbers from 0", ("1000", "0101", "0010")),
        (PARTS, ("1", "2|4"), "class numbers from 1", ("1000", "0101")),
        (PARTS, ("0|0|1|1", "0|1|0|0"), "one 0 or 1 for each class", ("0011", "0100")),
        (PAIR, ("0|1", "0"), "class numbers from 0", ("11", "10")),
        (PAIR, ("0|1", "1|1"), "one 0 or 1 for each class", ("01", "11")),
        # Names that are numbers: other readings give the same classes, or do not fit.
        (replace(SPOTS, classes=("0", "1", "2")), ("0", "1", "2"), "class names", ("100", "010", "001")),
        (replace(SPOTS, classes=("1", "2", "3")), ("1", "2", "3.0"), "class names", ("100", "010", "001")),
        (replace(SPOTS, classes=("0.0", "0.5", "1.0")), ("0", "0.5", "1"), "class names", ("100", "010", "001")),
        (replace(SPOTS, classes=("10", "20", "30")), ("0", "1", "2"), "class numbers from 0", ("100", "010", "001")),
        # Words of a table that pandas wrote from a column of booleans are names of classes, never their numbers.
        (Labels("multiclass", ("True", "False")), ("TRUE", "False"), "class names", ("10", "01")),
    ],
)
def test_the_only_reading_that_fits_every_cell_is_taken(
    labels: Labels, cells: tuple[str, ...], reading: str, codes: tuple[str, ...]
) -> None:
    found = resolved(labels, *cells)
    assert found.reading == reading
    assert tuple(map(found.code, cells)) == codes


@pytest.mark.parametrize(
    ("labels", "cells", "words"),
    [
        (
            SPOTS,
            ("1", "2"),
            "train.csv, line 2: label '1' is NV if the cells are class numbers from 0, but MEL if the cells are class "
            "numbers from 1; set dataset.labels.first_number to 0 or 1",
        ),
        (
            replace(SPOTS, classes=("3", "2", "1")),
            ("1", "2", "3"),
            "train.csv, line 2: label '1' is 1 if the cells are class names, but 3 if the cells are class numbers from "
            "1; set dataset.labels.cells to names or numbers",
        ),
        (
            replace(SPOTS, classes=("2", "1", "0")),
            ("1", "0"),
            "train.csv, line 3: label '0' is 0 if the cells are class names, but 2 if the cells are class numbers from "
            "0; set dataset.labels.cells to names or numbers",
        ),
        (
            PAIR,
            ("0|1", "1|0"),
            "train.csv, line 2: label '0|1' is left, right if the cells are class numbers from 0, but right if the "
            "cells are one 0 or 1 for each class; set dataset.labels.cells to numbers or flags",
        ),
        (
            replace(SPOTS, classes=("1", "2", "3")),
            ("1", "2"),
            "train.csv, line 2: label '1' is 1 if the cells are class names, but 2 if the cells are class numbers from "
            "0, but 1 if the cells are class numbers from 1; set dataset.labels.cells to names or numbers and "
            "dataset.labels.first_number to 0 or 1",
        ),
    ],
)
def test_cells_that_have_two_meanings_are_refused_with_both(labels: Labels, cells: tuple[str, ...], words: str) -> None:
    with pytest.raises(FoldlineError) as caught:
        resolved(labels, *cells)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cells": "names"}, None),
        ({"cells": "numbers", "first_number": 0}, "010"),
        ({"cells": "numbers", "first_number": 1}, "100"),
        ({"first_number": 0}, "010"),
        ({"first_number": 1}, "100"),
    ],
)
def test_the_configuration_decides(changes: dict[str, Any], code: str | None) -> None:
    found = resolved(replace(SPOTS, **changes), "1", "2")
    if code:
        assert found.code("1") == code
    else:
        with pytest.raises(FoldlineError, match="contains '1', which is not a class; the classes are MEL, NV, BCC"):
            found.code("1")


@pytest.mark.parametrize(
    ("cells", "wrong", "words"),
    [
        (("MEL", "NV", "1"), "1", "which is not a class; the classes are MEL, NV, BCC"),
        (("0", "1", "2", "NV"), "NV", "which is not a class number from 0 to 2"),
        (("0", "1", "2", "3"), "3", "which is not a class number from 0 to 2"),
        (("0", "0.5", "1", "2"), "0.5", "which is not a class number from 0 to 2"),
    ],
)
def test_a_cell_that_does_not_fit_the_others_is_refused(cells: tuple[str, ...], wrong: str, words: str) -> None:
    """Names and numbers in one column, half grades, numbers out of range: no class is guessed."""
    found = resolved(SPOTS, *cells)
    with pytest.raises(FoldlineError, match=f"contains '{wrong}', {words}"):
        found.code(wrong)


def test_binary_labels_have_one_reading() -> None:
    assert resolved(BINARY_LABELS, "1", "0") == BINARY_LABELS


def test_a_resolved_reading_is_kept() -> None:
    found = resolved(SPOTS, "0", "1", "2")
    assert resolved(found, "1", "2") == found


@pytest.mark.parametrize(
    ("train", "external", "words"),
    [
        (
            "123",
            "012",
            "train.csv, line 4: label '3', where the cells are class numbers from 1; old.csv, line 2: label '0', where "
            "the cells are class numbers from 0: no reading of dataset.labels fits all tables; write the labels",
        ),
        (
            "121",
            ["NV", "MEL"],
            "train.csv, line 2: label '1', where the cells are class numbers from 0 or class numbers from 1; old.csv, "
            "line 2: label 'NV', where the cells are class names: no",
        ),
    ],
)
def test_tables_that_need_different_readings_are_both_named(train: str, external: list[str], words: str) -> None:
    tables = [
        {cell: f"{table}, line {number}" for number, cell in enumerate(dict.fromkeys(cells), start=2)}
        for table, cells in (("train.csv", train), ("old.csv", external))
    ]
    with pytest.raises(FoldlineError) as caught:
        resolve_together(SPOTS, tables)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


def test_an_external_set_may_have_words_of_its_own() -> None:
    with pytest.raises(FoldlineError) as caught:
        resolve_together(SPOTS, [{"0": "train.csv, line 2", "1": ""}, {"1": "old.csv, line 3", "3": ""}], ["", "old"])
    assert str(caught.value).endswith(
        ", or set dataset.external.old.labels to the class of each of its words, such as {1: MEL, 3: BCC}"
    )


def test_a_table_may_leave_open_what_another_one_says() -> None:
    assert resolve_together(SPOTS, [{"1": "a", "2": "b"}, {"3": "c"}]).reading == "class numbers from 1"
    assert resolve_together(SPOTS, [{"0": "a", "scar": "b"}, {"0": "c"}]).reading == "class numbers from 0"
    assert resolve_together(SPOTS, [{"MEL": "a"}, {}]).reading == "class names"


def test_a_remedy_names_the_class_that_a_wrong_label_resembles() -> None:
    labels = Labels("multiclass", ("nevus", "melanomaa"), cells="names")
    assert remedy(labels, ["melanoma", "other"]).startswith(
        "'melanoma' (did you mean 'melanomaa'?); the cells are read"
    )
    assert remedy(labels, ["other"]).startswith("the cells are read as class names")
