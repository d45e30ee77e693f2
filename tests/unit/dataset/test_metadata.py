"""Encoded metadata: scaled by the training rows, one-hot by the vocabulary."""

import numpy as np
import pytest
from foldline.dataset.metadata import Encoding, MetadataColumnConfig, fit_encoding
from foldline.errors import FoldlineError
from foldline.io.settings import build

CONFIGS = {
    "age": MetadataColumnConfig("numeric", (), ("0",)),
    "site": MetadataColumnConfig("categorical", ("arm", "leg", "torso"), ("-1",)),
}


ROWS = {"age": ["40", "", "60.0", "50", "0"], "site": ["arm", "leg", "", "torso", "-1"]}


def test_numbers_are_scaled_and_missing_values_are_marked() -> None:
    """Row 4 corrected: age scaled, missing flags, the vocabulary from the config."""
    encoding = fit_encoding(CONFIGS, ROWS)
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


def test_the_scale_depends_on_the_training_rows() -> None:
    first, second = (fit_encoding(CONFIGS, {**ROWS, "age": ages}).columns[0] for ages in (["40", "60"], ["40", "80"]))
    assert (first.mean, second.mean) == (50, 60)


def test_a_column_config_is_read_from_the_configuration() -> None:
    section = {"kind": "categorical", "vocabulary": ["arm", "leg", "torso"], "missing": ["-1"]}
    assert MetadataColumnConfig.from_config(section) == build(MetadataColumnConfig, section) == CONFIGS["site"]


def test_an_encoding_is_read_back_from_json() -> None:
    encoding = fit_encoding(CONFIGS, ROWS)
    assert Encoding.from_json(encoding.as_json()) == encoding


def test_equal_numbers_become_zero() -> None:
    assert fit_encoding(CONFIGS, {**ROWS, "age": ["7", "7"]}).columns[0].encode("7") == [0, 0]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("old", "age", "'old', not a finite number"),
        ("inf", "age", "'inf'"),
        ("head", "site", "'head', not in the vocabulary"),
    ],
)
def test_invalid_values_are_reported(text: str, column: str, words: str) -> None:
    assert words in CONFIGS[column].problem(text)
    with pytest.raises(FoldlineError, match=column):
        fit_encoding(CONFIGS, ROWS).encode({"age": "1", "site": "arm", column: text})


def test_a_column_that_is_absent_or_has_no_values_is_refused() -> None:
    with pytest.raises(FoldlineError, match="no metadata column 'age'; the table has site"):
        fit_encoding(CONFIGS, {"site": ROWS["site"]})
    with pytest.raises(FoldlineError, match="'age' has only missing values"):
        fit_encoding(CONFIGS, {**ROWS, "age": ["", "0"]})
