"""Resize the images and pack them into a shard, so that training reads one file and decodes small images.

Inputs: inventory (its shards that hold the rows of this shard); the images or ready-made TFRecord files are not inputs
    of the rule.
Outputs: records, a TFRecord file (see `foldline.tfrecords.records`); manifest, its description.
Parameters: settings, see `ShardConfig`.
"""

import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from foldline.dataset.channels import image_features, image_paths
from foldline.dataset.id_hash import id_hash, shard_index, shard_numbers
from foldline.dataset.locations import locations_of
from foldline.dataset.soft_labels import class_count
from foldline.errors import counted, listing, problems_error
from foldline.images.errors import with_remedy
from foldline.io.files import digest_of
from foldline.io.read_ahead import READERS
from foldline.io.settings import build
from foldline.io.storage import join
from foldline.io.tables import INVENTORY, read_table
from foldline.io.workers import ordered_map
from foldline.step import step
from foldline.tfrecords.compressed_files import readable_records
from foldline.tfrecords.image_reading import SampleImages, read_source
from foldline.tfrecords.image_sources import images_and_problems
from foldline.tfrecords.manifests import Manifest, write_manifest
from foldline.tfrecords.record_files import write_records
from foldline.tfrecords.records import Record, encode_record, feature_kinds
from foldline.tfrecords.shard_config import ShardConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outputs:
    """Files that the step writes: the TFRecord file, and its manifest after it."""

    records: str | Path
    manifest: str | Path


def shard_records(
    *,
    inventory: Sequence[str | Path],
    outputs: Outputs,
    split: str,
    shard: str,
    size: int,
    config: ShardConfig,
    threads: int,
) -> None:
    """Write one shard and its manifest.

    The bytes depend on rows, images and settings only, not on `threads`.

    Args:
        inventory: tables that hold the rows of the shard, and maybe others.
        outputs: the files to write; records are in the order of the id hash.
        split: "train", "test" (records have no target) or the name of an external set.
        shard: name of the shard, "00003-of-00016"; it holds the rows whose id hash falls into it.
        size: side of the square images in pixels.
        config: how to make the records.
        threads: number of processes that decode and encode images.

    Raises:
        FoldlineError: an image has a problem, is damaged, or has changed since the inventory was made.
    """
    kinds = feature_kinds(config.metadata_columns, split != "test", config.channels, soft=config.soft_labels)
    rows = rows_of_shard(inventory, shard)
    written = write_records(outputs.records, _encoded_records(rows, size, config, threads))
    manifest = Manifest(
        split=split,
        shard=shard,
        records=written.records,
        ids_sha256=digest_of(list(rows["id"])),
        sha256=written.sha256,
        bytes=written.bytes,
        image_size=size,
        channels=config.channels,
        classes=max(map(class_count, rows["target"]), default=0),
        settings={
            "aspect": config.aspect,
            "jpeg_quality": config.jpeg_quality,
            "metadata_columns": config.metadata_columns,
        },
        features=kinds,
    )
    write_manifest(outputs.manifest, manifest)
    records = counted(written.records, "record")
    logger.info("%s %s at %d pixels: %s, %d bytes", split, shard, size, records, written.bytes)


def rows_of_shard(inventory: Sequence[str | Path], shard: str) -> pd.DataFrame:
    """Rows of the inventory that belong to a shard, in the order of the id hash.

    Raises:
        FoldlineError: images of rows have a problem.
    """
    index, count = shard_numbers(shard)
    tables = (read_table(path, INVENTORY) for path in inventory)
    inside = [table[[shard_index(name, count) == index for name in table["id"]]] for table in tables]
    rows = pd.concat(inside, ignore_index=True)
    unusable = rows[rows["problem"] != ""]
    if len(unusable):
        raise problems_error(
            [
                f"{row.path}: image of id {row.id} cannot be used: {with_remedy(row.problem)}"
                for row in unusable.itertuples()
            ]
        )
    return rows.sort_values("id", key=lambda names: names.map(id_hash), ignore_index=True)


def _encoded_records(rows: pd.DataFrame, size: int, config: ShardConfig, threads: int) -> Iterator[bytes]:
    """Yield the record of each row; a problem ends that, and all rows are looked at before it is raised."""
    # Not those of the inventory: images that moved since it was written are the same images.
    locations = locations_of(list(rows["id"]), images=config.images, locations=config.locations)
    sources = [
        _sample_images(name, path, sha256, config)
        for name, path, sha256 in zip(rows["id"], locations, rows["sha256"], strict=True)
    ]
    resize = functools.partial(
        images_and_problems,
        image_feature=config.image_feature,
        size=size,
        aspect=config.aspect,
        jpeg_quality=config.jpeg_quality,
        reading=config.reading,
    )
    load = functools.partial(read_source, image_feature=config.image_feature, reading=config.reading)
    features = image_features(config.channels)
    with readable_records([source.paths for source in sources]) as paths:
        readable = [replace(source, paths=of_source) for source, of_source in zip(sources, paths, strict=True)]
        # As many as are read at a time, but each process gets several.
        chunk = max(1, min(READERS, len(readable) // (4 * threads)))
        made = ordered_map(
            resize, readable, workers=threads, chunk=chunk, name=lambda source: listing(source.paths), load=load
        )
        found: list[str] = []
        for row, (resized, problems) in zip(rows.to_dict("records"), made, strict=True):
            found += problems
            if found:
                continue
            images = dict(zip(features, resized, strict=True))
            metadata = {name: row[name] for name in config.metadata_columns}
            yield encode_record(Record(row["id"], row["group"], images, row["target"], metadata))
    if found:
        raise problems_error(found)


def _sample_images(name: str, path: str, sha256: str, config: ShardConfig) -> SampleImages:
    channels = () if config.reading.planes else config.channels
    return SampleImages(name, tuple(join(config.root, one) for one in image_paths(path, channels)), sha256)


if __name__ == "__main__":
    with step(snakemake):
        shard_records(
            inventory=snakemake.input.inventory,
            outputs=Outputs(records=snakemake.output.records, manifest=snakemake.output.manifest),
            split=snakemake.wildcards.split,
            shard=snakemake.wildcards.shard,
            size=int(snakemake.wildcards.size),
            config=build(ShardConfig, snakemake.params.settings),
            threads=snakemake.threads,
        )
