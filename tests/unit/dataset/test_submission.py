"""The submission copies ids, order and header of the sample submission."""

from pathlib import Path

import pytest
from foldline.dataset.class_words import NUMBERS, TRAINING, ClassWords
from foldline.dataset.submission import (
    SubmissionForm,
    check_sample_ids,
    check_values,
    read_sample,
    write_submission,
)
from foldline.errors import FoldlineError, SeveralProblemsError


def test_a_submission_has_the_order_and_the_header_of_the_sample(tmp_path: Path) -> None:
    """Row 13 corrected: no row of the sample can vanish."""
    (tmp_path / "sample.csv").write_bytes(b'\xef\xbb\xbfimage,"p, melanoma"\r\nb,0\r\n007,0.5\r\n\r\na,0\r\n')
    sample = read_sample(tmp_path / "sample.csv", id_column="image", columns=["p, melanoma"])
    assert (list(sample.columns), sample.ids) == (["image", "p, melanoma"], ["b", "007", "a"])
    write_submission(
        tmp_path / "submission.csv", sample=sample, columns=["p, melanoma"], cells=[[0.1 + 0.2], [1e-7], [1.0]]
    )
    assert (tmp_path / "submission.csv").read_bytes() == (
        b'image,"p, melanoma"\nb,0.30000000000000004\n007,1e-07\na,1.0\n'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id\na\n", "no column x; it has id, but this configuration submits id, x"),
        ("id,x,y,y\na,0,0,0\n", r"a column name occurs twice \(y\) in id, x, y, y"),
        ("id,x,,\na,0,0,0\n", "several columns of the sample submission have no name"),
        ("id,x\n", "the table has a header and no rows"),
        ("x,id\n0,a\n0\n0,b\n0,c,1\n", "line 3: 1 cell; line 5: 3 cells; the header has 2"),
    ],
)
def test_invalid_samples_are_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(FoldlineError, match=words):
        read_sample(tmp_path / "sample.csv", id_column="id", columns=["x"])


def test_all_ids_that_cannot_be_told_apart_are_refused_together(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,x\n ,0\na,0\n,0\n./a,0\nb,0\n")
    sample = read_sample(tmp_path / "sample.csv", id_column="id", columns=["x"])
    with pytest.raises(SeveralProblemsError) as error:
        check_sample_ids(sample)
    empty, repeated = error.value.problems
    assert "line 2: the id is empty; line 4: the id is empty; every row needs the id of a test row" in empty
    assert "line 5: id 'a' is also in line 3; keep one row of each id" in repeated


def test_further_columns_are_copied_where_they_are(tmp_path: Path) -> None:
    """Of the protein-atlas competition: ID, ImageWidth, ImageHeight, PredictionString."""
    (tmp_path / "sample.csv").write_text('width,id,x,note\n007,b,0,"one, two"\n3.0,a,0,\n')
    sample = read_sample(tmp_path / "sample.csv", id_column="id", columns=["x"])
    assert (sample.copied, sample.suspects) == (["width", "note"], [])
    write_submission(tmp_path / "submission.csv", sample=sample, columns=["x"], cells=[["2|3"], [0.5]])
    assert (tmp_path / "submission.csv").read_text() == 'width,id,x,note\n007,b,2|3,"one, two"\n3.0,a,0.5,\n'


def test_what_the_submission_takes_from_the_sample_is_in_its_facts(tmp_path: Path) -> None:
    """The cells of the predictions are not; so the submission is stale if something else changes."""
    facts = {}
    for name, text in {
        "one": "id,x,w\na,0,3\nb,0,4\n",
        "other x": "id,x,w\na,1,3\nb,2,4\n",
        "other w": "id,x,w\na,0,3\nb,0,5\n",
        "other order": "id,x,w\nb,0,4\na,0,3\n",
        "other header": "id,w,x\na,3,0\nb,4,0\n",
    }.items():
        (tmp_path / "sample.csv").write_text(text)
        facts[name] = read_sample(tmp_path / "sample.csv", id_column="id", columns=["x"]).facts()
    assert facts.pop("other x") == facts["one"] == ["id", "x", "w", "a", "b", "3", "4"]
    assert len({tuple(values) for values in facts.values()}) == 4


def test_a_copied_column_of_one_value_may_be_a_forgotten_class(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,x,y\na,0,0.5\nb,0,0.5\n")
    assert read_sample(tmp_path / "sample.csv", id_column="id", columns=["x"]).suspects == ["y"]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (SubmissionForm("id", ("x",), "columns"), "The submission has probabilities (column x)."),
        (
            SubmissionForm("id", ("x",), "columns", hard_labels=True),
            "The submission has 1 for predicted classes and 0 for others (column x).",
        ),
        (
            SubmissionForm("id", ("x",), "labels", class_words=ClassWords(NUMBERS, 1, TRAINING)),
            "Column x of the submission has the predicted classes as numbers from 1, as in the training labels.",
        ),
    ],
)
def test_the_form_is_described(form: SubmissionForm, text: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("id,x\na,0\n")
    assert form.description(read_sample(path, id_column="id", columns=["x"])) == text
    path.write_text("id,w,x\na,3,0\n")
    assert (
        form.description(read_sample(path, id_column="id", columns=["x"]))
        == f"{text} Copied from the sample submission: column w."
    )


def test_columns_may_be_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("y,id,x\n0,a,0\n")
    sample = read_sample(tmp_path / "sample.csv", id_column="id", columns=["x", "y"])
    write_submission(tmp_path / "submission.csv", sample=sample, columns=["x", "y"], cells=[[0.25, 0.5]])
    assert (tmp_path / "submission.csv").read_text() == "y,id,x\n0.5,a,0.25\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.001, 1.001])
def test_values_outside_0_to_1_are_refused(value: float) -> None:
    with pytest.raises(FoldlineError, match=r"the value of id b is not in \[0, 1\]"):
        check_values(["a", "b"], [[0.5], [value]])


def test_a_missing_value_is_refused() -> None:
    assert check_values(["a", "b"], [[0.5], [1.0]]) is None
    with pytest.raises(FoldlineError, match="values for 1 of 2 ids"):
        check_values(["a", "b"], [[0.5]])
