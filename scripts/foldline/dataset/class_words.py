"""How a submission of predicted classes writes them: by name or by number, and from which number on.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foldline.errors import FoldlineError, listing

NAMES, NUMBERS, AUTO = "names", "numbers", "auto"
# First numbers that are recognized in cells; another one has to be set.
FIRST_NUMBERS = (0, 1)
# What decided, in words.
SAMPLE, TRAINING = "as in the sample submission", "as in the training labels"
CONFIG = "as set in dataset.submission.words"


@dataclass(frozen=True)
class ClassWords:
    """How classes are written.

    Attributes:
        words: `NAMES` or `NUMBERS`.
        first_number: number of the first class, for `NUMBERS`.
        source: what decided it: `SAMPLE`, `TRAINING` or `CONFIG`.
    """

    words: str
    first_number: int = 0
    source: str = ""

    def texts(self, class_names: Sequence[str]) -> list[str]:
        """Text of each class, (n_classes,)."""
        if self.words == NAMES:
            return list(class_names)
        return [str(self.first_number + index) for index in range(len(class_names))]

    def __str__(self) -> str:
        """In words: "names" or "numbers from 0"."""
        return self.words if self.words == NAMES else f"{NUMBERS} from {self.first_number}"


BY_NAME = ClassWords(NAMES)


@dataclass(frozen=True)
class SampleCells:
    """The cells of a sample submission in the column of the predicted classes.

    Attributes:
        path: path or URL of the sample submission.
        cells: the cells, (n_samples,).
        separator: text between two classes of a cell; "" if a cell is one class.
    """

    path: str
    cells: Sequence[str]
    separator: str

    @property
    def decide(self) -> bool:
        """Whether the cells differ; equal ones only fill the column."""
        return len(set(self.cells) - {""}) > 1

    @property
    def classes(self) -> list[str]:
        """The different texts that stand for classes, sorted."""
        return sorted({text for cell in set(self.cells) for text in self._texts(cell)})

    @property
    def repeated(self) -> str:
        """A cell that has a text twice, as a list of flags has; "" if there is none."""
        return next((cell for cell in self.cells if len(set(self._texts(cell))) < len(self._texts(cell))), "")

    def _texts(self, cell: str) -> list[str]:
        """Texts that stand for the classes of a cell."""
        texts = cell.split(self.separator) if self.separator else [cell]
        return [_whole(text.strip()) for text in texts if text.strip()]


def decide_words(
    section: ClassWords | None, class_names: Sequence[str], *, sample: SampleCells, training: ClassWords | None
) -> ClassWords:
    """Decide how the predicted classes of a submission are written.

    The cells of the sample submission decide if they differ and can be read in one way; else the way in which the
    training labels are written.

    Args:
        section: what the configuration says, with a first number of -1 if it does not say that; None if it says
            nothing.
        class_names: (n_classes,).
        sample: the sample submission.
        training: how the training labels are written; None if it is not known.

    Raises:
        FoldlineError: nothing decides, or the cells of the sample submission are no classes.
    """
    if section is not None and (section.words == NAMES or section.first_number >= 0):
        return section
    if sample.decide and sample.repeated:
        raise FoldlineError(
            f"{sample.path}: the cell {sample.repeated!r} has a class twice, but the form labels writes each predicted "
            "class of a row once; set dataset.submission.words and first_number to write classes all the same, or "
            "dataset.submission.form to columns for a column of each class"
        )
    candidates = _candidates(section, class_names)
    fitting = [words for words in candidates if set(sample.classes) <= set(words.texts(class_names))]
    if not sample.decide:
        # One class, in every row, is a filling. If it is a name, the rows do have names, though.
        by_name = NAMES in [words.words for words in fitting] and not any(text.isdecimal() for text in sample.classes)
        fitting = fitting if by_name and sample.classes else candidates
    elif not fitting:
        raise FoldlineError(
            f"{sample.path}: the classes in the sample submission ({listing(sample.classes)}) are not "
            f"{_either(candidates, class_names)}; set dataset.submission.words to names or numbers, and "
            "dataset.submission.separator to the text between two classes"
        )
    elif len(fitting) == 1:
        return ClassWords(fitting[0].words, fitting[0].first_number, SAMPLE)
    if training is not None and _same(training, fitting):
        return ClassWords(training.words, training.first_number, TRAINING)
    if section is not None and not sample.decide:
        return ClassWords(NUMBERS, 0, CONFIG)
    raise FoldlineError(_ambiguous(sample, fitting, class_names, training))


def has_numbers(class_names: Iterable[str]) -> bool:
    """Whether a class name is itself a number, so that numbers of classes would be misread."""
    return any(name.isdecimal() for name in class_names)


def _candidates(section: ClassWords | None, class_names: Sequence[str]) -> list[ClassWords]:
    numbers = [ClassWords(NUMBERS, first) for first in FIRST_NUMBERS]
    if section is not None:
        return numbers
    return [ClassWords(NAMES)] if has_numbers(class_names) else [ClassWords(NAMES), *numbers]


def _same(words: ClassWords, others: Sequence[ClassWords]) -> bool:
    return any((words.words, words.first_number) == (other.words, other.first_number) for other in others)


def _either(candidates: Sequence[ClassWords], class_names: Sequence[str]) -> str:
    """The ways to write classes, with an example of each: "names (nevus) or numbers from 0 (0 to 2)"."""
    texts = [(words, words.texts(class_names)) for words in candidates]
    shown = [
        f"{words} ({listing(texts, limit=3) if words.words == NAMES else f'{texts[0]} to {texts[-1]}'})"
        for words, texts in texts
    ]
    return " or ".join(shown)


def _ambiguous(
    sample: SampleCells, fitting: Sequence[ClassWords], class_names: Sequence[str], training: ClassWords | None
) -> str:
    # Without cells there may be no sample submission of the user.
    cells = "dataset.submission.form is labels, and the predicted classes"
    if sample.classes:
        cells = f"{sample.path}: the classes in the sample submission ({listing(sample.classes)})"
    written = f", and the training labels are {training}" if training else ""
    return (
        f"{cells} may be {_either(fitting, class_names)}{written}; set dataset.submission.words to "
        "names or numbers, and with numbers dataset.submission.first_number to the number of the first class"
    )


def _whole(text: str) -> str:
    """A whole number that pandas wrote as 3.0 as it is meant."""
    whole, dot, zeros = text.partition(".")
    return whole if dot and whole.isdecimal() and not zeros.strip("0") else text
