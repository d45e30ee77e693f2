"""No sample may be in two splits: neither a TFRecord file nor an id, unless a test image of that id is another one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from foldline.dataset.cell_values import composed
from foldline.errors import counted, listing, problems_error
from foldline.io import storage
from foldline.planning.dataset_section import record_patterns
from foldline.planning.dataset_splits import TEST, key_of, splits_of

# Ids of each two splits that a message names.
MOST_IDS = 5


def check_record_files(dataset: Mapping[str, Any]) -> None:
    """Refuse TFRecord files that the patterns of two splits match, before they are read.

    Raises:
        FoldlineError: names the patterns and the files.
    """
    patterns = {split: record_patterns(dataset, split) or [] for split in splits_of(dataset)}
    files = {
        split: {file for pattern in some for file in storage.find_files(dataset["root"], pattern)}
        for split, some in patterns.items()
        if some
    }
    problems = []
    for first, second in combinations(files, 2):
        shared = sorted(files[first] & files[second])
        if shared:
            one, other = (f"{key_of(split, 'records')} [{listing(patterns[split])}]" for split in (first, second))
            problems.append(
                f"config: {one} and {other} both match {counted(len(shared), 'file')}: {listing(shared, limit=3)}; "
                "change the patterns so that a file is in one split"
            )
    if problems:
        raise problems_error(problems)


@dataclass(frozen=True)
class SplitIds:
    """The ids of a split.

    Attributes:
        ids: (n_rows,).
        contents: (n_rows,), see `samples.Sample.content`; None if the images could not be read.
        place: gives where the user finds an id: the line of a table, or a file.
    """

    ids: Sequence[str]
    contents: Sequence[str] | None
    place: Callable[[str], str]


def check_ids_of_splits(splits: Mapping[str, SplitIds]) -> None:
    """Refuse samples that are in two splits.

    Ids of labeled rows are unique. A test row may have the id of another image: public sets number the images of each
    folder from 1.

    Args:
        splits: ids of each split, whatever else is wrong with it.

    Raises:
        FoldlineError: an id is in two labeled splits, or has the same images in both splits.
    """
    rows = {
        split: {name: row for row, name in reversed(list(enumerate(_composed(found.ids))))}
        for split, found in splits.items()
    }
    problems = []
    for first, second in combinations(splits, 2):
        shared = sorted(rows[first].keys() & rows[second].keys())
        if not shared:
            continue
        one, other = ([_content(splits[split], rows[split][name]) for name in shared] for split in (first, second))
        equal = {name: a == b if a and b else None for name, a, b in zip(shared, one, other, strict=True)}
        if TEST in (first, second):
            shared = [name for name in shared if equal[name]]
        for is_equal, remedy in _REMEDIES.items():
            names = [name for name in shared if equal[name] is is_equal]
            if not names:
                continue
            rows_of = [splits[split].ids[rows[split][names[0]]] for split in (first, second)]
            where = " and ".join(splits[split].place(row) for split, row in zip((first, second), rows_of, strict=True))
            more = f" (and {len(names) - 1} more: {listing(names[1:], limit=MOST_IDS)})" if names[1:] else ""
            problems.append(f"{where}: id {names[0]} in both the {first} and the {second} split{more}; {remedy}")
    if problems:
        raise problems_error(problems)


# By whether the images of the two rows are equal, if that is known.
_REMEDIES = {
    True: "remove each from one of them",
    False: "the images differ: rename each in one of them",
    None: "remove each from one of them, or rename it if the images differ",
}


def _content(found: SplitIds, row: int) -> str:
    return found.contents[row] if found.contents is not None else ""


def _composed(ids: Sequence[str]) -> Sequence[str]:
    """The ids in one spelling of their accents, in which two that look alike are equal."""
    return ids if all(map(str.isascii, ids)) else list(map(composed, ids))
