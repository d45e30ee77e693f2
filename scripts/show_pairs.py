"""Show pairs of duplicates side by side: one self-contained HTML page, for people who judge them.

Inputs: leaks (the pairs of each split), inventories and thumbnails (of all splits).
Outputs: page, HTML.
Parameters: class_names; channels, see `dataset.channels`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from foldline.dataset.label_arrays import label_names
from foldline.errors import counted
from foldline.io.files import atomic_write
from foldline.io.result_paths import by_split
from foldline.io.tables import INVENTORY, LEAKS, read_table, read_tables
from foldline.io.thumbnails import read_thumbnails
from foldline.report.pairs_page import Image, ShownPair, pairs_page, pairs_to_show
from foldline.step import step

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Tables that are read.

    Attributes:
        leaks: tables of pairs, FOLDER/SPLIT.parquet, in the order of the splits.
        inventories: split -> its inventory tables.
        thumbnails: split -> its tables of thumbnails.
    """

    leaks: Sequence[str | Path]
    inventories: Mapping[str, Sequence[str | Path]]
    thumbnails: Mapping[str, Sequence[str | Path]]


def show_pairs(inputs: Inputs, page: str | Path, *, class_names: Sequence[str], channels: Sequence[str]) -> None:
    """Write the page of the pairs.

    Args:
        inputs: tables to read.
        page: the page to write.
        class_names: names of the classes, (n_classes,).
        channels: names of the channels of a sample; empty for an RGB image.

    Raises:
        FoldlineError: a table is damaged.
    """
    tables = [
        read_table(path, LEAKS, key=("id", "other_split", "other_id")).assign(split=Path(path).stem)
        for path in inputs.leaks
    ]
    pairs = pd.concat(tables, ignore_index=True)
    chosen = pairs_to_show(pairs)
    images: dict[tuple[str, str], Image] = {}
    for split, paths in inputs.inventories.items():
        names = {*chosen.loc[chosen["split"] == split, "id"], *chosen.loc[chosen["other_split"] == split, "other_id"]}
        rows = read_tables(paths, INVENTORY)
        rows = rows[rows["id"].isin(names)]
        pictures = read_thumbnails(inputs.thumbnails[split], names)
        labels = label_names(list(rows["target"]), class_names) if split != "test" else [""] * len(rows)
        for row, label in zip(rows.itertuples(), labels, strict=True):
            images[split, row.id] = Image(split, row.id, row.group, label, pictures[row.id])
    shown = []
    for row in chosen.itertuples():
        both = images[row.split, row.id], images[row.other_split, row.other_id]
        shown.append(ShownPair(*both, row.kind, row.distance, row.same_label))
    html = pairs_page(shown, pairs, splits=list(inputs.inventories), channels=channels)
    with atomic_write(page, mode="w", encoding="utf-8", newline="") as handle:
        handle.write(html)
    logger.info(
        "%s, of which the page shows %d; it has %.1f MB", counted(len(pairs), "pair"), len(shown), len(html) / 1e6
    )


if __name__ == "__main__":
    with step(snakemake):
        show_pairs(
            Inputs(snakemake.input.leaks, by_split(snakemake.input.inventories), by_split(snakemake.input.thumbnails)),
            snakemake.output.page,
            **snakemake.params.settings,
        )
