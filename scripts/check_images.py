"""Refuse unusable images, those of all splits in one message, before any image is resized or compared.

Inputs: inventories (tables of all splits).
Outputs: images, a row per split with its number of images and their sizes (`tables.IMAGES`), CSV.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from foldline.errors import FoldlineError, counted
from foldline.images.errors import names_a_key
from foldline.io.result_paths import by_split
from foldline.io.tables import IMAGES, INVENTORY, read_tables, write_table
from foldline.step import step

logger = logging.getLogger(__name__)

# Unusable images that the message lists.
SHOWN = 100


def check_images(inventories: Mapping[str, Sequence[str | Path]], images: str | Path) -> None:
    """Check the images of all splits, and write how many there are and how large.

    Args:
        inventories: split -> its inventory tables.
        images: where the table is written.

    Raises:
        FoldlineError: an image has a problem.
    """
    tables = {split: read_tables(paths, INVENTORY) for split, paths in inventories.items()}
    _check(pd.concat(tables.values()).sort_values(["id", "path"]))
    rows = [
        {
            "split": split,
            "images": len(table),
            "bytes": int(table["bytes"].sum()),
            **{
                f"{word}_{side}": getattr(table[side], word)()
                for side in ("width", "height")
                for word in ("min", "max")
            },
        }
        for split, table in tables.items()
    ]
    write_table(pd.DataFrame(rows), images, IMAGES, key=("split",))
    logger.info("%s can be used", counted(sum(map(len, tables.values())), "image"))


def _check(images: pd.DataFrame) -> None:
    """Refuse images with a problem."""
    broken = images[images["problem"] != ""]
    if len(broken):
        rest = len(broken) - SHOWN
        lines = [f"{row.path}: image of id {row.id}: {row.problem}" for row in broken.head(SHOWN).itertuples()]
        lines += [f"and {rest} more (`problem` in results/inventory)"] if rest > 0 else []
        others = not all(map(names_a_key, broken["problem"]))
        remedy = "; repair or replace the files, or remove their rows from the tables" if others else ""
        raise FoldlineError(
            f"{len(broken)} of {counted(len(images), 'image')} cannot be used{remedy}:\n" + "\n".join(lines)
        )


if __name__ == "__main__":
    with step(snakemake):
        check_images(by_split(snakemake.input.inventories), snakemake.output.images)
