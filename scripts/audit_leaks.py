"""Find images that stand in the data twice, so that no copy is trained on and scored, and no label contradicts itself.

Inputs: inventory tables of the split; of train for the splits external and test, and of external for the split test.
Outputs: leaks, a table of pairs (`tables.LEAKS`); without pairs it has a header only.
Parameters: split; near_duplicate_bits, how many of the 256 bits of the perceptual hash may differ, or None for exact
copies only; contradictory_labels, "error" or "report".
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from foldline.errors import FoldlineError, listing
from foldline.io.tables import INVENTORY, LEAKS, read_tables, write_table
from foldline.splits.duplicates import EXACT, find_leaks
from foldline.step import step

logger = logging.getLogger(__name__)

KEY = ("id", "other_split", "other_id")


def audit_leaks(
    *,
    inventory: Sequence[str | Path],
    others: Mapping[str, Sequence[str | Path]],
    leaks: str | Path,
    split: str,
    near_duplicate_bits: int | None,
    contradictory_labels: str,
) -> None:
    """Write the pairs of images that are copies of each other.

    Args:
        inventory: inventory tables of this split.
        others: split -> its inventory tables, maybe none: the splits that this one is compared with beside itself.
        leaks: where the table of pairs is written.
        split: "train", "external" or "test".
        near_duplicate_bits: in 0..64, or None for exact copies only.
        contradictory_labels: "error" refuses copies with different labels, "report" lists them in the table only.

    Raises:
        FoldlineError: an image has a problem, or copies have different labels and `contradictory_labels` is "error".
    """
    images = read_tables(inventory, INVENTORY)
    compared = {name: read_tables(paths, INVENTORY) for name, paths in others.items() if paths}
    check_images(pd.concat([images, *compared.values()]))
    pairs = find_leaks(images, compared, split=split, near_bits=near_duplicate_bits)
    check_labels(pairs, refuse=contradictory_labels == "error")
    write_table(pairs, leaks, LEAKS, key=KEY)
    exact = int((pairs["kind"] == EXACT).sum())
    logger.info("%s: %d images, %d exact and %d near pairs", split, len(images), exact, len(pairs) - exact)


def check_images(images: pd.DataFrame) -> None:
    """Refuse images with a problem, all of them in one message."""
    broken = images[images["problem"] != ""]
    if len(broken):
        reasons = [f"{row.id} ({row.path}): {row.problem}" for row in broken.itertuples()]
        raise FoldlineError(
            f"{len(broken)} of {len(images)} images cannot be used; mend or replace the files, or remove their rows "
            f"from the table: {listing(reasons, limit=50)}"
        )


def check_labels(pairs: pd.DataFrame, *, refuse: bool) -> None:
    """Refuse, or log, copies whose labels differ."""
    wrong = pairs[pairs["same_label"] == "no"]
    if not len(wrong):
        return
    names = [f"{row.id} and {row.other_id} ({row.kind}, {row.distance} bits)" for row in wrong.itertuples()]
    message = f"{len(wrong)} pairs of images show the same and have different labels: {listing(names)}"
    if refuse:
        raise FoldlineError(
            f"{message}; correct the labels or remove the rows; where they are different samples, lower "
            "leaks.near_duplicate_bits; to go on all the same, set leaks.contradictory_labels to report"
        )
    logger.warning("%s", message)


if __name__ == "__main__":
    with step(snakemake):
        audit_leaks(
            inventory=snakemake.input.inventory,
            others={"train": snakemake.input.train, "external": snakemake.input.external},
            leaks=snakemake.output.leaks,
            split=snakemake.wildcards.split,
            **snakemake.params.settings,
        )
