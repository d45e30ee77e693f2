"""Groups are the connected components of the rows, as scipy finds them."""

import numpy as np
from foldline.splits.connected_groups import connected_groups, join_groups
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def test_groups_are_the_connected_components() -> None:
    for seed in range(40):
        random = np.random.default_rng(seed)
        rows = 60
        columns = [[f"{name}{number}" for number in random.integers(0, 40, rows)] for name in "abc"]
        columns[2] = [value if number % 3 else "" for number, value in enumerate(columns[2])]
        groups = connected_groups(columns[0], columns[1:])
        same = np.array([[any(c[i] == c[j] != "" for c in columns) for j in range(rows)] for i in range(rows)])
        _, expected = connected_components(coo_array(same), directed=False)
        assert len(set(zip(groups, expected, strict=True))) == len(set(groups)) == len(set(expected))
        # The name is the smallest of the first column, and does not depend on the order of the rows.
        assert all(group == min(columns[0][i] for i in range(rows) if groups[i] == group) for group in groups)
        order = random.permutation(rows)
        again = connected_groups([columns[0][i] for i in order], [[c[i] for i in order] for c in columns[1:]])
        assert again == [groups[i] for i in order]


def test_without_further_columns_groups_stay() -> None:
    assert connected_groups(["b", "a", "b"], []) == ["b", "a", "b"]
    assert join_groups(["a", "b", "c"], [("c", "b")]) == {"a": "a", "b": "b", "c": "b"}
