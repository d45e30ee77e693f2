"""Read every image once and list all problems of the image files before anything is built from them.

Inputs: the table, and the images or ready-made TFRecord files that it names, on a local disk or in a bucket; the images
    are not inputs of the rule.
Outputs: inventory, one row per sample of the shard: `tables.INVENTORY` and the metadata columns, sorted by id;
    thumbnails, a small JPEG of each image, see `foldline.io.thumbnails`.
Parameters: settings, see `ScanConfig`.
"""

import functools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from foldline.dataset.channels import image_paths, joint_digest
from foldline.dataset.id_hash import shard_index, shard_numbers
from foldline.dataset.locations import locations_of
from foldline.dataset.rows_digest import row_digests, rows_digest
from foldline.dataset.sample_table import Row, read_rows
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import FoldlineError, counted, listing
from foldline.images.color_profiles import BROKEN, GAMMA_IGNORED
from foldline.io.settings import build
from foldline.io.storage import is_url, join, listed_checksum
from foldline.io.tables import INVENTORY, TEXT, write_table
from foldline.io.thumbnails import write_thumbnails
from foldline.io.workers import ordered_map
from foldline.step import step
from foldline.tfrecords.compressed_files import readable_records
from foldline.tfrecords.image_reading import read_sample
from foldline.tfrecords.image_sources import ScannedSample, scan_sample
from foldline.tfrecords.record_location import RecordLocation

logger = logging.getLogger(__name__)


def scan_images(
    *, inventory: str | Path, thumbnails: str | Path, split: str, shard: str, config: ScanConfig, threads: int
) -> None:
    """Write the inventory of one shard of the rows of the table.

    An unusable image is not an error here: its row says what is wrong, so that all problems can be reported at once.

    Args:
        inventory: the inventory table to write.
        thumbnails: the table of thumbnails to write.
        split: "train", "test" or the name of an external set.
        shard: name of the shard, "00003-of-00016"; it holds the rows whose id hash falls into it.
        config: images and table of the split.
        threads: number of processes that read images.

    Raises:
        FoldlineError: the table cannot be used, a metadata column has the name of a column of the inventory, or rows
            and images are not those that were planned.
    """
    taken = [name for name in config.metadata_columns if name in INVENTORY]
    if taken:
        raise FoldlineError(
            f"metadata column {listing(taken)}: the inventory has a column of that name; rename it in {config.table}, "
            "or remove it from dataset.metadata_columns"
        )
    index, count = shard_numbers(shard)
    rows = sorted(
        (row for row in read_rows(config.table, config.columns()) if shard_index(row.id, count) == index),
        key=lambda row: row.id,
    )
    paths = paths_of(rows, config)
    images = images_of(paths, config)
    scanned = scan(images, config, threads=threads)
    check_as_planned(rows, images, scanned, config)
    table = inventory_table(rows, paths, [sample.cells for sample in scanned], config)
    write_table(table, inventory, INVENTORY)
    write_thumbnails({row.id: sample.thumbnails for row, sample in zip(rows, scanned, strict=True)}, thumbnails)
    problems = int((table["problem"] != "").sum())
    logger.info("%s %s: %s, %d with a problem", split, shard, counted(len(table), "image"), problems)
    log_oddities(scanned, f"{split} {shard}")


def paths_of(rows: Sequence[Row], config: ScanConfig) -> list[str]:
    """Path of each row in the inventory: of its image below `config.root`, or of its ready-made records."""
    return locations_of([row.id for row in rows], images=config.images, locations=config.locations)


def images_of(paths: Sequence[str], config: ScanConfig) -> list[list[str]]:
    """Paths or URLs of the images of each row, from its path in the inventory."""
    channels = () if config.reading.planes else config.channels
    return [[join(config.root, path) for path in image_paths(joined, channels)] for joined in paths]


def scan(images: Sequence[Sequence[str]], config: ScanConfig, *, threads: int) -> list[ScannedSample]:
    """Read the images of each row in several processes."""
    scan_one = functools.partial(
        scan_sample, image_feature=config.image_feature, gray=bool(config.channels), reading=config.reading
    )
    load = functools.partial(read_sample, image_feature=config.image_feature, reading=config.reading)
    with readable_records(images) as readable:
        return list(ordered_map(scan_one, readable, workers=threads, chunk=16, name=listing, load=load))


def inventory_table(
    rows: Sequence[Row], paths: Sequence[str], cells: Sequence[Mapping[str, str | int | float]], config: ScanConfig
) -> pd.DataFrame:
    """The inventory of some rows: the columns of `tables.INVENTORY` and the metadata.

    Args:
        rows: the rows.
        paths: see `paths_of`.
        cells: see `image_sources.ScannedSample.cells`.
        config: images and table of the split.
    """
    metadata = config.columns().metadata
    lines = [
        {
            "id": row.id,
            "target": row.target,
            "group": row.group,
            "path": path,
            **scanned,
            **dict(zip(metadata, row.metadata, strict=True)),
        }
        for row, path, scanned in zip(rows, paths, cells, strict=True)
    ]
    table = pd.DataFrame(lines, columns=[*INVENTORY, *config.metadata_columns])
    return table.astype({name: kind for name, kind in INVENTORY.items() if kind != TEXT})


def log_oddities(scanned: Sequence[ScannedSample], where: str) -> None:
    """Count what decoders may warn of, and what became of color profiles; one that is ignored is a warning.

    Args:
        scanned: the scan of each sample.
        where: the split and the shard.
    """
    oddities = Counter(oddity for sample in scanned for oddity in sample.oddities)
    if oddities:
        counts = listing([f"{name} ({count})" for name, count in sorted(oddities.items())])
        logger.info("%s: accepted, because no pixel is touched: %s", where, counts)
    profiles = Counter(profile for sample in scanned for profile in sample.profiles)
    for name, count in sorted(profiles.items()):
        level = logging.WARNING if name in (BROKEN, GAMMA_IGNORED) else logging.INFO
        logger.log(level, "%s: %s: %s", where, name, counted(count, "image"))


def check_as_planned(
    rows: Sequence[Row], images: Sequence[Sequence[str]], scanned: Sequence[ScannedSample], config: ScanConfig
) -> None:
    """Refuse rows and images that are not those from which the run was planned.

    A key tells what a job reads. If a table or an image changed since then, even for a moment, the outputs of this job
    would belong to another key, and a problem that is gone tomorrow would be remembered.

    Args:
        rows: rows of the shard.
        images: paths or URLs of the images of each row.
        scanned: the scan of each row.
        config: images and table of the split.

    Raises:
        FoldlineError: an image cannot be read, or rows or images changed.
    """
    unreadable = [
        f"{config.table}, line {row.line}: id {row.id!r}: image {problem}"
        for row, sample in zip(rows, scanned, strict=True)
        for problem in sample.unreadable
    ]
    if unreadable:
        raise FoldlineError(f"{listing(unreadable)}; restore the images, and run the same command again")
    contents = [sample.content for sample in scanned]

    def digest() -> str:
        cells = [[row.id, row.target, row.group, *row.metadata] for row in rows]
        return rows_digest(row_digests([*zip(*cells, strict=True), contents]))

    if digest() != config.digest and is_url(images[0][0]) and RecordLocation.parse(images[0][0]) is None:
        # A bucket lists no MD5 of objects that were composed of others.
        contents = [joint_digest([listed_checksum(url) for url in urls]) for urls in images]
    if digest() != config.digest:
        raise FoldlineError(
            f"{config.table}: rows of this shard, or their images, changed after the run was planned; leave tables and "
            "images alone while a workflow runs, and run the same command again"
        )


if __name__ == "__main__":
    with step(snakemake):
        scan_images(
            inventory=snakemake.output.inventory,
            thumbnails=snakemake.output.thumbnails,
            split=snakemake.wildcards.split,
            shard=snakemake.wildcards.shard,
            config=build(ScanConfig, snakemake.params.settings),
            threads=snakemake.threads,
        )
