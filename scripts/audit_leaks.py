"""Find duplicate images, so that no copy of a scored image is trained on and no labels contradict each other.

Inputs: inventory (tables of the split), others (tables of the labeled splits before it); all_images (tables of all
    splits).
Outputs: leaks, a table of pairs (`tables.LEAKS`), Parquet; leaks_csv, the same for people. Without rows if there are no
    pairs.
Parameters: split; the fields of `LeakConfig`.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from foldline.dataset.dark_images import blank_images, dark_images
from foldline.errors import FoldlineError, counted, listing
from foldline.io.result_paths import by_split
from foldline.io.settings import build
from foldline.io.tables import INVENTORY, LEAKS, read_tables, write_table
from foldline.splits.duplicates import EXACT, REFUSE, LeakConfig, find_duplicates
from foldline.step import step

logger = logging.getLogger(__name__)

# Unusable images that the message lists.
SHOWN = 100
KEY = ("id", "other_split", "other_id")


def audit_leaks(
    *,
    inventory: Sequence[str | Path],
    others: Mapping[str, Sequence[str | Path]],
    all_images: Sequence[str | Path],
    leaks: str | Path,
    leaks_csv: str | Path,
    split: str,
    config: LeakConfig,
) -> None:
    """Write the pairs of duplicate images.

    Args:
        inventory: inventory tables of this split.
        others: split -> its inventory tables: the splits that this one is compared with, besides itself.
        all_images: inventory tables of all splits, in which unusable images are looked for.
        leaks: where the table of pairs is written, Parquet.
        leaks_csv: where the same table is written as CSV.
        split: "train", "test" or the name of an external set.
        config: how duplicates are found, and whether contradictory labels are an error.

    Raises:
        FoldlineError: an image has a problem, or duplicates have different labels and that is an error.
    """
    # An id may be in the training and in the test split, with another image.
    _check_images(read_tables(all_images, INVENTORY, key=("id", "path")))
    images = read_tables(inventory, INVENTORY)
    for text in filter(None, (dark_images(images), blank_images(images))):
        logger.warning("%s: %s", split, text)
    compared = {name: read_tables(paths, INVENTORY) for name, paths in others.items()}
    pairs = find_duplicates(images, compared, split=split, near_bits=config.near_duplicate_bits)
    _check_labels(pairs, refuse=config.contradictory_labels == REFUSE)
    for path in (leaks, leaks_csv):
        write_table(pairs, path, LEAKS, key=KEY)
    exact = int((pairs["kind"] == EXACT).sum())
    logger.info(
        "%s: %s, %s of exact duplicates, %d of near duplicates",
        split,
        counted(len(images), "image"),
        counted(exact, "pair"),
        len(pairs) - exact,
    )


def _check_images(images: pd.DataFrame) -> None:
    """Refuse images with a problem, those of all splits in one message."""
    broken = images[images["problem"] != ""]
    if len(broken):
        rest = len(broken) - SHOWN
        lines = [f"{row.path}: image of id {row.id}: {row.problem}" for row in broken.head(SHOWN).itertuples()]
        lines += [f"and {rest} more (`problem` in results/inventory)"] if rest > 0 else []
        raise FoldlineError(
            f"{len(broken)} of {counted(len(images), 'image')} cannot be used; repair or replace the files, "
            "or remove their rows from the tables:\n" + "\n".join(lines)
        )


def _check_labels(pairs: pd.DataFrame, *, refuse: bool) -> None:
    """Refuse, or log, duplicates with different labels."""
    contradictory = pairs[pairs["same_label"] == "no"]
    if not len(contradictory):
        return
    names = [f"{row.id} and {row.other_id} ({row.kind}, {row.distance} bits)" for row in contradictory.itertuples()]
    message = f"{counted(len(contradictory), 'pair')} of equal images with different labels: {listing(names)}"
    if refuse:
        raise FoldlineError(
            f"{message}; correct the labels or remove the rows; if they show different samples, lower "
            "leaks.near_duplicate_bits; to accept them, set leaks.contradictory_labels to report"
        )
    logger.warning("%s", message)


if __name__ == "__main__":
    with step(snakemake):
        audit_leaks(
            inventory=snakemake.input.inventory,
            all_images=snakemake.input.all_images,
            others=by_split(snakemake.input.others),
            leaks=snakemake.output.leaks,
            leaks_csv=snakemake.output.leaks_csv,
            split=snakemake.wildcards.split,
            config=build(LeakConfig, snakemake.params.settings),
        )
