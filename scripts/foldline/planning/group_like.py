"""Signs that rows belong together where the configuration names no group, so that scores would be too good."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foldline.dataset.raw_table import read_raw_table
from foldline.errors import counted, listing
from foldline.planning.dataset_section import columns_of, group_columns, is_made_table
from foldline.planning.dataset_splits import TRAIN
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Samples

# What people call a group, in the names of columns and at the start of ids.
WORDS = (
    *("patient", "subject", "lesion", "case", "slide", "study", "series", "specimen", "donor", "animal", "mouse"),
    *("person", "individual", "participant", "volunteer", "biopsy", "plate", "well"),
)
_WORD = re.compile(f"(?<![a-z])(?:{'|'.join(WORDS)})(?![a-z])", re.IGNORECASE)
_SEPARATORS = re.compile(r"[_\-./ ]+")
# Fewer groups are more likely classes, sites or years, unless a word says otherwise.
FEWEST_GROUPS, FEWEST_NAMED_GROUPS = 10, 2
# Rows per group: with fewer on average, most groups have one row.
FEWEST_ROWS = 1.5
# Standard deviations by which more values have one label than in shuffled rows.
MOST_BY_CHANCE = 6.0


def group_like(dataset: Mapping[str, Any], data: RawData) -> list[str]:
    """Say what looks like groups, in words; with a group column, which groups may be one; nothing for the example.

    Args:
        dataset: the section of the completed configuration.
        data: the data; its training rows could be read.
    """
    # The tables of the example need not exist yet.
    if dataset["example"]:
        return []
    train = data.splits[TRAIN]
    if columns := group_columns(dataset):
        return list(_same_but_case(train.rows.group, listing(columns)))
    remedy = "; rows of one group in several folds make scores too good: if they belong together, set"
    found = [f"{text}{remedy} dataset.group_column to it" for text in _columns(dataset, data.tables.get(TRAIN), train)]
    if not found and (text := _ids(train)):
        found = [f"{text}{remedy} dataset.group_column to a column with this part"]
    return found


def _same_but_case(groups: Sequence[str], columns: str) -> Iterator[str]:
    """Groups whose names differ only in case, and may be one group."""
    names: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(groups):
        names[name.casefold()].append(name)
    twice = [same for same in names.values() if len(same) > 1]
    if twice:
        yield (
            f"{counted(len(twice), 'group')} of {columns} (dataset.group_column) in several spellings that differ only "
            f"in case, such as {listing(list(map(repr, twice[0])))}, which count as different groups; if they are one, "
            "their rows may be in several folds, which makes scores too good: write them in one way"
        )


def _columns(dataset: Mapping[str, Any], table: str | None, train: Samples) -> Iterator[str]:
    """The columns whose values repeat like those of groups."""
    read = dict(zip(dataset["metadata_columns"], train.rows.metadata, strict=True))
    if table and not is_made_table(dataset, TRAIN) and dataset["row_per_class"] is None:
        columns = columns_of(dataset, TRAIN)
        header = read_raw_table(table, [columns.id], separator=columns.separator).header
        others = [name for name in header if _is_named(name) and name not in columns.required()]
        if others:
            raw = read_raw_table(table, others, separator=columns.separator)
            read |= {name: [columns.value(cell) for cell in raw.columns[name]] for name in others}
    for name, values in read.items():
        named = _is_named(name)
        if _repeats(values, named=named) and (named or _share_labels(values, train.rows.target)):
            different = counted(len(set(values) - {""}), "value")
            yield f"column {name} has {different} in {counted(len(values), 'row')}, and looks like a group"


def _is_named(column: str) -> bool:
    """Whether the name of a column has a word for a group."""
    return _WORD.search(_SEPARATORS.sub(" ", column)) is not None


def _ids(train: Samples) -> str:
    """What the ids say; "" if nothing."""
    tokens = [_SEPARATORS.split(name) for name in train.rows.id]
    for cut in (1, -1):
        starts = [" ".join(words[:cut]) if len(words) > 1 else "" for words in tokens]
        if not all(starts):
            continue
        named = all(_WORD.search(re.sub(r"\d+", " ", start)) for start in set(starts))
        # Names of folders are often the classes.
        if _repeats(starts, named=named) and len(set(starts)) > len(set(train.rows.target)):
            first = next(start for start, count in Counter(starts).items() if count > 1)
            examples = [name for name, start in zip(train.rows.id, starts, strict=True) if start == first]
            shown, different = listing(examples, limit=2), counted(len(set(starts)), "start")
            return f"ids look like parts of groups ({shown}; {different} of {counted(len(starts), 'id')})"
    return ""


def _repeats(values: Sequence[str], *, named: bool) -> bool:
    """Whether most values are in several rows, and there are enough of them to be groups."""
    rows = Counter(value for value in values if value)
    fewest = FEWEST_NAMED_GROUPS if named else FEWEST_GROUPS
    return len(rows) >= fewest and sum(rows.values()) >= FEWEST_ROWS * len(rows)


def _share_labels(values: Sequence[str], labels: Sequence[str]) -> bool:
    """Whether the rows of a value have one label much more often than they would in shuffled rows."""
    shares = [count / len(labels) for count in Counter(labels).values()]
    of_value: dict[str, list[str]] = defaultdict(list)
    for value, label in zip(values, labels, strict=True):
        if value:
            of_value[value].append(label)
    repeated = [found for found in of_value.values() if len(found) > 1]
    chances = [sum(share ** len(found) for share in shares) for found in repeated]
    pure = sum(len(set(found)) == 1 for found in repeated)
    variance = sum(chance * (1 - chance) for chance in chances)
    return bool(pure - sum(chances) > MOST_BY_CHANCE * max(1.0, variance) ** 0.5)
