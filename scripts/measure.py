"""Measure the samples of training images with more than 8 bits, and say what `dataset.intensity` should be.

Inputs: none that the workflow tracks; it reads the table and all images of the train split.
Outputs: none but its log, so that it runs whenever it is requested and makes nothing stale.
Parameters: settings, see `foldline.check.intensity.MeasurePlan`.
"""

import functools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from example_data import Outputs, example_data
from foldline.check.intensity import MeasuredImages, MeasurePlan, advice, channel_line, channels_of, measure_images
from foldline.dataset.sample_table import read_rows
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import FoldlineError, counted, listing
from foldline.io.settings import build
from foldline.io.workers import ordered_map
from foldline.step import untracked_step
from foldline.tfrecords.compressed_files import readable_records
from scan_images import images_of, paths_of

logger = logging.getLogger(__name__)

# Lines of progress.
LINES = 20


def measure(plan: MeasurePlan, *, threads: int) -> None:
    """Log what was measured of each channel, and what to write into the configuration.

    Args:
        plan: the images.
        threads: number of processes that read images.

    Raises:
        FoldlineError: the table cannot be used, or no image can be read.
    """
    with tempfile.TemporaryDirectory(prefix="foldline-measure-") as folder:
        scan = with_example(plan, Path(folder)) if plan.example else plan.scan
        rows = read_rows(scan.table, scan.columns())
        images = images_of(paths_of(rows, scan), scan)
        problems: list[str] = []
        channels = channels_of(measured(images, scan, problems, threads=threads))
    if problems:
        logger.warning(
            "%s cannot be used and %s not measured: %s; repair or replace the files, or remove their rows from %s",
            counted(len(problems), "image"),
            "is" if len(problems) == 1 else "are",
            listing(problems),
            scan.table,
        )
    if len(problems) == len(images):
        raise FoldlineError(f"{scan.table}: no training image can be used; see the problems above")
    if not channels:
        logger.info(
            "nothing to set: no training image has more than 8 bits, apart from palettes, DICOM files in color and "
            "DICOM files that are shown in a window (dataset.dicom_window)"
        )
        return
    for channel in channels:
        logger.info("%s", channel_line(channel))
    logger.info("%s", "\n".join(advice(channels, scan.reading.white)))
    logger.info("only training images were measured; in every split, a sample above white is an error of the scan")


def with_example(plan: MeasurePlan, folder: Path) -> ScanConfig:
    """Write the example into a folder, and look there."""
    tables = [folder / name for name in (Path(plan.scan.table).name, "test_rows.csv", "submission.csv")]
    example_data(pinned=plan.pinned, outputs=Outputs(*tables), example=str(plan.example))
    return replace(plan.scan, root=str(folder), table=str(tables[0]))


def measured(
    images: Sequence[Sequence[str]], scan: ScanConfig, problems: list[str], *, threads: int
) -> Iterator[MeasuredImages]:
    """Measure all images in several processes, log the progress, and collect the problems."""
    function = functools.partial(
        measure_images, image_feature=scan.image_feature, channels=scan.channels, reading=scan.reading
    )
    step = max(1, -(-len(images) // LINES))
    with readable_records(images) as readable:
        results = ordered_map(function, readable, workers=threads, chunk=4, name=listing)
        for number, result in enumerate(results, start=1):
            problems += filter(None, [result.problem])
            yield result
            if number % step == 0 or number == len(images):
                logger.info("measured %s of %s", f"{number:,}", counted(len(images), "training image"))


if __name__ == "__main__":
    with untracked_step(snakemake):
        measure(build(MeasurePlan, snakemake.params.settings), threads=snakemake.threads)
