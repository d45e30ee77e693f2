"""Labels of an external set, which are written in its own words.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from foldline.dataset.cell_values import canonical, number
from foldline.dataset.labels import FLAGS, MULTILABEL, Labels
from foldline.errors import FoldlineError, closest, did_you_mean, listing

# Our class of each word of a set, in its canonical spelling; None for words whose rows are left out.
Words = Mapping[str, str | None]


class NoClassError(FoldlineError):
    """A word stands for what is none of our classes; the check of the configuration reports it, see `class_problem`."""


def class_problem(words: Words, labels: Labels, key: str) -> str:
    """The problem of words that stand for what is none of our classes; "" if there is none, or no class is known yet.

    Args:
        words: see `Words`.
        labels: our labels.
        key: the key of the configuration that has the words.
    """
    names = _names(labels)
    wrong = _without_class(words, names)
    if not wrong:
        return ""
    shown = listing([f"{word}: {words[word]}{did_you_mean(str(words[word]), names)}" for word in wrong])
    return f"config: {key} has {shown}, but the classes are {listing(names, limit=30)}; use one of them, or null"


def _names(labels: Labels) -> tuple[str, ...]:
    """Our class names in canonical spelling; none of classes that are read from the training rows later."""
    return tuple(map(canonical, labels.classes or (() if labels.lists_classes else ("0", "1"))))


def _without_class(words: Words, names: Sequence[str]) -> list[str]:
    return [word for word, label in words.items() if names and label is not None and canonical(label) not in names]


def left_out_by(text: str, words: Words, labels: Labels) -> str | None:
    """The word of a cell by which its row is left out; None if the row stays."""
    return next((word for word in _words_of(text, labels) if word in words and words[word] is None), None)


def own_label_code(text: str, words: Words, labels: Labels) -> str:
    """Label code of a cell of an external set, see `labels`.

    Args:
        text: a word of `words` or one of our class names (0 or 1 without classes), or several with the separator
            between them if `labels` are "multilabel". The one class of a soft label has all of it.
        words: see `Words`; none of them may leave the row out.
        labels: our labels. How cells of other tables are read does not matter.

    Raises:
        FoldlineError: a word is neither in `words` nor one of our classes, or as `Labels.code`.
        NoClassError: a word of `words` stands for none of our classes.
    """
    names = labels.classes or ("0", "1")
    index_of = {canonical(name): index for index, name in enumerate(names)}
    indices = set()
    for word in filter(None, _words_of(text, labels)):
        index = index_of.get(canonical(str(words.get(word, word))))
        if index is None and word in words:
            raise NoClassError(f"has {word!r}, which `labels` gives none of the classes {listing(names, limit=30)}")
        if index is None:
            close = closest(word, [*words, *index_of])
            hint = _yaml_hint(word, words) or ("" if close is None else f"; did you mean {close!r}?")
            classes = listing(names, limit=30)
            raise FoldlineError(f"has {word!r}, which is neither in `labels` nor one of the classes {classes}{hint}")
        indices.add(index)
    if not labels.classes:
        if not indices:
            raise FoldlineError("is empty")
        return labels.code(str(indices.pop()))
    flags = ["1" if index in indices else "0" for index in range(len(names))]
    return replace(labels, cells=FLAGS).code(labels.separator.join(flags) if indices else "")


def _yaml_hint(word: str, words: Words) -> str:
    """What to write if YAML has read the key that was meant for a word as another value; "" if it has not."""
    meant = word.casefold()
    read = "true" if meant in ("yes", "on", "y") else "false" if meant in ("no", "off", "n") else None
    if read is not None and canonical(read) in words:
        return f"; YAML reads the key {word} without quotes as {read}, so write it in quotes, as '{word}'"
    value = number(word)
    if value is not None and (same := [key for key in words if number(key) == value]):
        return f"; YAML reads the key {word} without quotes as {same[0]}, so write it in quotes, as '{word}'"
    return ""


def _words_of(text: str, labels: Labels) -> list[str]:
    """Words of a cell, in canonical spelling."""
    return [canonical(word) for word in (text.split(labels.separator) if labels.kind == MULTILABEL else [text])]
