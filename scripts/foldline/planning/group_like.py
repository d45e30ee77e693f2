"""Signs that rows belong together where the configuration names no group, so that scores would be too good."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from foldline.dataset.raw_table import read_raw_table
from foldline.errors import counted, listing
from foldline.planning.dataset_section import columns_of, group_columns, is_made_table
from foldline.planning.dataset_splits import TRAIN
from foldline.planning.group_ids import FEWEST_GROUPS, FEWEST_NAMED_GROUPS, names_groups, parts_of_groups, repeats
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Samples

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
        others = [name for name in header if names_groups(name) and name not in columns.required()]
        if others:
            raw = read_raw_table(table, others, separator=columns.separator)
            read |= {name: [columns.value(cell) for cell in raw.columns[name]] for name in others}
    for name, values in read.items():
        named = names_groups(name)
        if repeats(values, FEWEST_NAMED_GROUPS if named else FEWEST_GROUPS) and (
            named or _share_labels(values, train.rows.target)
        ):
            different = counted(len(set(values) - {""}), "value")
            yield f"column {name} has {different} in {counted(len(values), 'row')}, and looks like a group"


def _ids(train: Samples) -> str:
    """What the ids say; "" if nothing."""
    parts = parts_of_groups(train.rows.id, set(train.rows.target))
    if not parts:
        return ""
    first = next(part for part, count in Counter(filter(None, parts)).items() if count > 1)
    examples = [name for name, part in zip(train.rows.id, parts, strict=True) if part == first]
    different = counted(len(set(parts) - {""}), "part")
    return (
        f"ids look like parts of groups ({listing(examples, limit=2)}, which share {first!r}; {different} in "
        f"{counted(len(parts), 'id')})"
    )


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
