"""Classes and vocabularies that the configuration does not name, as the labeled rows have them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from foldline.dataset.cell_values import canonical, is_missing, number, sorted_words, whole_number
from foldline.dataset.labels import MULTICLASS, Labels
from foldline.dataset.metadata import CATEGORICAL, MetadataColumnConfig
from foldline.errors import FoldlineError, counted, listing
from foldline.planning.dataset_section import class_folder_pattern, class_names_of, labels_of, target_of
from foldline.planning.image_patterns import CLASS
from foldline.planning.listed_classes import check_lists, check_one_hot
from foldline.planning.samples import Samples

CLASSES, VOCABULARIES = "classes", "vocabularies"
MOST_WORDS = 1000
# More values than `MOST_RARE` with less than `RARE` rows in the median are no classes, and neither are more whole
# numbers than `MOST_CODES` with gaps, if one has less than `FEW_ROWS` rows.
MOST_RARE, RARE = 10, 3
MOST_CODES, FEW_ROWS = 20, 5
# Largest ratio of the numbers from the first to the last class to the numbers that occur.
MOST_ABSENT = 1.05
NAME_CLASSES = "name the classes in dataset.labels.classes"


def needs_classes(dataset: Mapping[str, Any]) -> bool:
    """Whether the classes have to be found in the data."""
    labels = labels_of(dataset)
    return labels.lists_classes and not labels.classes


def with_found_words(dataset: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The section `dataset` with the words that were found.

    Args:
        dataset: the section.
        found: under `CLASSES` the names of the classes, under `VOCABULARIES` the words of columns; each may be absent.
    """
    labels = {**dataset["labels"], **({"classes": list(found[CLASSES])} if CLASSES in found else {})}
    words = found.get(VOCABULARIES, {})
    metadata = {
        name: {**section, "vocabulary": list(words[name])} if name in words else section
        for name, section in dataset["metadata"].items()
    }
    return {**dataset, "labels": labels, "metadata": metadata}


def found_classes(
    dataset: Mapping[str, Any], cells: Mapping[str, str], *, rows: Mapping[str, int], n_rows: int
) -> list[str]:
    """The different classes of the training rows: numbers by their value, or names in alphabetical order.

    Args:
        dataset: the section.
        cells: every label cell that is not missing, with the place where it occurs first.
        rows: number of training rows of each of these cells.
        n_rows: number of training rows.

    Raises:
        FoldlineError: there are too few or too many, they are so rare that they look like ids or counts, some differ
            only in case or are lists of others, or cells are measurements or flags.
    """
    of_folders = dataset["class_folders"] is not None
    labels, where = labels_of(dataset), f"column {target_of(dataset)} (dataset.target_column)"
    where = "dataset.class_folders" if of_folders else where
    first: dict[str, str] = {}
    has_lists = False
    for text, place in cells.items():
        words = _tokens(labels, text)
        has_lists |= len(words) > 1
        if labels.kind == MULTICLASS:
            check_one_hot(text, labels.separator, f"{place}: label {text!r} in {where}")
        if len(set(words)) < len(words):
            raise FoldlineError(
                f"{place}: label {text!r} in {where} repeats a class, or is a list of 0 and 1; {NAME_CLASSES}"
            )
        for word in words:
            # A number with leading zeros is a name, such as the folder 00012.
            if not word.isdigit() and whole_number(word) is None and number(word) is not None:
                raise _measurement(place, text, where, of_folders=of_folders)
            first.setdefault(word, place)
    if of_folders:
        _check_numbers(cells, where)
    else:
        check_lists(labels, first, where, has_lists=has_lists)
    if not has_lists:
        of_words = Counter[str]()
        for text in cells:
            of_words.update(dict.fromkeys(_tokens(labels, text), rows[text]))
        _check_frequent(of_words, n_rows, where, of_folders=of_folders)
    _check_case(first, where, of_folders=of_folders)
    if not 2 <= len(first) <= MOST_WORDS:
        missing = n_rows - sum(rows.values())
        of_all = f"{missing} of {counted(n_rows, 'row')} count as missing (dataset.missing)"
        also = f", and {of_all}" if missing and len(first) < 2 else ""
        change = _folder_remedy(dataset["class_folders"], len(first)) if of_folders else "correct dataset.target_column"
        raise FoldlineError(
            f"config: dataset.labels.classes is empty, so classes are the values in {where}, but it has {len(first)} "
            f"({listing(list(first)) or 'none'}){also}; there may be 2 to {MOST_WORDS}: {change}, or {NAME_CLASSES}"
        )
    return sorted_words(first)


def _measurement(place: str, text: str, where: str, *, of_folders: bool) -> FoldlineError:
    remedy = (
        f"correct dataset.class_folders, or {NAME_CLASSES}"
        if of_folders
        else f"set dataset.target_column to a column of classes, or {NAME_CLASSES}; for probabilities or votes of "
        "classes set dataset.labels.kind to soft"
    )
    return FoldlineError(
        f"{place}: label {text!r} in {where} is a measurement, not a class, and regression is not supported; {remedy}"
    )


def _folder_remedy(pattern: str, count: int) -> str:
    """What to do if so many folders are not those of classes."""
    deeper = class_folder_pattern(pattern).replace(CLASS, f"*/{CLASS}", 1)
    example = f", such as {deeper!r}" if count < 2 else ""
    return f"correct dataset.class_folders {pattern!r} so that {CLASS} is the folder of a class{example}"


def _check_frequent(rows: Mapping[str, int], n_rows: int, where: str, *, of_folders: bool) -> None:
    """Refuse values that are too rare for classes: one of a few rows cannot be trained on and held out.

    Args:
        rows: number of rows of each value.
        n_rows: number of training rows.
        where: what has the values, as the start of a message.
        of_folders: whether the values are names of folders.
    """
    are_rare = len(rows) > MOST_RARE and median(rows.values()) < RARE
    # Codes of classes are numbered through; counts, ages and ids of patients have gaps, and some are rare.
    are_counts = not of_folders and len(rows) > MOST_CODES and min(rows.values()) < FEW_ROWS and _have_gaps(rows)
    if len(rows) <= max(2, n_rows // 2) and not are_rare and not are_counts:
        return
    kind = "numbers, such as counts or ages, or ids" if all(number(word) is not None for word in rows) else "ids"
    change = "correct the path" if of_folders else "set dataset.target_column to a column of classes"
    raise FoldlineError(
        f"{where} has {counted(len(rows), 'different value')} in {counted(n_rows, 'training row')} "
        f"({listing(sorted_words(rows), limit=5)}), the rarest in {counted(min(rows.values()), 'row')}, so they look "
        f"like {kind}, not classes, and regression is not supported; {change}, or, if these are classes, {NAME_CLASSES}"
    )


def _have_gaps(words: Iterable[str]) -> bool:
    """Whether words are whole numbers that are not numbered through from 0 or 1, except for a few."""
    values = list(map(whole_number, words))
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return False
    return min(numbers) not in (0, 1) or max(numbers) + 1 > len(numbers) * MOST_ABSENT + 1


def _check_numbers(folders: Iterable[str], where: str) -> None:
    """Refuse folders that are one class because they are one number."""
    of_number: dict[str, str] = {}
    for folder in folders:
        other = of_number.setdefault(canonical(folder), folder)
        if other != folder:
            raise FoldlineError(
                f"{where}: the folders {other!r} and {folder!r} are one number; {NAME_CLASSES} if they are one class, "
                "or rename one of them"
            )


def _check_case(first: Mapping[str, str], where: str, *, of_folders: bool) -> None:
    """Refuse classes that differ only in case."""
    of_case: dict[str, str] = {}
    for word, place in first.items():
        other = of_case.setdefault(word.casefold(), word)
        if other != word:
            if of_folders:
                raise FoldlineError(
                    f"{where}: the folders {other!r} and {word!r} differ only in case; {NAME_CLASSES} if they are two "
                    "classes, or rename one of them"
                )
            raise FoldlineError(
                f"{place}: class {word!r} in {where} differs from {other!r} ({first[other]}) only in case; correct the "
                f"table, or {NAME_CLASSES}"
            )


def found_vocabularies(dataset: Mapping[str, Any], labeled: Sequence[Samples]) -> dict[str, list[str]]:
    """The different values of categorical columns without a vocabulary in the labeled rows, by column.

    Test rows do not count: a new test set must not change what is trained.

    Raises:
        FoldlineError: a column has no values, or too many.
    """
    found = {}
    for column, section in dataset["metadata"].items():
        if section["kind"] != CATEGORICAL or section["vocabulary"]:
            continue
        config, index = MetadataColumnConfig.from_config(section), dataset["metadata_columns"].index(column)
        values = {value for samples in labeled for value in samples.rows.metadata[index]}
        words = sorted_words(value for value in values if not config.is_missing(value))
        if not 1 <= len(words) <= MOST_WORDS:
            raise FoldlineError(
                f"config: dataset.metadata.{column}.vocabulary is empty, so it is read from the labeled rows, but they "
                f"have {len(words)} different values; there may be 1 to {MOST_WORDS}: set kind to numeric, list the "
                f"values, or remove {column!r} from dataset.metadata"
            )
        if same := _same_but_case(words):
            raise FoldlineError(
                f"config: dataset.metadata.{column}.vocabulary is empty, so it is read from the labeled rows, but "
                f"{listing(list(map(repr, same)))} differ only in case; correct the table, or list the values"
            )
        found[column] = words
    return found


def _same_but_case(words: Iterable[str]) -> list[str]:
    """The first words that differ only in case; none if all differ otherwise."""
    of_case: dict[str, list[str]] = {}
    for word in words:
        of_case.setdefault(word.casefold(), []).append(word)
    return next((same for same in of_case.values() if len(same) > 1), [])


def words_of(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Classes and vocabularies of a completed section, in order, under `CLASSES` and `VOCABULARIES`."""
    columns = dataset["metadata"].items()
    return {
        CLASSES: class_names_of(dataset),
        VOCABULARIES: {name: section["vocabulary"] for name, section in columns if section["kind"] == CATEGORICAL},
    }


def _tokens(labels: Labels, text: str) -> list[str]:
    """Words of a label cell."""
    tokens = [text] if labels.kind == MULTICLASS else text.split(labels.separator)
    return [word for word in map(canonical, tokens) if not is_missing(word, ())]
