"""Look at every image once, so that all that is wrong with the files is known before anything is built from them.

Inputs: the table, and the images or ready-made TFRecord files that it names; these are not inputs of the rule, on a
    local disk or in a bucket.
Outputs: inventory, one row per sample of the shard: `tables.INVENTORY` and the metadata columns, sorted by id.
Parameters: root (the dataset's folder), table, images (path of an image below it, with {id}; None where the table has a
    column path), channels (of a sample, none for RGB images), image_feature (feature of the image in ready-made
    records), id_column, target_column, group_column, metadata_columns, labels (the section of the
    config; None in the test split).
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from foldline.dataset.channels import image_paths
from foldline.dataset.id_hash import shard_index, shard_numbers
from foldline.dataset.labels import BINARY_LABELS, Labels
from foldline.dataset.sample_table import PATH, Columns, read_rows
from foldline.errors import FoldlineError, listing
from foldline.io.storage import join
from foldline.io.tables import INVENTORY, TEXT, write_table
from foldline.io.workers import ordered_map
from foldline.step import step
from foldline.tfrecords.image_sources import inspect

logger = logging.getLogger(__name__)


def scan_images(
    *,
    inventory: str | Path,
    threads: int,
    shard: str,
    split: str,
    root: str | Path,
    table: str | Path,
    images: str | None,
    channels: Sequence[str],
    image_feature: str,
    id_column: str,
    target_column: str | None,
    group_column: str | None,
    metadata_columns: Sequence[str],
    labels: Mapping[str, Any] | None,
) -> None:
    """Write the inventory of the rows of the table that fall into one shard.

    An image that cannot be used is no error here: its row says what is wrong, so that all of them can be told at once.

    Args:
        inventory: where the table goes.
        threads: processes that read images.
        shard: which rows, "00003-of-00016": those whose id falls into that bucket.
        split: "train", "external" or "test".
        root: folder or URL of the dataset.
        table: the user's table, or the one made of ready-made TFRecord files.
        images: path of an image below `root`, with {id} in place of the sample's id, and {channel} in that of the
            channel's name; None where the table has a column `path` with the place of each image: a path below
            `root`, or FILE#OFFSET+LENGTH of a record, joined by `channels.PATH_SEPARATOR` where there are several.
        channels: names of the channels, each a gray image; none where a sample is one RGB image.
        image_feature: feature of the image in ready-made records. Images of any size are taken, and cut to size later.
        id_column: column of the table that names a sample.
        target_column: column of the label, None in the test split.
        group_column: column whose equal values belong together, None where there is none.
        metadata_columns: further columns to keep, as text.
        labels: how the target column writes labels, the `dataset.labels` section; None in the test split.

    Raises:
        FoldlineError: the table cannot be used, or a metadata column has the name of a column of the inventory.
    """
    taken = [name for name in metadata_columns if name in INVENTORY]
    if taken:
        raise FoldlineError(
            f"metadata column {listing(taken)}: the inventory has a column of that name; rename it in {table} or leave "
            "it out of dataset.metadata_columns"
        )
    index, count = shard_numbers(shard)
    told = [] if images else [PATH]
    kind = Labels.from_config(labels) if labels else BINARY_LABELS
    columns = Columns(id_column, target_column, group_column, (*metadata_columns, *told), kind)
    rows = sorted(
        (row for row in read_rows(table, columns) if shard_index(row.id, count) == index), key=lambda row: row.id
    )
    paths = [images.replace("{id}", row.id) if images else row.metadata[-1] for row in rows]
    look = functools.partial(inspect, image_feature=image_feature, gray=bool(channels))
    places = [[join(root, place) for place in image_paths(path, channels)] for path in paths]
    found = ordered_map(look, places, workers=threads, chunk=16)
    lines = [
        {
            "id": row.id,
            "target": row.target,
            "group": row.group,
            "path": path,
            **facts,
            **dict(zip(columns.metadata, row.metadata, strict=True)),
        }
        for row, path, facts in zip(rows, paths, found, strict=True)
    ]
    content = pd.DataFrame(lines, columns=[*INVENTORY, *metadata_columns])
    content = content.astype({name: kind for name, kind in INVENTORY.items() if kind != TEXT})
    write_table(content, inventory, INVENTORY)
    problems = int((content["problem"] != "").sum())
    logger.info("%s %s: %d images, %d with a problem", split, shard, len(content), problems)


if __name__ == "__main__":
    with step(snakemake):
        scan_images(
            inventory=snakemake.output.inventory,
            threads=snakemake.threads,
            shard=snakemake.wildcards.shard,
            split=snakemake.wildcards.split,
            **snakemake.params.settings,
        )
