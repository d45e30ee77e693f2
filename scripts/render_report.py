"""Render the report: one self-contained HTML page that shows a run, and its figures as PNG files.

Inputs: oof, metrics, test_metrics (none where the labels of the test rows are not known), holdout_metrics (none without
    a holdout), drift (between training and test images; none without a test split), recipe (of the blend), folds,
    inventory (shards of the train split), train_leaks, test_leaks, external_leaks (of each external set), look_alikes,
    class_weights (per fold), histories and provenances (per model and fold), samples (of fold 0 of each model that sees
    images), shards and manifests (train split).
Outputs: report (HTML), and one PNG per figure of `captions.figure_names`.
Parameters: the fields of `ReportConfig`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from foldline.errors import FoldlineError, listing
from foldline.evaluation.drift_results import Drift
from foldline.evaluation.oof import read_oof
from foldline.evaluation.score_columns import one_class_of
from foldline.io.files import atomic_write
from foldline.io.result_paths import member_of, model_and_member
from foldline.io.settings import build
from foldline.io.tables import FOLDS, INTEGER, INVENTORY, LEAKS, LOOK_ALIKES, REAL, read_table, read_tables
from foldline.report.captions import CAPTIONS, figure_names
from foldline.report.figures import FigureData, draw_figures
from foldline.report.images import decode_pixels, largest_errors, read_images, rows_of_every_label, worst_predictions
from foldline.report.json_inputs import BlendRecipe, FoldWeights, Metrics, Provenance, SplitMetrics, read_content
from foldline.report.page import page
from foldline.report.run import AuditFacts, Run, check_run
from foldline.step import step
from foldline.tfrecords.manifests import read_manifest

logger = logging.getLogger(__name__)

# Number of training images to show: of RGB images, and of samples with channels, each of which fills a row.
RGB_EXAMPLES, CHANNEL_EXAMPLES = 12, 5
HISTORY = {"epoch": INTEGER} | dict.fromkeys(("learning_rate", "loss", "auc", "accuracy"), REAL)
HISTORY |= dict.fromkeys(("val_loss", "val_auc", "val_accuracy"), REAL)


@dataclass(frozen=True)
class Inputs:
    """Files that the report shows.

    Attributes:
        oof: out-of-fold table.
        metrics: scores, from `evaluate`.
        test_metrics: scores of the test rows, from `score_test`; none where their labels are not known.
        holdout_metrics: scores of the holdout, from `score_holdout`; none without one.
        drift: comparison of the training and the test images, from `detect_drift`; none without a test split.
        recipe: description of the blend.
        folds: fold table.
        inventory: tables of the train images.
        train_leaks: duplicate pairs within the train images.
        test_leaks: tables of duplicate pairs with a test image; none where there is no test split.
        external_leaks: tables of duplicate pairs with an external image, FOLDER/SET.parquet, one for each set.
        look_alikes: table of images that look alike; none without embeddings.
        class_weights: files FOLDER/fold{fold}.json.
        histories: files FOLDER/{model}/fold{fold}/history.csv.
        provenances: files FOLDER/{model}/fold{fold}/provenance.json.
        samples: PNG files FOLDER/{model}/fold{fold}/samples.png of the first fold, each a grid of training images and
            augmented versions of them; none of models without images.
        shards: TFRecord files of the train images, of one size.
        manifests: the manifest of each shard, in the same order.
    """

    oof: str | Path
    metrics: str | Path
    test_metrics: Sequence[str | Path]
    holdout_metrics: Sequence[str | Path]
    drift: Sequence[str | Path]
    recipe: str | Path
    folds: str | Path
    inventory: Sequence[str | Path]
    train_leaks: str | Path
    test_leaks: Sequence[str | Path]
    external_leaks: Sequence[str | Path]
    look_alikes: Sequence[str | Path]
    class_weights: Sequence[str | Path]
    histories: Sequence[str | Path]
    provenances: Sequence[str | Path]
    samples: Sequence[str | Path]
    shards: Sequence[str | Path]
    manifests: Sequence[str | Path]


@dataclass(frozen=True)
class Outputs:
    """Files that the step writes.

    Attributes:
        report: the HTML page.
        figures: PNG file of each figure, by the names of `captions.figure_names`.
    """

    report: str | Path
    figures: Mapping[str, str | Path]


@dataclass(frozen=True)
class ReportConfig:
    """What the report takes from the configuration and from planning.

    Attributes:
        title: title of the page.
        wrong_images: maximum number of images in the figure of the largest errors.
        class_names: names of the classes, (n_classes,).
        group_column: column of the groups in the configuration; None if there is none.
        left_out: of each external set, the number of rows that are left out by each word of their labels.
        audit: how the leak audit searched.
    """

    title: str
    wrong_images: int
    class_names: tuple[str, ...]
    group_column: str | None
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    audit: AuditFacts = field(default_factory=AuditFacts)


def render_report(inputs: Inputs, outputs: Outputs, config: ReportConfig) -> None:
    """Write the figures and the page.

    Args:
        inputs: files to read.
        outputs: files to write.
        config: titles, names and numbers.

    Raises:
        FoldlineError: an input is damaged, or the inputs do not belong to one run.
    """
    run = replace(read_run(inputs), left_out=config.left_out, audit=config.audit)
    names = figure_names(one_class_per_image=run.metrics.one_class_per_image)
    if set(outputs.figures) != set(names):
        raise FoldlineError(
            f"the rule render_report has the figures {listing(sorted(outputs.figures))}, the report makes "
            f"{listing(sorted(names), limit=len(names))}; give the rule one output for each of these"
        )
    oof = read_oof(inputs.oof, config.class_names)
    grids = {model_and_member(path): decode_pixels(Path(path).read_bytes()) for path in inputs.samples}
    check_run(run, oof=oof, class_names=config.class_names, sample_grids=grids)
    pairs = oof.pairs()
    pairs = pairs[pairs["class"].isin(run.metrics.scored_classes)]
    exclusive = run.metrics.one_class_per_image
    if exclusive:
        weights = run.scored["row_weight"].to_numpy(np.float64) if run.metrics.weighted else None
        predicted = one_class_of(oof, run.metrics.threshold, weights)
        errors = worst_predictions(oof, predicted, config.wrong_images)
    else:
        errors = largest_errors(pairs, config.wrong_images)
    channels = read_manifest(inputs.manifests[0]).channels
    examples = rows_of_every_label(run.scored, CHANNEL_EXAMPLES if channels else RGB_EXAMPLES)
    data = FigureData(
        pairs=pairs,
        errors=errors,
        examples=examples,
        images=read_images([*errors["id"], *examples["id"]], inputs.shards, inputs.manifests),
        channels=channels,
        sample_grids={model: pixels for (model, _), pixels in sorted(grids.items())},
    )
    figures = draw_figures(run, data)
    for name, png in figures.items():
        with atomic_write(outputs.figures[name]) as handle:
            handle.write(png)
    html = page(
        run,
        title=config.title,
        group_column=config.group_column,
        figures=figures,
        look_alikes=_count(inputs.look_alikes),
    )
    with atomic_write(outputs.report, mode="w", encoding="utf-8", newline="") as handle:
        handle.write(html)
    logger.info("wrote %d figures and a page of %.1f MB", len(figures), len(html) / 1e6)


def _count(look_alikes: Sequence[str | Path]) -> int | None:
    """Number of pairs of images that look alike; None without the table."""
    return next((len(read_table(path, LOOK_ALIKES, key=("rank",))) for path in look_alikes), None)


def read_run(inputs: Inputs) -> Run:
    """Read the files that describe the run, all but its images and out-of-fold rows.

    Raises:
        FoldlineError: a file is damaged.
    """
    of_sets = {Path(path).stem: [path] for path in inputs.external_leaks}
    leaks = {"train": [inputs.train_leaks], **of_sets, "test": inputs.test_leaks}
    return Run(
        metrics=read_content(Metrics, inputs.metrics),
        test_metrics=next((read_content(SplitMetrics, path) for path in inputs.test_metrics), None),
        holdout_metrics=next((read_content(SplitMetrics, path) for path in inputs.holdout_metrics), None),
        drift=next((read_content(Drift, path) for path in inputs.drift), None),
        recipe=read_content(BlendRecipe, inputs.recipe),
        folds=read_table(inputs.folds, FOLDS),
        inventory=read_tables(inputs.inventory, INVENTORY),
        leaks={
            split: read_tables(paths, LEAKS, key=("id", "other_split", "other_id"))
            for split, paths in leaks.items()
            if paths
        },
        weights={member_of(path): read_content(FoldWeights, path) for path in inputs.class_weights},
        histories={model_and_member(path): read_table(path, HISTORY, key=("epoch",)) for path in inputs.histories},
        provenances={model_and_member(path): read_content(Provenance, path) for path in inputs.provenances},
    )


if __name__ == "__main__":
    with step(snakemake):
        render_report(
            Inputs(
                oof=snakemake.input.oof,
                metrics=snakemake.input.metrics,
                test_metrics=snakemake.input.test_metrics,
                holdout_metrics=snakemake.input.holdout_metrics,
                drift=snakemake.input.drift,
                recipe=snakemake.input.recipe,
                folds=snakemake.input.folds,
                inventory=snakemake.input.inventory,
                train_leaks=snakemake.input.train_leaks,
                test_leaks=snakemake.input.test_leaks,
                external_leaks=snakemake.input.external_leaks,
                look_alikes=snakemake.input.look_alikes,
                class_weights=snakemake.input.class_weights,
                histories=snakemake.input.histories,
                provenances=snakemake.input.provenances,
                samples=snakemake.input.samples,
                shards=snakemake.input.shards,
                manifests=snakemake.input.manifests,
            ),
            Outputs(snakemake.output.report, {name: path for name in CAPTIONS if (path := snakemake.output[name])}),
            build(ReportConfig, snakemake.params.settings),
        )
