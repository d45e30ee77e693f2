"""Cells become label codes, or an error says what is allowed."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixtures.project import REPOSITORY
from foldline.dataset.label_arrays import label_array, label_codes
from foldline.dataset.labels import BINARY_LABELS, Labels, check_labels, is_code, names_of
from foldline.dataset.sample_table import Columns, read_rows
from foldline.errors import FoldlineError

# The classes of the Human Protein Atlas.
ATLAS = (
    *("Nucleoplasm", "Nuclear Membrane", "Nucleoli", "Nucleoli Fibrillar Center", "Nuclear Speckles", "Nuclear Bodies"),
    *("Endoplasmic Reticulum", "Golgi Apparatus", "Intermediate Filaments", "Actin Filaments", "Microtubules"),
    *("Mitotic Spindle", "Centrosome", "Plasma Membrane", "Mitochondria", "Aggresome", "Cytosol", "Vesicles"),
    "Negative",
)
CELLS = Labels("multilabel", ATLAS, exclusive="Negative")
SPOTS = Labels("multiclass", ("mole", "melanoma", "other"))


def test_a_binary_cell_is_a_code() -> None:
    assert [BINARY_LABELS.code(text) for text in ("0", "1", " 1.0", "0.0 ")] == ["0", "1", "1", "0"]
    assert BINARY_LABELS.class_names("target") == ["target"]
    assert BINARY_LABELS.text("1") == "1"


def test_class_numbers_joined_by_the_separator_are_read() -> None:
    """Row 15."""
    code = CELLS.code("12|16")
    assert len(code) == 19
    assert names_of(code, ATLAS) == ["Centrosome", "Cytosol"]
    assert CELLS.code("16 | 12") == CELLS.code("Cytosol|Centrosome") == CELLS.code("16.0|12") == code
    assert CELLS.text(code) == "Centrosome|Cytosol"
    assert CELLS.code(CELLS.text(code)) == code
    assert CELLS.code("18") == "0" * 18 + "1"


def test_a_multiclass_cell_is_a_name_or_a_number() -> None:
    assert [SPOTS.code(text) for text in ("mole", "1", "2.0")] == ["100", "010", "001"]
    assert (SPOTS.activation, CELLS.activation, BINARY_LABELS.activation) == ("softmax", "sigmoid", "sigmoid")


def test_class_names_that_are_numbers_are_read_as_names() -> None:
    grades = Labels("multiclass", ("3", "2", "1"))
    assert [grades.code(text) for text in ("3", "1")] == ["100", "001"]
    with pytest.raises(FoldlineError, match=r"contains '0', which is not a class; the classes are 3, 2, 1$"):
        grades.code("0")


def test_an_empty_cell_is_read_only_if_it_is_allowed() -> None:
    assert dataclasses.replace(CELLS, empty=True).code(" ") == "0" * 19
    with pytest.raises(FoldlineError, match=r"is empty; set dataset\.labels\.empty to true"):
        CELLS.code("")


@pytest.mark.parametrize(
    ("labels", "text", "words"),
    [
        (BINARY_LABELS, "2", "is not 0 or 1"),
        (CELLS, "12|19", "contains '19', which is not a class; the classes are Nucleoplasm, .* or 0 to 18"),
        (CELLS, "12|", "contains '', which is not a class"),
        (CELLS, "12|Centrosome", "contains Centrosome more than once"),
        (CELLS, "3|18", "contains 'Negative' together with another class"),
        (CELLS, "-1", "contains '-1', which is not a class"),
        (SPOTS, "0|1", r"contains '0\|1', which is not a class"),
        (SPOTS, "", "is empty; each sample has one class"),
    ],
)
def test_an_invalid_cell_is_refused(labels: Labels, text: str, words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        labels.code(text)


def test_integers_of_a_record_are_class_numbers_or_one_bit_for_each_class() -> None:
    assert CELLS.code(CELLS.cell_from_values([12, 16])) == CELLS.code("12|16")
    assert CELLS.code(CELLS.cell_from_values([0] * 18 + [1])) == CELLS.code("Negative")
    assert SPOTS.code(SPOTS.cell_from_values([1])) == "010"
    assert SPOTS.code(SPOTS.cell_from_values([0, 1, 0])) == "010"


def test_an_invalid_cell_is_reported_with_table_line_and_id(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ID,Label\na,12|16\nb,3|99\n")
    with pytest.raises(
        FoldlineError, match=r"train\.csv, line 3: label '3\|99' \(column Label\) of id 'b' contains '99'"
    ):
        read_rows(tmp_path / "train.csv", Columns("ID", "Label", None, labels=CELLS))


def test_a_table_of_multilabel_cells_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ID,Label\na,12|16\nb,18\n")
    rows = read_rows(tmp_path / "train.csv", Columns("ID", "Label", None, labels=CELLS))
    assert label_array([row.target for row in rows], ATLAS).nonzero()[1].tolist() == [12, 16, 18]


def test_label_arrays_and_codes_are_inverse() -> None:
    labels = np.random.default_rng(0).integers(0, 2, (20, 5))
    codes = label_codes(labels)
    assert all(is_code(code, 5) for code in codes)
    assert (label_array(codes, list("abcde")) == labels).all()
    assert label_array([], ["a", "b"]).shape == (0, 2)
    with pytest.raises(FoldlineError, match="label code '01' does not have one 0 or 1 for each of 5 classes"):
        label_array(["01"], list("abcde"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (Labels("binary", ("a", "b")), "kind is binary, which has no classes"),
        (Labels("multilabel", ("a",)), "name at least two classes"),
        (
            Labels("multilabel", ("a|b", "c")),
            r"classes has 'a\|b'; a class name is .* without the separator '\|'",
        ),
        (Labels("multiclass", ("a ", "c")), "classes has 'a '"),
        (Labels("multiclass", ("a", "c"), empty=True), "remove empty and exclusive"),
        (Labels("multilabel", ("a", "c"), exclusive="d"), "exclusive is 'd', not one of the classes a, c"),
    ],
)
def test_contradictory_sections_are_refused(labels: Labels, words: str) -> None:
    with pytest.raises(FoldlineError, match=f"config: dataset.labels.*{words}"):
        check_labels(labels)


@pytest.mark.parametrize("labels", [BINARY_LABELS, CELLS, SPOTS, Labels("multiclass", ("a|b", "c"))])
def test_valid_sections_are_accepted(labels: Labels) -> None:
    assert check_labels(labels) is None


def test_labels_import_only_the_standard_library() -> None:
    code = "import sys, foldline.dataset.labels, foldline.dataset.submission; sys.exit('numpy' in sys.modules)"
    environment = {"PYTHONPATH": str(REPOSITORY / "scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
