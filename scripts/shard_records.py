"""Cut the images to one size and pack them into a shard, so that training reads one file and decodes small pictures.

Inputs: shards of the inventory that hold the rows of the shard; the images or ready-made TFRecord files, which are not
    inputs of the rule.
Outputs: records, a TFRecord file (`foldline.records`); manifest, what is in it.
Parameters: root (the dataset's folder), channels (of a sample, none for RGB images), image_feature (feature of the
    image in ready-made records), table (of the places of ready-made records), aspect ("stretch", "crop" or "pad"),
    jpeg_quality, metadata_columns.
"""

import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from foldline.dataset.channels import image_features, image_paths
from foldline.dataset.id_hash import id_hash, shard_index, shard_numbers
from foldline.errors import FoldlineError
from foldline.io.files import digest_of
from foldline.io.storage import join
from foldline.io.tables import INVENTORY, read_table
from foldline.io.workers import ordered_map
from foldline.step import step
from foldline.tfrecords.image_sources import Source, pictures_of
from foldline.tfrecords.record_index import read_locations
from foldline.tfrecords.shards import Record, encode_record, feature_kinds, write_manifest, write_records

logger = logging.getLogger(__name__)


def shard_records(
    *,
    inventory: Sequence[str | Path],
    records: str | Path,
    manifest: str | Path,
    threads: int,
    split: str,
    shard: str,
    root: str | Path,
    channels: Sequence[str],
    image_feature: str,
    size: int,
    aspect: str,
    jpeg_quality: int,
    metadata_columns: Sequence[str],
    table: str | Path | None = None,
) -> None:
    """Write one shard and, after it, its manifest.

    The bytes depend on the rows, the images and the settings only, not on `threads`.

    Args:
        inventory: tables that hold the rows of the shard, among others or not.
        records: where the TFRecord file goes. Its records are ordered by `rows.id_hash` of their ids.
        manifest: where the manifest goes.
        threads: processes that decode and encode images.
        split: "train", "external" (records carry a target) or "test".
        shard: which rows, "00003-of-00016": those whose id falls into that bucket.
        root: folder or URL of the dataset.
        channels: names of the channels, each a feature of a record; none where a sample is one RGB image.
        image_feature: feature of the image in ready-made records. An image that has the wanted size is handed on
            byte by byte, others are cut to it.
        size: side of the square pictures, in pixels.
        aspect: see `images.record_image`.
        jpeg_quality: in 1..100.
        metadata_columns: columns of the inventory that records carry as text.
        table: the table made of ready-made TFRecord files, which knows where each record is now: records that move to
            other files change nothing else, so the inventory may be older. None for image files.

    Raises:
        FoldlineError: an image has a problem, is damaged, or has changed since the inventory was made.
    """
    labeled = split != "test"
    kinds = feature_kinds(metadata_columns, labeled, channels)
    rows = rows_of_shard(inventory, shard)
    moved = read_locations(table) if table else {}
    sources = [_source(row.id, moved.get(row.id, row.path), row.sha256, root, channels) for row in rows.itertuples()]
    cut = functools.partial(
        pictures_of, image_feature=image_feature, size=size, aspect=aspect, jpeg_quality=jpeg_quality
    )

    def encoded() -> Iterator[bytes]:
        for row, pictures in zip(rows.to_dict("records"), ordered_map(cut, sources, workers=threads), strict=True):
            images = dict(zip(image_features(channels), pictures, strict=True))
            metadata = {name: row[name] for name in metadata_columns}
            yield encode_record(Record(row["id"], row["group"], images, row["target"], metadata))

    written = write_records(records, encoded())
    write_manifest(
        manifest,
        {
            "split": split,
            "shard": shard,
            "records": written.records,
            "ids_sha256": digest_of(list(rows["id"])),
            "sha256": written.sha256,
            "bytes": written.bytes,
            "image_size": size,
            "channels": list(channels),
            "classes": max(map(len, rows["target"]), default=0),
            "settings": {"aspect": aspect, "jpeg_quality": jpeg_quality, "metadata_columns": list(metadata_columns)},
            "features": kinds,
        },
    )
    logger.info("%s %s at %d pixels: %d records, %d bytes", split, shard, size, written.records, written.bytes)


def _source(name: str, path: str, sha256: str, root: str | Path, channels: Sequence[str]) -> Source:
    return Source(name, tuple(join(root, place) for place in image_paths(path, channels)), sha256)


def rows_of_shard(inventory: Sequence[str | Path], shard: str) -> pd.DataFrame:
    """Rows of the inventory that fall into a shard, ordered by `rows.id_hash` of their ids.

    Raises:
        FoldlineError: the image of a row has a problem.
    """
    index, count = shard_numbers(shard)
    kept = []
    for path in inventory:
        table = read_table(path, INVENTORY)
        kept.append(table[[shard_index(name, count) == index for name in table["id"]]])
    rows = pd.concat(kept, ignore_index=True)
    for row in rows[rows["problem"] != ""].itertuples():
        raise FoldlineError(
            f"{row.path}: image of id {row.id} cannot be used: {row.problem}; mend or replace the file, or remove its "
            "row from the table"
        )
    return rows.sort_values("id", key=lambda names: names.map(id_hash), ignore_index=True)


if __name__ == "__main__":
    with step(snakemake):
        shard_records(
            inventory=snakemake.input.inventory,
            records=snakemake.output.records,
            manifest=snakemake.output.manifest,
            threads=snakemake.threads,
            split=snakemake.wildcards.split,
            shard=snakemake.wildcards.shard,
            size=int(snakemake.wildcards.size),
            **snakemake.params.settings,
        )
