"""Which of several group columns connects rows that do not belong together, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence

from foldline.errors import counted, listing
from foldline.splits.connected_groups import connected_groups


def links_in_words(columns: Mapping[str, Sequence[str]]) -> str:
    """Say which column connects most groups, by which value, and what to do.

    Args:
        columns: cells of the group columns, at least two, (n_rows,) each; "" connects nothing.
    """
    groups_without = {
        name: connected_groups(first, others)
        for name in columns
        for first, *others in [[cells for other, cells in columns.items() if other != name]]
    }
    numbers = {name: len(set(groups)) for name, groups in groups_without.items()}
    most = max(numbers, key=lambda name: numbers[name])
    connected: dict[str, set[str]] = {}
    for value, group in zip(columns[most], groups_without[most], strict=True):
        if value:
            connected.setdefault(value, set()).add(group)
    rows = Counter(columns[most])
    value = max(connected, key=lambda value: (len(connected[value]), value))
    alone = [f"{name} alone has {counted(len(set(cells) - {''}), 'value')}" for name, cells in columns.items()]
    return (
        f"{listing(alone)}, but rows that share any of them are one group: {most} {value!r}, in "
        f"{counted(rows[value], 'row')}, connects {counted(len(connected[value]), 'group')} of the other columns; "
        f"without {most} there are {numbers[most]:,}; remove it from dataset.group_column, or correct its cells"
    )
