"""Try a run on a few rows before it starts: all steps in a temporary folder, an estimate of time and disk, and a page.

Inputs: none that the workflow tracks; it reads the tables and a few images.
Outputs: none that the workflow tracks, so that a check runs whenever it is requested and makes nothing stale. It writes
    the page `check.html` in the working directory.
Parameters: settings, see `foldline.check.plan.CheckPlan`; page, path or URL of the page.
"""

import logging
import os
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
from class_weights import class_weights
from example_data import Outputs as ExampleOutputs
from example_data import example_data
from foldline.check.facts import page_facts, summary_lines
from foldline.check.plan import CheckPlan, FoldGroup
from foldline.check.rows import SHARD, Data, Sample, Tried
from foldline.check.sample import labeled_sample, sample_of_test, trial_folds
from foldline.dataset.dark_images import blank_images, dark_images
from foldline.dataset.sample_table import Row, read_rows
from foldline.dataset.scan_config import ScanConfig
from foldline.errors import Problems, counted, problems_error
from foldline.images.errors import with_remedy
from foldline.io.files import read_json
from foldline.io.settings import build
from foldline.io.storage import write_if_changed
from foldline.io.system_errors import explained, memory_remedy
from foldline.io.tables import FOLDS, INVENTORY, LEAKS, TEXT, read_table, write_table
from foldline.io.watchdog import working_on
from foldline.report.check_page import check_page
from foldline.runtime.devices import Device, use_device
from foldline.splits.class_weights import ClassWeights
from foldline.splits.fold_membership import TEST, TRAIN, training_rows
from foldline.step import untracked_step
from foldline.tfrecords.open_shards import open_shards
from foldline.training.checkpoints import Checkpoints
from foldline.training.fold_training import open_fold
from foldline.training.losses import make_loss
from foldline.training.trial import FoldTrial, Trial
from make_folds import Inputs as FoldsInputs
from make_folds import make_folds
from scan_images import images_of, inventory_table, paths_of, scan
from shard_records import Outputs as ShardOutputs
from shard_records import shard_records

logger = logging.getLogger(__name__)

# Steps whose log would be of a few rows, or repeats the page.
NOT_SCANNED = {
    **dict.fromkeys(("bytes", "width", "height", "contrast", "peak_sample", "white_sample"), 0),
    **dict.fromkeys(("sha256", "pixels_sha256", "perceptual_hash", "problem"), ""),
}
QUIET = ("class_weights", "example_data", "make_folds", "shard_records")


def check(plan: CheckPlan, *, page: str, threads: int) -> None:
    """Try all steps on a few rows, log what a run would train, and write the page.

    Args:
        plan: settings of the steps.
        page: path or URL of the page; it is written whole, or not at all.
        threads: CPU threads.

    Raises:
        FoldlineError: names all problems: of tables and folds, of the images that were tried, or of models; the page
            is written in the last case as well.
    """
    # All that this process did so far is to import the libraries.
    imports = time.process_time()
    with tempfile.TemporaryDirectory(prefix="foldline-check-") as name:
        folder = Path(name)
        logger.info("the check works in %s, and removes it at its end", folder)
        data = read_data(plan, folder)
        sample = write_sample(data, folder / "sample", threads=threads)
        device = use_device(plan.groups[0].settings.accelerator, threads=threads)
        trials = [try_group(group, plan, data, sample, device, threads=threads) for group in plan.groups]
        machine = f"{platform.node()} ({device.kind}, {counted(len(os.sched_getaffinity(0)), 'core')})"
        tried = Tried(trials, device.kind != "cpu", machine, imports)
        facts = page_facts(plan, data, sample, tried, weights=weights_of(plan, data, 0))
    write_if_changed(page, check_page(facts).encode())
    for line in summary_lines(facts, plan.jobs):
        logger.info("%s", line)
    logger.info("the page is %s", page)
    for text in facts.warnings:
        logger.warning("%s", text)
    if facts.problems:
        raise problems_error(facts.problems)
    logger.info("no %sproblem was found, and no result was written", "other " if facts.warnings else "")


def read_data(plan: CheckPlan, folder: Path) -> Data:
    """Read the tables and assign folds, without duplicates; the example is written to the temporary folder first.

    Raises:
        FoldlineError: as the steps `scan_images` and `make_folds`.
    """
    scans, shards = plan.scans, plan.shards
    if plan.example:
        root = folder / "example"
        tables = {split: root / Path(config.table).name for split, config in scans.items()}
        outputs = ExampleOutputs(tables["train"], tables["test"], root / "sample_submission.csv")
        example_data(pinned=plan.pinned, outputs=outputs, example=plan.example)
        scans = {split: replace(config, root=str(root), table=str(tables[split])) for split, config in scans.items()}
        shards = {key: replace(config, root=str(root)) for key, config in shards.items()}
    rows = {split: read_rows(config.table, config.columns()) for split, config in scans.items()}
    inventories = {}
    for split in rows.keys() - {TEST}:
        paths = paths_of(rows[split], scans[split])
        table = inventory_table(rows[split], paths, [NOT_SCANNED] * len(paths), scans[split])
        inventories[split] = folder / "inventory" / f"{split}.parquet"
        write_table(table, inventories[split], INVENTORY)
    leaks, folds = folder / "leaks.parquet", folder / "folds.csv"
    none = pd.DataFrame({name: pd.Series(dtype=object if kind == TEXT else kind) for name, kind in LEAKS.items()})
    write_table(none, leaks, LEAKS, key=("id", "other_id"))
    external = {split: [path] for split, path in inventories.items() if split != TRAIN}
    inputs = FoldsInputs([inventories[TRAIN]], leaks, external, [leaks] * len(external))
    make_folds(inputs, folds, plan.folds, weights=plan.weights, cells=plan.cells)
    return Data(scans, shards, rows, read_table(folds, FOLDS), folds)


def write_sample(data: Data, folder: Path, *, threads: int) -> Sample:
    """Scan a few rows of each split and write them as shards of each size.

    Raises:
        FoldlineError: names the images that cannot be used.
    """
    labeled = labeled_sample(data.folds, has_test=TEST in data.rows)
    chosen = {split: set(of_split["id"]) for split, of_split in labeled.groupby("split")}
    if TEST in data.rows:
        chosen[TEST] = set(sample_of_test([row.id for row in data.rows[TEST]]))
    problems, scan_seconds, inventories = Problems(), {}, {}
    for split, ids in chosen.items():
        rows = [row for row in data.rows[split] if row.id in ids]
        with problems.collected():
            inventories[split] = folder / "inventory" / f"{split}.parquet"
            scan_seconds[split] = write_inventory(rows, data.scans[split], inventories[split], threads=threads)
    problems.check()
    shard_costs = {}
    for key, config in data.shards.items():
        size, _, split = key.partition("/")
        stem = folder / size / split / SHARD
        outputs = ShardOutputs(stem.with_suffix(".tfrec"), stem.with_suffix(".json"))
        start = time.monotonic()
        shard_records(
            inventory=[inventories[split]],
            outputs=outputs,
            split=split,
            shard=SHARD,
            size=int(size),
            config=config,
            threads=threads,
        )
        count = len(chosen[split])
        shard_costs[key] = (time.monotonic() - start) / count, stem.with_suffix(".tfrec").stat().st_size / count
    return Sample(folder, labeled, list(chosen), scan_seconds, shard_costs, image_warnings(inventories))


def image_warnings(inventories: Mapping[str, Path]) -> list[str]:
    """What looks wrong in the images of the sample, a line for each split and kind.

    Args:
        inventories: split -> inventory of its rows.
    """
    tables = {split: read_table(path, INVENTORY) for split, path in inventories.items()}
    return [
        f"{split}, of the images that were tried: {text}"
        for split, table in tables.items()
        for text in filter(None, (dark_images(table), blank_images(table)))
    ]


def write_inventory(rows: Sequence[Row], config: ScanConfig, inventory: Path, *, threads: int) -> float:
    """Scan the images of a few rows and write their inventory.

    Returns:
        Seconds to read a row.

    Raises:
        FoldlineError: names the images that cannot be used.
    """
    paths = paths_of(rows, config)
    images = images_of(paths, config)
    # The first image also imports the decoders.
    scan(images[:1], config, threads=threads)
    start = time.monotonic()
    scanned = scan(images, config, threads=threads)
    seconds = (time.monotonic() - start) / len(rows)
    problems = [
        f"{config.table}, line {row.line}: image of id {row.id} cannot be used: {with_remedy(problem)}"
        for row, sample in zip(rows, scanned, strict=True)
        for problem in (*sample.unreadable, *filter(None, [sample.cells["problem"]]))
    ]
    if problems:
        raise problems_error(problems)
    write_table(inventory_table(rows, paths, [sample.cells for sample in scanned], config), inventory, INVENTORY)
    return seconds


def try_group(
    group: FoldGroup, plan: CheckPlan, data: Data, sample: Sample, device: Device, *, threads: int
) -> Trial | str:
    """Try the training and the prediction of one fold on the sample.

    Returns:
        What was measured, or why the fold cannot be trained, in one line that names the model.
    """
    logger.info("trying %s", group.name)
    settings, size = group.settings, group.settings.model_config.image_size
    folder = sample.folder / "trials" / f"{settings.model}.{settings.member}"
    settings = replace(settings, checkpoints=replace(settings.checkpoints, folder=str(folder / "checkpoints")))
    folds = trial_folds(
        sample.labeled,
        fold=settings.member.fold,
        other=(settings.member.fold + 1) % plan.folds.count,
        class_names=plan.folds.class_names,
    )
    # The few rows of a trial are trained on, even those of weight 0.
    folds["row_weight"] = folds["row_weight"].mask(folds["row_weight"] == 0, 1.0)
    write_table(folds, folder / "folds.csv", FOLDS)
    shards, manifests = sample.files(size, [split for split in sample.splits if split != TEST])
    predicted = sample.files(size, [TEST if TEST in sample.splits else TRAIN])
    try:
        with working_on(f"model {group.name}"):
            weights = weights_of(plan, data, settings.member.fold)
            loss = make_loss(
                settings.training_config.loss, [asdict(row) for row in weights], activation=settings.activation
            )
            rows = len(training_rows(data.folds, settings.member.fold))
            settings = settings.with_batch_for(rows, device)
            opened = open_fold(settings, shards=shards, manifests=manifests, folds=folder / "folds.csv")
            checkpoints = Checkpoints(settings.checkpoints, "trial", "0" * 64)
            trial = FoldTrial(settings, opened, device, loss=loss, checkpoints=checkpoints, threads=threads)
            test_shards = open_shards(*predicted, image_size=size)
            return trial.try_out(test_shards, plan.prediction, rows=rows, folder=folder)
    except Exception as error:
        known = explained(error, remedy=memory_remedy(settings.model))
        if known is None:
            raise
        return f"models.{settings.model}, {settings.member.title}: {str(known).removeprefix(f'{group.name}: ')}"


def weights_of(plan: CheckPlan, data: Data, fold: int) -> list[ClassWeights]:
    """Weights of the classes in the training rows of a fold.

    Raises:
        FoldlineError: as the step `class_weights`.
    """
    path = data.path.with_name(f"class_weights{fold}.json")
    class_weights(folds=data.path, weights=path, fold=fold, config=plan.class_weights)
    return [ClassWeights(**row) for row in read_json(path)["classes"]]


if __name__ == "__main__":
    with untracked_step(snakemake):
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
        check(build(CheckPlan, snakemake.params.settings), page=snakemake.params.page, threads=snakemake.threads)
