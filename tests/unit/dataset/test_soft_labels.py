"""Soft labels have a code of their own, which keeps its value and counts as one class where a class is needed."""

import numpy as np
import pytest
from foldline.dataset.label_arrays import hard_labels, is_label_code, label_array, share_array
from foldline.dataset.labels import Labels, check_labels, is_code
from foldline.dataset.soft_labels import class_count, hard_code, is_soft, is_tied, shares_of, soft_code, stored_code
from foldline.errors import FoldlineError

CLASSES = Labels("soft", ("a", "b", "c"))
NAMES = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("0.2|0.3|0.5", "0.2 0.3 0.5"),
        ("2|3|5", "0.2 0.3 0.5"),
        ("1|1|1", "0.3333333 0.3333333 0.3333333"),
        ("0|7|0", "0.0 1.0 0.0"),
        ("1e-05|0.99999| 0 ", "1e-05 0.99999 0.0"),
        (".33|.33|.33", "0.3333333 0.3333333 0.3333333"),
        ("2.0|1.0|1", "0.5 0.25 0.25"),
    ],
)
def test_a_cell_of_shares_or_votes_has_a_code_with_the_sum_1(cell: str, code: str) -> None:
    assert CLASSES.code(cell) == code
    assert CLASSES.code(CLASSES.text(code)) == code
    assert is_soft(code)
    assert is_label_code(code, 3)
    assert not is_code(code, 3)
    assert class_count(code) == 3
    assert abs(sum(shares_of(code)) - 1) < 1e-6


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "is empty; each sample needs a share of each class"),
        ("1|2", "is not a list of 3 numbers, one for each class"),
        (
            "0,7|0,2|0,1",
            "has '0,7' for a, '0,2' for b, '0,1' for c, which is not a number of at least 0; write 0,7 as 0.7",
        ),
        ("70%|30|0", "has '70%' for a, which is not a number of at least 0; write 70% as 0.7"),
        ("1|-2|3", "has '-2' for b, which is not a number of at least 0"),
        ("1|nan|x", "has 'nan' for b, 'x' for c, which is not a number of at least 0"),
        (
            "0.9|0.8|0.1",
            "has a sum of 1.8, but probabilities have a sum of 1, and votes are whole numbers; divide the values of "
            "each sample by their sum if they are shares of one label; regression is not supported",
        ),
        (
            "39.07|41.7|0",
            "has a sum of 80.77, but probabilities have a sum of 1, and votes are whole numbers; divide the values of "
            "each sample by their sum if they are shares of one label; regression is not supported",
        ),
        ("0|0|0.0", "has a sum of 0, so no class has a share"),
    ],
)
def test_a_cell_that_is_no_soft_label_is_refused(cell: str, words: str) -> None:
    with pytest.raises(FoldlineError) as error:
        CLASSES.code(cell)
    assert str(error.value) == words


@pytest.mark.parametrize("cell", ["1.01", "-0.1", "x", "2"])
def test_a_single_class_needs_a_probability(cell: str) -> None:
    with pytest.raises(FoldlineError, match="is not a probability from 0 to 1"):
        Labels("soft").code(cell)


@pytest.mark.parametrize(
    ("code", "hard", "tied"),
    [
        ("0.2 0.3 0.5", "001", False),
        ("0.4 0.4 0.2", "100", True),
        ("0.2 0.4 0.4", "010", True),
        ("0.3", "0", False),
        ("0.5", "0", True),
        ("0.5000001", "1", False),
        ("1.0", "1", False),
    ],
)
def test_a_soft_label_counts_as_its_largest_share_and_a_tie_as_the_first(code: str, hard: str, tied: bool) -> None:
    assert (hard_code(code), is_tied(code)) == (hard, tied)
    names, activation = NAMES[: len(hard)], "softmax" if len(hard) > 1 else "sigmoid"
    assert label_array([code], names).tolist() == [[int(bit) for bit in hard]]
    shares = share_array([code], names)
    assert shares is not None
    assert hard_labels(shares, activation).tolist() == label_array([code], names).tolist()


def test_other_codes_stay_as_they_are() -> None:
    assert [hard_code(code) for code in ("", "1", "0101")] == ["", "1", "0101"]
    assert share_array(["010", "100"], NAMES) is None
    labels = np.random.default_rng(0).integers(0, 2, (9, 3)).astype(np.float32)
    assert (hard_labels(labels, "sigmoid") == labels).all()


def test_shares_survive_float32() -> None:
    random = np.random.default_rng(1)
    for values in random.dirichlet([0.3] * 4, 200):
        code = soft_code([repr(float(value)) for value in values], list("abcd"))
        shares = share_array([code], list("abcd"))
        assert shares is not None
        assert stored_code(shares[0].astype(float).tolist()) == code


def test_activation_follows_from_the_classes() -> None:
    assert (Labels("soft").activation, CLASSES.activation) == ("sigmoid", "softmax")
    assert Labels("soft").class_names("y") == ["y"]
    check_labels(Labels("soft"))
    check_labels(CLASSES)
