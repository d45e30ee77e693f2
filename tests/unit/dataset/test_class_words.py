"""Predicted classes are written as the sample submission writes them, or else as the training labels are written."""

from dataclasses import replace

import pytest
from foldline.dataset.class_words import CONFIG, NAMES, NUMBERS, SAMPLE, TRAINING, ClassWords, SampleCells, decide_words
from foldline.errors import FoldlineError

COLORS, DIGITS, TENS = ("red", "green", "blue"), ("1", "2", "3"), ("10", "20", "30")
BY_NAME, FROM_0, FROM_1 = ClassWords(NAMES), ClassWords(NUMBERS, 0), ClassWords(NUMBERS, 1)
OPEN_NUMBERS = ClassWords(NUMBERS, -1, CONFIG)


def decided(
    cells: list[str],
    training: ClassWords | None = None,
    *,
    names: tuple[str, ...] = COLORS,
    separator: str = "|",
    section: ClassWords | None = None,
) -> ClassWords:
    return decide_words(section, names, sample=SampleCells("sample.csv", cells, separator), training=training)


def test_texts_of_classes() -> None:
    assert BY_NAME.texts(COLORS) == ["red", "green", "blue"]
    assert FROM_0.texts(COLORS) == ["0", "1", "2"]
    assert FROM_1.texts(COLORS) == ["1", "2", "3"]
    assert [str(words) for words in (BY_NAME, FROM_0, FROM_1)] == ["names", "numbers from 0", "numbers from 1"]


@pytest.mark.parametrize("training", [BY_NAME, FROM_0, FROM_1, None], ids=str)
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["red", "blue"], BY_NAME),
        (["red|blue", "", "red"], BY_NAME),
        (["0", "1"], FROM_0),
        (["0.0", "2.0"], FROM_0),
        (["2|0", "1"], FROM_0),
        (["3", "1"], FROM_1),
        (["1|2|3", "2"], FROM_1),
    ],
)
def test_cells_that_can_be_read_in_one_way_decide(
    cells: list[str], words: ClassWords, training: ClassWords | None
) -> None:
    assert decided(cells, training) == ClassWords(words.words, words.first_number, SAMPLE)


@pytest.mark.parametrize("training", [BY_NAME, FROM_0, FROM_1], ids=str)
@pytest.mark.parametrize(
    "cells", [["", ""], ["0", "0"], ["1", "1", ""], ["7", "7"], ["0 1 eNoLCAgI", "0 1 eNoLCAgI"]], ids="_".join
)
def test_empty_and_equal_cells_leave_it_to_the_training_labels(cells: list[str], training: ClassWords) -> None:
    assert decided(cells, training, separator=" ") == ClassWords(training.words, training.first_number, TRAINING)


def test_numbers_that_fit_twice_are_told_apart_by_the_training_labels() -> None:
    for training in (FROM_0, FROM_1):
        assert decided(["1", "2"], training) == ClassWords(NUMBERS, training.first_number, TRAINING)


def test_classes_that_are_numbers_are_written_as_they_are_called() -> None:
    for cells in (["1", "1"], ["1", "3"], ["", ""], ["2.0", "3.0"]):
        assert decided(cells, BY_NAME, names=DIGITS).texts(DIGITS) == ["1", "2", "3"]
    assert decided(["10", "30"], None, names=TENS) == ClassWords(NAMES, 0, SAMPLE)


@pytest.mark.parametrize(
    ("cells", "training", "names", "message"),
    [
        (["1", "2"], BY_NAME, COLORS, r"\(1, 2\) may be numbers from 0 \(0 to 2\) or numbers from 1 \(1 to 3\), and"),
        (["1", "2"], None, COLORS, r"\(1, 2\) may be numbers from 0 \(0 to 2\) or numbers from 1 \(1 to 3\); set"),
        (["red", "red"], FROM_0, COLORS, r"\(red\) may be names \(red, green, blue\), and the training labels are num"),
        (
            ["", ""],
            None,
            COLORS,
            r"predicted classes may be names \(red, green, blue\) or numbers from 0 \(0 to 2\) or numbers",
        ),
        (
            ["0", "3"],
            FROM_0,
            COLORS,
            r"\(0, 3\) are not names \(red, green, blue\) or numbers from 0 \(0 to 2\) or",
        ),
        (["red", "1"], FROM_0, COLORS, r"\(1, red\) are not names"),
        (["0", "1"], BY_NAME, DIGITS, r"\(0, 1\) are not names \(1, 2, 3\); set"),
        (["0", "1"], BY_NAME, TENS, r"\(0, 1\) are not names"),
        (["0.25", "0.5"], BY_NAME, COLORS, r"\(0\.25, 0\.5\) are not names"),
    ],
)
def test_what_stays_ambiguous_is_refused(
    cells: list[str], training: ClassWords | None, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(
        FoldlineError, match=f"^(sample.csv: |dataset.submission.form is labels).*{message}.*dataset.submission.words"
    ) as caught:
        decided(cells, training, names=names)
    assert "\n" not in str(caught.value)


def test_the_configuration_decides_first() -> None:
    for section in (ClassWords(NAMES, -1, CONFIG), ClassWords(NUMBERS, 7, CONFIG)):
        assert decided(["0", "1"], FROM_1, section=section) is section


@pytest.mark.parametrize(
    ("cells", "training", "words"),
    [
        (["1", "3"], BY_NAME, ClassWords(NUMBERS, 1, SAMPLE)),
        (["0", "0"], FROM_1, ClassWords(NUMBERS, 1, TRAINING)),
        (["red", "red"], FROM_1, ClassWords(NUMBERS, 1, TRAINING)),
        (["0", "0"], BY_NAME, ClassWords(NUMBERS, 0, CONFIG)),
    ],
)
def test_the_first_number_is_found_if_only_numbers_are_set(
    cells: list[str], training: ClassWords, words: ClassWords
) -> None:
    assert decided(cells, training, section=OPEN_NUMBERS) == words


def test_set_numbers_with_cells_that_fit_twice_are_refused() -> None:
    with pytest.raises(FoldlineError, match=r"dataset\.submission\.first_number"):
        decided(["1", "2"], BY_NAME, section=OPEN_NUMBERS)


def test_a_cell_of_one_class_is_not_split() -> None:
    assert decided(["a|b", "c"], None, names=("a|b", "c"), separator="") == ClassWords(NAMES, 0, SAMPLE)


@pytest.mark.parametrize("cells", [["1|0|0", "0|1|0"], ["0|0", "1|0"], ["red|red", "blue"]])
def test_a_class_twice_in_a_cell_is_no_list_of_predicted_classes(cells: list[str]) -> None:
    with pytest.raises(FoldlineError, match=r"the cell '.*' has a class twice.*set dataset\.submission\.words"):
        decided(cells)
    assert decided(cells, section=FROM_0) == FROM_0


def test_a_filling_decides_nothing_whatever_it_is() -> None:
    assert decided(["0|0", "0|0"], BY_NAME) == replace(BY_NAME, source=TRAINING)
