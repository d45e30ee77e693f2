"""The submission copies ids, order and header of the sample submission."""

from pathlib import Path

import pytest
from foldline.dataset.submission import check_values, read_sample, write_submission
from foldline.errors import FoldlineError


def test_a_submission_has_the_order_and_the_header_of_the_sample(tmp_path: Path) -> None:
    """Row 13 corrected: no row of the sample can vanish."""
    (tmp_path / "sample.csv").write_bytes(b'\xef\xbb\xbfimage,"p, melanoma"\r\nb,0\r\n007,0.5\r\n\r\na,0\r\n')
    sample = read_sample(tmp_path / "sample.csv", id_column="image", columns=["p, melanoma"])
    assert (sample.header, sample.ids) == (["image", "p, melanoma"], ["b", "007", "a"])
    write_submission(
        tmp_path / "submission.csv", sample=sample, columns=["p, melanoma"], cells=[[0.1 + 0.2], [1e-7], [1.0]]
    )
    assert (tmp_path / "submission.csv").read_bytes() == (
        b'image,"p, melanoma"\nb,0.30000000000000004\n007,1e-07\na,1.0\n'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns none, but this configuration submits id, x"),
        ("id\na\n", "columns id, but this configuration submits id, x"),
        ("id,x,y\na,0,0\n", "columns id, x, y, but"),
        ("id,x\n", "the sample submission has no rows"),
        ("id,x\na,0\nb\n", "line 3: 1 cells, but the header has 2"),
        ("id,x\n ,0\n", "line 2: the id is empty"),
        ("id,x\na,0\nb,0\na,0\n", "id 'a' occurs in line 2 and in line 4"),
    ],
)
def test_invalid_samples_are_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(FoldlineError, match=words):
        read_sample(tmp_path / "sample.csv", id_column="id", columns=["x"])


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
