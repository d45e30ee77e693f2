"""Cells become codes, or are refused with what is allowed."""

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

# The classes of the protein atlas.
ATLAS = (
    *("Nucleoplasm", "Nuclear Membrane", "Nucleoli", "Nucleoli Fibrillar Center", "Nuclear Speckles", "Nuclear Bodies"),
    *("Endoplasmic Reticulum", "Golgi Apparatus", "Intermediate Filaments", "Actin Filaments", "Microtubules"),
    *("Mitotic Spindle", "Centrosome", "Plasma Membrane", "Mitochondria", "Aggresome", "Cytosol", "Vesicles"),
    "Negative",
)
CELLS = Labels("multilabel", ATLAS, exclusive="Negative")
SPOTS = Labels("multiclass", ("mole", "melanoma", "other"))


def test_a_binary_cell_is_its_own_code() -> None:
    assert [BINARY_LABELS.code(text) for text in ("0", "1", " 1.0", "0.0 ")] == ["0", "1", "1", "0"]
    assert BINARY_LABELS.class_names("target") == ["target"]
    assert BINARY_LABELS.text("1") == "1"


def test_numbers_joined_by_the_separator_are_the_nineteen_classes() -> None:
    """Row 15."""
    code = CELLS.code("12|16")
    assert len(code) == 19
    assert names_of(code, ATLAS) == ["Centrosome", "Cytosol"]
    assert CELLS.code("16 | 12") == CELLS.code("Cytosol|Centrosome") == CELLS.code("16.0|12") == code
    assert CELLS.text(code) == "Centrosome|Cytosol"
    assert CELLS.code(CELLS.text(code)) == code
    assert CELLS.code("18") == "0" * 18 + "1"


def test_one_class_by_name_or_number() -> None:
    assert [SPOTS.code(text) for text in ("mole", "1", "2.0")] == ["100", "010", "001"]
    assert (SPOTS.activation, CELLS.activation, BINARY_LABELS.activation) == ("softmax", "sigmoid", "sigmoid")


def test_names_that_are_numbers_are_names() -> None:
    grades = Labels("multiclass", ("3", "2", "1"))
    assert [grades.code(text) for text in ("3", "1")] == ["100", "001"]
    with pytest.raises(FoldlineError, match=r"names no class in '0'; the classes are 3, 2, 1$"):
        grades.code("0")


def test_an_empty_cell_is_a_sample_without_a_class_where_that_is_allowed() -> None:
    assert dataclasses.replace(CELLS, empty=True).code(" ") == "0" * 19
    with pytest.raises(FoldlineError, match=r"is empty; see dataset\.labels\.empty"):
        CELLS.code("")


@pytest.mark.parametrize(
    ("labels", "text", "words"),
    [
        (BINARY_LABELS, "2", "is not 0 or 1"),
        (CELLS, "12|19", "names no class in '19'; the classes are Nucleoplasm, .* or 0 to 18"),
        (CELLS, "12|", "names no class in ''"),
        (CELLS, "12|Centrosome", "names Centrosome more than once"),
        (CELLS, "3|18", "has 'Negative' beside another class"),
        (CELLS, "-1", "names no class in '-1'"),
        (SPOTS, "0|1", r"names no class in '0\|1'"),
        (SPOTS, "", "is empty; each sample has one class"),
    ],
)
def test_what_a_cell_cannot_hold(labels: Labels, text: str, words: str) -> None:
    with pytest.raises(FoldlineError, match=words):
        labels.code(text)


def test_integers_of_a_record_are_numbers_or_a_yes_or_no_for_each_class() -> None:
    assert CELLS.code(CELLS.cell_from_values([12, 16])) == CELLS.code("12|16")
    assert CELLS.code(CELLS.cell_from_values([0] * 18 + [1])) == CELLS.code("Negative")
    assert SPOTS.code(SPOTS.cell_from_values([1])) == "010"
    assert SPOTS.code(SPOTS.cell_from_values([0, 1, 0])) == "010"


def test_a_wrong_cell_is_named_with_table_line_and_id(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ID,Label\na,12|16\nb,3|99\n")
    with pytest.raises(FoldlineError, match=r"train\.csv, line 3: label '3\|99' \(column Label\) of id 'b' names no"):
        read_rows(tmp_path / "train.csv", Columns("ID", "Label", None, labels=CELLS))


def test_a_table_of_labels_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ID,Label\na,12|16\nb,18\n")
    rows = read_rows(tmp_path / "train.csv", Columns("ID", "Label", None, labels=CELLS))
    assert label_array([row.target for row in rows], ATLAS).nonzero()[1].tolist() == [12, 16, 18]


def test_codes_and_arrays_are_each_others_reverse() -> None:
    labels = np.random.default_rng(0).integers(0, 2, (20, 5))
    codes = label_codes(labels)
    assert all(is_code(code, 5) for code in codes)
    assert (label_array(codes, list("abcde")) == labels).all()
    assert label_array([], ["a", "b"]).shape == (0, 2)
    with pytest.raises(FoldlineError, match="label '01' is no text of 5 times 0 or 1"):
        label_array(["01"], list("abcde"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (Labels("binary", ("a", "b")), "kind is binary, which has no classes"),
        (Labels("multilabel", ("a",)), "name at least two classes"),
        (Labels("multilabel", ("a|b", "c")), r"classes has 'a\|b'; a name is printable, without '\|'"),
        (Labels("multiclass", ("a ", "c")), "classes has 'a '"),
        (Labels("multiclass", ("a", "c"), empty=True), "empty and exclusive say nothing"),
        (Labels("multilabel", ("a", "c"), exclusive="d"), "exclusive is 'd', not one of the classes a, c"),
    ],
)
def test_sections_that_cannot_be(labels: Labels, words: str) -> None:
    with pytest.raises(FoldlineError, match=f"config: dataset.labels.*{words}"):
        check_labels(labels)


def test_good_sections() -> None:
    for labels in (BINARY_LABELS, CELLS, SPOTS, Labels("multiclass", ("a|b", "c"))):
        check_labels(labels)


def test_reading_labels_needs_the_standard_library_only() -> None:
    code = "import sys, foldline.dataset.labels, foldline.dataset.submission; sys.exit('numpy' in sys.modules)"
    environment = {"PYTHONPATH": str(REPOSITORY / "scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
