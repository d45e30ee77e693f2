"""The submission has the form of the sample, or is not written."""

from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.submission import check_submission, read_sample, write_submission


def test_written_in_the_order_and_with_the_header_of_the_sample(tmp_path: Path) -> None:
    """Row 13 corrected: no row of the sample can vanish."""
    (tmp_path / "sample.csv").write_bytes(b'\xef\xbb\xbfimage,"p, melanoma"\r\nb,0\r\n007,0.5\r\n\r\na,0\r\n')
    header, ids = read_sample(tmp_path / "sample.csv", n_classes=1)
    assert (header, ids) == (["image", "p, melanoma"], ["b", "007", "a"])
    values = np.array([[0.1 + 0.2], [1e-7], [1.0]])
    write_submission(tmp_path / "submission.csv", header=header, ids=ids, values=values)
    assert (tmp_path / "submission.csv").read_bytes() == (
        b'image,"p, melanoma"\nb,0.30000000000000004\n007,1e-07\na,1.0\n'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns none; a sample submission for this task has the id and 1 prediction column"),
        ("id\na\n", "columns id; a sample submission"),
        ("id,x,y\na,0,0\n", "columns id, x, y; a sample submission"),
        ("id,x\n", "the sample submission has no rows"),
        ("id,x\na,0\nb\n", "line 3: 1 cells where the header has 2"),
        ("id,x\n ,0\n", "line 2: the id is empty"),
        ("id,x\na,0\nb,0\na,0\n", "id 'a' stands in line 2 and again in line 4"),
    ],
)
def test_samples_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(FoldlineError, match=words):
        read_sample(tmp_path / "sample.csv", n_classes=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.001, 1.001])
def test_values_that_no_submission_holds(value: float, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"the value of id b is not in \[0, 1\]"):
        write_submission(
            tmp_path / "submission.csv", header=["id", "x"], ids=["a", "b"], values=np.array([[0.5], [value]])
        )
    assert list(tmp_path.iterdir()) == []


def test_a_value_too_few() -> None:
    with pytest.raises(FoldlineError, match="values for 2 ids and columns id, x"):
        check_submission(["id", "x"], ["a", "b"], np.array([[0.5]]))
