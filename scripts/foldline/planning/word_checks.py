"""Checks of the words of a configuration that stand for cells: class names, vocabularies and missing words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foldline.dataset.cell_values import canonical, is_missing, missing_words
from foldline.errors import did_you_mean, listing
from foldline.planning.dataset_section import labels_of


def word_problems(dataset: Mapping[str, Any]) -> Iterator[str]:
    """A line for each list of words that no cell can have, or that are one value.

    Classes and words of a vocabulary must not count as missing, words of a vocabulary must be different values, and
    `dataset.labels.absent` must list classes.

    Args:
        dataset: the `dataset` section of the completed configuration.
    """
    missing, classes = missing_words(dataset["missing"]), labels_of(dataset).classes
    yield from _missing_problems("dataset.labels.classes", classes, missing, "dataset.missing")
    for column, section in dataset["metadata"].items():
        where, words = f"dataset.metadata.{column}", section["vocabulary"]
        yield from _missing_problems(f"{where}.vocabulary", words, missing, "dataset.missing")
        own = tuple(map(str, section["missing"]))
        yield from _missing_problems(f"{where}.vocabulary", words, own, f"{where}.missing")
        values = [canonical(word) for word in words]
        repeated = [word for word, value in zip(words, values, strict=True) if values.count(value) > 1]
        if repeated:
            yield f"config: {where}.vocabulary has {listing(repeated)}, which are one value; keep one of them"
    unknown = [name for name in dataset["labels"]["absent"] if name not in classes]
    if unknown:
        shown = listing([f"{name}{did_you_mean(name, classes)}" for name in unknown])
        yield f"config: dataset.labels.absent has {shown}, not one of dataset.labels.classes; correct or remove it"


def _missing_problems(where: str, words: Sequence[str], missing: tuple[str, ...], key: str) -> Iterator[str]:
    """A line for words whose cells would count as missing."""
    wrong = [word for word in words if is_missing(word, missing)]
    if wrong:
        yield (
            f"config: {where} has {listing([repr(word) for word in wrong])}, but such cells count as missing; remove "
            f"the word there, or set {key} to a list without it, such as ['', NaN]"
        )
