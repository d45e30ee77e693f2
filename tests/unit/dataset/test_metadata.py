"""Metadata as numbers: by the training rows, by the vocabulary, missing values marked; the same inside tf.data."""

import numpy as np
import pytest
from foldline.dataset.metadata import Encoding, fit_encoding, problem_of
from foldline.errors import FoldlineError
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.runtime.tensorflow import tf

READ = {
    "age": {"kind": "numeric", "vocabulary": [], "missing": ["0"]},
    "site": {"kind": "categorical", "vocabulary": ["arm", "leg", "torso"], "missing": ["-1"]},
}
ROWS = {"age": ["40", "", "60.0", "50", "0"], "site": ["arm", "leg", "", "torso", "-1"]}


def test_numbers_are_scaled_by_the_training_rows_and_missing_values_marked() -> None:
    """Row 4 corrected: age scaled, missing flags, the vocabulary from the config."""
    encoding = fit_encoding(READ, ROWS)
    deviation = np.std([40, 60, 50])
    expected = [
        [-10 / deviation, 0, 1, 0, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [10 / deviation, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
        [0, 1, 0, 0, 0, 1],
    ]
    found = [encoding.encode({name: ROWS[name][row] for name in ROWS}) for row in range(5)]
    np.testing.assert_allclose(found, expected)
    assert encoding.width == 6


def test_other_training_rows_scale_otherwise() -> None:
    first, second = (fit_encoding(READ, {**ROWS, "age": ages}).columns[0] for ages in (["40", "60"], ["40", "80"]))
    assert (first.mean, second.mean) == (50, 60)


def test_the_pipeline_gives_the_same_vectors() -> None:
    encoding = fit_encoding(READ, ROWS)
    rows = tf.data.Dataset.from_tensor_slices(ROWS)
    expected = [encoding.encode({name: ROWS[name][row] for name in ROWS}) for row in range(5)]
    found = [metadata_vector(row, encoding) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    inside = list(rows.map(lambda row: metadata_vector(row, encoding)).as_numpy_iterator())
    np.testing.assert_array_equal(inside, found)
    assert inside[0].dtype == np.float32


def test_an_encoding_goes_through_json() -> None:
    encoding = fit_encoding(READ, ROWS)
    assert Encoding.from_json(encoding.as_json()) == encoding


def test_equal_numbers_are_not_divided_by_nothing() -> None:
    assert fit_encoding(READ, {**ROWS, "age": ["7", "7"]}).columns[0].encode("7") == [0, 0]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("old", "age", "'old', not a finite number"),
        ("inf", "age", "'inf'"),
        ("head", "site", "'head', not in the vocabulary"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, column: str, said: str) -> None:
    assert said in problem_of(text, READ[column])
    with pytest.raises(FoldlineError, match=column):
        fit_encoding(READ, ROWS).encode({"age": "1", "site": "arm", column: text})


def test_a_stranger_inside_the_pipeline_is_an_error() -> None:
    encoding = fit_encoding(READ, ROWS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="site"):
        metadata_vector({"age": tf.constant("1"), "site": tf.constant("head")}, encoding)


def test_absent_columns_and_columns_without_values_are_refused() -> None:
    with pytest.raises(FoldlineError, match="no metadata column 'age'; there are site"):
        fit_encoding(READ, {"site": ROWS["site"]})
    with pytest.raises(FoldlineError, match="'age' has no value"):
        fit_encoding(READ, {**ROWS, "age": ["", "0"]})
