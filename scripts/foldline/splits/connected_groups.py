"""Groups that are connected: by a value in another column, or by a duplicate.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Iterable, Sequence
from itertools import chain


def join_groups(groups: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Find the connected groups.

    Args:
        groups: names of all groups.
        links: pairs of groups that belong together.

    Returns:
        Each group and the smallest name among those that it is connected to, directly or by way of others.
    """
    parent = {group: group for group in groups}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for pair in links:
        first, second = map(root, pair)
        parent[max(first, second)] = min(first, second)
    return {group: root(group) for group in parent}


def connected_groups(groups: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    """Merge the groups of rows with the same value in a further column.

    Args:
        groups: group of each row, (n_rows,).
        columns: further columns, (n_columns,)(n_rows,); "" connects nothing.

    Returns:
        Group of each row, (n_rows,): the smallest name among the groups that are connected.
    """
    if not columns:
        return list(groups)
    links: list[tuple[str, str]] = []
    for column in columns:
        first: dict[str, str] = {}
        pairs = [(first.setdefault(value, group), group) for value, group in zip(column, groups, strict=True) if value]
        links += [pair for pair in pairs if pair[0] != pair[1]]
    joined = join_groups(chain.from_iterable(links), links)
    return [joined.get(group, group) for group in groups]
