"""Cells become label codes, or an error says what is allowed."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures.project import REPOSITORY
from foldline.dataset.columns import Columns
from foldline.dataset.label_arrays import label_array, label_codes, label_names
from foldline.dataset.labels import BINARY_LABELS, Labels, check_labels, is_code, names_of
from foldline.dataset.sample_table import read_rows
from foldline.errors import FoldlineError

# The classes of the Human Protein Atlas.
ATLAS = (
    *("Nucleoplasm", "Nuclear Membrane", "Nucleoli", "Nucleoli Fibrillar Center", "Nuclear Speckles", "Nuclear Bodies"),
    *("Endoplasmic Reticulum", "Golgi Apparatus", "Intermediate Filaments", "Actin Filaments", "Microtubules"),
    *("Mitotic Spindle", "Centrosome", "Plasma Membrane", "Mitochondria", "Aggresome", "Cytosol", "Vesicles"),
    "Negative",
)
NUMBERED = Labels("multilabel", ATLAS, exclusive="Negative", cells="numbers", first_number=0)
NAMED = dataclasses.replace(NUMBERED, cells="names")
FLAGGED = dataclasses.replace(NUMBERED, cells="flags")
# Cells such as "16 0", as in the competition of 2018; the names of its classes have spaces.
SPACED = Labels("multilabel", ("Nuclear membrane", "Golgi apparatus"), " ", cells="numbers")
SPOTS = Labels("multiclass", ("mole", "melanoma", "other"), cells="names", first_number=0)


def test_a_binary_cell_is_a_code() -> None:
    texts = ("0", "1", " 1.0", "0.0 ", "True", "FALSE", "true", "1.")
    assert [BINARY_LABELS.code(text) for text in texts] == ["0", "1", "1", "0", "1", "0", "1", "1"]
    assert BINARY_LABELS.class_names("target") == ["target"]
    assert BINARY_LABELS.text("1") == "1"


@pytest.mark.parametrize(
    ("cells", "texts"), [("names", ("a;c", "a|c")), ("numbers", ("0;2", "0|2")), ("flags", ("1;0;1", "1|0|1"))]
)
def test_the_separator_is_that_of_the_configuration(cells: str, texts: tuple[str, str]) -> None:
    """Row 15, in every reading."""
    labels = Labels("multilabel", ("a", "b", "c"), ";", cells=cells, first_number=0)
    assert labels.code(texts[0]) == "101"
    assert labels.text("101") == texts[0]
    with pytest.raises(FoldlineError):
        labels.code(texts[1])


def test_class_numbers_joined_by_the_separator_are_read() -> None:
    """Row 15."""
    code = NUMBERED.code("12|16")
    assert len(code) == 19
    assert names_of(code, ATLAS) == ["Centrosome", "Cytosol"]
    assert NUMBERED.code("16 | 12") == NAMED.code("Cytosol|Centrosome") == NUMBERED.code("16.0|12") == code
    assert NAMED.text(code) == "Centrosome|Cytosol"
    assert NUMBERED.code("18") == "0" * 18 + "1"
    assert dataclasses.replace(NUMBERED, first_number=1).code("13|17") == code


@pytest.mark.parametrize(
    "labels",
    [NUMBERED, NAMED, FLAGGED, dataclasses.replace(NUMBERED, first_number=1)],
    ids=lambda labels: labels.reading,
)
def test_the_text_of_a_code_has_this_code(labels: Labels) -> None:
    code = NUMBERED.code("12|16")
    assert labels.code(labels.text(code)) == code


def test_a_multiclass_cell_is_a_name_a_number_or_a_flag_for_each_class() -> None:
    assert [SPOTS.code(text) for text in ("mole", " other ")] == ["100", "001"]
    numbered = dataclasses.replace(SPOTS, cells="numbers")
    assert [numbered.code(text) for text in ("0", "1", "2.0")] == ["100", "010", "001"]
    flagged = dataclasses.replace(SPOTS, cells="flags")
    assert [flagged.code(text) for text in ("1|0|0", "0.0|1.0|0.0", "0|0|1")] == ["100", "010", "001"]
    assert (SPOTS.activation, NAMED.activation, BINARY_LABELS.activation) == ("softmax", "sigmoid", "sigmoid")


def test_class_names_that_are_numbers_are_read_by_their_value() -> None:
    grades = Labels("multiclass", ("0.0", "0.5", "1.0", "2.0"), cells="names", first_number=0)
    assert [grades.code(text) for text in ("0", "0.5", "1", "2.0")] == ["1000", "0100", "0010", "0001"]
    with pytest.raises(FoldlineError, match=r"contains '3', which is not a class; the classes are 0.0, 0.5, 1.0, 2.0$"):
        grades.code("3")


def test_an_empty_cell_is_read_only_if_it_is_allowed() -> None:
    for labels in (NUMBERED, NAMED, FLAGGED):
        assert dataclasses.replace(labels, empty=True).code(" ") == "0" * 19
        with pytest.raises(FoldlineError, match=r"is empty; set dataset\.labels\.empty to true"):
            labels.code("")
    assert dataclasses.replace(FLAGGED, empty=True).code("|".join("0" * 19)) == "0" * 19


@pytest.mark.parametrize(
    ("labels", "text", "words"),
    [
        (BINARY_LABELS, "2", "is not 0 or 1"),
        (BINARY_LABELS, "0.5", "is not 0 or 1"),
        (NUMBERED, "12|19", "contains '19', which is not a class number from 0 to 18"),
        (dataclasses.replace(NUMBERED, first_number=1), "0", "contains '0', which is not a class number from 1 to 19"),
        (NUMBERED, "12|", "contains '', which is not a class"),
        (NUMBERED, "12|12.0", "contains Centrosome more than once"),
        (NUMBERED, "3|18", "contains 'Negative' together with another class"),
        (NUMBERED, "-1", "contains '-1', which is not a class"),
        (NUMBERED, "0.5", "contains '0.5', which is not a class number"),
        (NUMBERED, "True", "contains 'True', which is not a class number"),
        (NUMBERED, "1_0", "contains '1_0', which is not a class number"),
        (NUMBERED, "Cytosol", "contains 'Cytosol', which is not a class number"),
        (NAMED, "16", "contains '16', which is not a class; the classes are Nucleoplasm, "),
        (NAMED, "Cytosol|Cytosol", "contains Cytosol more than once"),
        (FLAGGED, "1|0", "is not a list of 19 values of 0 or 1"),
        (FLAGGED, "|".join("2" * 19), "is not a list of 19 values of 0 or 1"),
        (FLAGGED, "|".join("1" * 19), "contains 'Negative' together with another class"),
        (FLAGGED, "|".join("0" * 19), "has no class; set dataset.labels.empty"),
        (dataclasses.replace(SPOTS, cells="flags"), "1|1|0", "has 2 classes; each sample has one class"),
        (SPOTS, "0|1", r"contains '0\|1', which is not a class"),
        (SPOTS, "", "is empty; each sample has one class"),
    ],
)
def test_an_invalid_cell_is_refused(labels: Labels, text: str, words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        labels.code(text)


def test_integers_of_a_record_are_a_cell() -> None:
    assert NUMBERED.code(NUMBERED.cell_from_values([12, 16])) == NUMBERED.code("12|16")
    assert FLAGGED.code(FLAGGED.cell_from_values([0] * 18 + [1])) == NAMED.code("Negative")


def test_an_invalid_cell_is_reported_with_table_line_and_id(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ID,Label\na,12|16\nb,3|99\n")
    with pytest.raises(
        FoldlineError, match=r"train\.csv, line 3: label '3\|99' \(column Label\) of id 'b' contains '99'"
    ):
        read_rows(tmp_path / "train.csv", Columns("ID", "Label", None, labels=NUMBERED))


def test_a_table_of_multilabel_cells_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ID,Label\na,12|16\nb,18\n")
    rows = read_rows(tmp_path / "train.csv", Columns("ID", "Label", None, labels=NUMBERED))
    assert label_array([row.target for row in rows], ATLAS).nonzero()[1].tolist() == [12, 16, 18]


def test_label_arrays_and_codes_are_inverse() -> None:
    labels = np.random.default_rng(0).integers(0, 2, (20, 5))
    codes = label_codes(labels)
    assert all(is_code(code, 5) for code in codes)
    assert (label_array(codes, list("abcde")) == labels).all()
    assert label_array([], ["a", "b"]).shape == (0, 2)
    with pytest.raises(
        FoldlineError, match="label code '01' does not have one 0 or 1, or one share, for each of 5 classes"
    ):
        label_array(["01"], list("abcde"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (Labels("soft", ("a", "b"), empty=True), "kind is soft, so every sample has a share of each class; remove"),
        (Labels("soft", ("a", "b"), cells="names"), "kind is soft, so every sample has a share of each class; remove"),
        (Labels("soft", ("a", "b"), separator="."), "separator is '.', which is part of numbers; set it to the text"),
        (Labels("soft", ("a",)), "kind is soft; name at least two classes"),
        (Labels("binary", ("a", "b")), "kind is binary, which has no classes"),
        (Labels("multilabel", ("a",)), "name at least two classes"),
        (
            Labels("multilabel", ("a|b", "c")),
            r"classes has 'a\|b'; a class name is .* without the separator '\|'",
        ),
        (
            dataclasses.replace(SPACED, cells="auto"),
            "classes has 'Nuclear membrane'; a class name is .* without the sep",
        ),
        (Labels("multiclass", ("a ", "c")), "classes has 'a '"),
        (Labels("multiclass", ("a", "c"), empty=True), "remove empty and exclusive"),
        (Labels("multiclass", ("1", "2", "1.0")), "classes has 1, 1.0, which are one value"),
        (Labels("multilabel", ("a", "c"), exclusive="d"), "exclusive is 'd', not one of the classes a, c"),
        (Labels("multilabel", ("None", "c"), exclusive="none"), r"the classes None, c \(did you mean 'None'\?\)"),
    ],
)
def test_contradictory_sections_are_refused(labels: Labels, words: str) -> None:
    with pytest.raises(FoldlineError, match=f"config: dataset.labels.*{words}"):
        check_labels(labels)


@pytest.mark.parametrize("labels", [BINARY_LABELS, NUMBERED, SPOTS, Labels("multiclass", ("a|b", "c")), SPACED])
def test_valid_sections_are_accepted(labels: Labels) -> None:
    assert check_labels(labels) is None


def test_labels_import_only_the_standard_library() -> None:
    code = "import sys, foldline.dataset.labels, foldline.dataset.submission; sys.exit('numpy' in sys.modules)"
    environment = {"PYTHONPATH": str(REPOSITORY / "scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_labels_are_named_for_people() -> None:
    names = ["er", "golgi, x", "actin"]
    assert label_names(["100", "011", "000"], names) == ["er", "golgi, x|actin", ""]
    # The first of equal shares, as in folds and metrics.
    assert label_names(["0.25 0.5 0.25", "0.5 0.0 0.5"], names) == ["golgi, x", "er"]
    assert label_names(["0", "1", "0.7"], ["mark"]) == ["0", "1", "1"]
