"""How many rows change their folds when a training table changes a little.

    python tests/benchmark/fold_stability.py TRAIN.CSV --id image_name --group patient_id --label target
        [--stratify sex site] [--folds 4 5] [--edits 50] [--seed 0]
    python tests/benchmark/fold_stability.py --rows 300 [--group-size 1] [--folds 5] [--edits 50] [--seed 0]

Each edit is made to the original table: an id is renamed, the label of a row is corrected, a row is added (to its group
or as a group of its own), two groups are merged (as by a duplicate), 5 % of rows are added. Printed are the median and
the largest share of the old rows that move, and the largest deviation of a fold from its share of the rows or of a
class after any of the edits, in rows. A label with two values is a binary target. With --rows the table is drawn: its
label is 1 in 3 of 10 rows by chance.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.splits.fold_audit import Samples
from foldline.splits.group_folds import assign_folds

Edit = Callable[[pd.DataFrame, np.random.Generator], None]


def rename_id(table: pd.DataFrame, random: np.random.Generator) -> None:
    """Give a row another id."""
    table.loc[random.integers(len(table)), "id"] = f"renamed{random.integers(10**9)}"


def correct_label(table: pd.DataFrame, random: np.random.Generator) -> None:
    """Give a row the label of another class."""
    row = random.integers(len(table))
    others = sorted(set(table["label"]) - {table.loc[row, "label"]})
    table.loc[row, "label"] = random.choice(others)


def add_row(table: pd.DataFrame, random: np.random.Generator) -> None:
    """Add a row like another one, to the same group or to a new one."""
    row = table.iloc[random.integers(len(table))].copy()
    row["id"] = f"added{random.integers(10**9)}"
    if random.random() < 0.5:
        row["group"] = f"group of {row['id']}"
    table.loc[len(table)] = row


def merge_groups(table: pd.DataFrame, random: np.random.Generator) -> None:
    """Give the rows of a group another group."""
    kept, merged = table["group"].iloc[random.choice(len(table), 2, replace=False)]
    table.loc[table["group"] == merged, "group"] = kept


def add_many_rows(table: pd.DataFrame, random: np.random.Generator) -> None:
    """Add 5 % of rows."""
    for _ in range(len(table) // 20):
        add_row(table, random)


EDITS: dict[str, Edit] = {
    "an id renamed": rename_id,
    "a label corrected": correct_label,
    "a row added": add_row,
    "two groups merged": merge_groups,
    "5 % of rows added": add_many_rows,
}


def drawn_table(rows: int, group_size: int, seed: int) -> pd.DataFrame:
    """A table with groups of one size."""
    labels = np.random.default_rng(seed).choice(["0", "1"], rows, p=[0.7, 0.3])
    names = [(f"x{row}", f"g{row // group_size}") for row in range(rows)]
    return pd.DataFrame(names, columns=["id", "group"]).assign(label=labels)


def folds_of(table: pd.DataFrame, count: int, seed: int) -> tuple[np.ndarray, float]:
    """Folds, (n_rows,), and the largest deviation of a fold from its share of rows or a class, in rows."""
    names = sorted(set(table["label"]))
    one_hot = np.stack([(table["label"] == name).to_numpy().astype(np.int64) for name in names], axis=1)
    labels = one_hot[:, 1:] if len(names) == 2 else one_hot
    samples = Samples(list(table["id"]), list(table["group"]), labels)
    others = [name for name in table if name not in ("id", "group", "label")]
    strata = table[["label", *others]].agg("\0".join, axis=1)
    columns = [list(table[name]) for name in others]
    folds = assign_folds(samples, list(strata), count=count, seed=seed, columns=columns)
    masks = np.concatenate([np.ones((len(table), 1), np.int64), one_hot], axis=1)
    rows = np.stack([masks[folds == fold].sum(axis=0) for fold in range(count)])
    return folds, float(np.abs(rows - masks.sum(axis=0) / count).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?")
    for name in ("id", "group", "label"):
        parser.add_argument(f"--{name}", help=f"column of the {name}")
    parser.add_argument("--rows", type=int, help="rows of a drawn table, instead of a table")
    parser.add_argument("--group-size", type=int, default=1, help="rows of each of its groups")
    parser.add_argument("--stratify", nargs="+", default=[], help="columns that are spread too, as folds.stratify_by")
    parser.add_argument("--folds", type=int, nargs="+", default=[4, 5])
    parser.add_argument("--edits", type=int, default=50, help="edits of each kind; a tenth of them with 5 %% of rows")
    parser.add_argument("--seed", type=int, default=0, help="seed of the folds and edits")
    options = parser.parse_args()
    if options.table is None:
        table = drawn_table(options.rows, options.group_size, options.seed)
    else:
        columns = {options.id: "id", options.group: "group", options.label: "label"}
        table = pd.read_csv(options.table, dtype=str, keep_default_na=False)
        table = table[[*columns, *options.stratify]].rename(columns=columns)
    for count in options.folds:
        folds, deviation = folds_of(table, count, options.seed)
        print(f"{count} folds of {len(table)} rows, largest deviation {deviation:.2f} rows")
        for kind, edit in EDITS.items():
            random = np.random.default_rng(options.seed)
            moved, deviations = [], []
            for _ in range(max(1, options.edits // 10) if edit is add_many_rows else options.edits):
                edited = table.copy()
                edit(edited, random)
                new, deviation = folds_of(edited, count, options.seed)
                moved.append((new[: len(table)] != folds).mean())
                deviations.append(deviation)
            print(
                f"  {kind:18} moved rows: median {np.median(moved):6.2%}, max {max(moved):6.2%}; "
                f"largest deviation {max(deviations):.2f} rows",
                flush=True,
            )


if __name__ == "__main__":
    main()
