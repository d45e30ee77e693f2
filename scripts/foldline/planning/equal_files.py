"""Equal image files of several rows with different labels: the same pixels cannot have two labels."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

from foldline.dataset.labels import names_of
from foldline.dataset.soft_labels import hard_code
from foldline.errors import FoldlineError, counted, listing
from foldline.planning.dataset_section import class_names_of, is_made_table
from foldline.planning.dataset_splits import TEST
from foldline.planning.raw_data import RawData
from foldline.splits.leak_policy import ERROR

CONTRADICTIONS = "contradictions"
# Files, and rows of one, that a message names.
MOST_FILES, MOST_ROWS = 3, 4


class _Place(NamedTuple):
    split: str
    row: int


def find_contradictions(leaks: Mapping[str, Any], data: RawData, dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Find labeled rows whose image files have the same bytes, but whose labels differ.

    Soft labels differ if another class has the largest share, as in the leak audit, which finds equal pixels of other
    files as well.

    Args:
        leaks: the section of the configuration.
        data: the data.
        dataset: the section of the configuration, with the classes that were found.

    Returns:
        Under `CONTRADICTIONS` the warning, in words; empty if there is none.

    Raises:
        FoldlineError: there are such rows, and `leaks.contradictory_labels` is "error".
    """
    labeled = {split: samples.contents for split, samples in data.splits.items() if split != TEST}
    counts = Counter(chain.from_iterable(labeled.values()))
    rows: dict[str, list[_Place]] = defaultdict(list)
    for split, contents in labeled.items():
        for row, content in enumerate(contents):
            if content and counts[content] > 1:
                rows[content].append(_Place(split, row))
    found = [same for same in rows.values() if len({_code(data, place) for place in same}) > 1]
    if not found:
        return {}
    shown = "; ".join(_text(same, data, dataset) for same in found[:MOST_FILES])
    rest = f"; and {len(found) - MOST_FILES} more" if len(found) > MOST_FILES else ""
    images = counted(len(found), "image")
    text = f"{images} with different labels in several rows: {shown}{rest}; correct the labels or remove the rows"
    if leaks["contradictory_labels"] == ERROR:
        raise FoldlineError(f"{text}, or set leaks.contradictory_labels to report")
    return {CONTRADICTIONS: [f"{text}; to refuse such rows, set leaks.contradictory_labels to error"]}


def _code(data: RawData, place: _Place) -> str:
    return hard_code(data.splits[place.split].rows.target[place.row])


def _text(same: list[_Place], data: RawData, dataset: Mapping[str, Any]) -> str:
    """The files of equal images, and their rows: one of each label first."""
    first = {_code(data, place): place for place in reversed(same)}
    ordered = sorted(same, key=lambda place: (first[_code(data, place)] != place, same.index(place)))
    paths = list(dict.fromkeys(filter(None, (_path(data, place) for place in ordered))))
    of_splits: dict[str, list[_Place]] = defaultdict(list)
    for place in ordered[:MOST_ROWS]:
        of_splits[place.split].append(place)
    told = "; ".join(
        f"{'' if is_made_table(dataset, split) else f'{data.tables[split]}: '}"
        f"{listing([_row(data, place, dataset) for place in places])}"
        for split, places in of_splits.items()
    )
    rest = f" and {counted(len(same) - MOST_ROWS, 'more row')}" if len(same) > MOST_ROWS else ""
    files = f"{listing(paths, limit=2)}{' (equal files)' if len(paths) > 1 else ''}, " if paths else ""
    return f"{files}{told}{rest}"


def _path(data: RawData, place: _Place) -> str:
    """The first file of a row; "" if it is not known."""
    samples = data.splits[place.split]
    if samples.files:
        return samples.files[place.row]
    paths = samples.images["path"]
    return str(paths[place.row * (len(paths) // len(samples))]) if len(paths) else ""


def _row(data: RawData, place: _Place, dataset: Mapping[str, Any]) -> str:
    """Where a row is, and its label."""
    rows = data.splits[place.split].rows
    names, code = class_names_of(dataset), _code(data, place)
    label = code if len(names) == 1 else " and ".join(names_of(code, names)) or "no class"
    line = "" if is_made_table(dataset, place.split) else f"line {rows.line[place.row]}, "
    return f"{line}id {rows.id[place.row]!r} ({label})"
