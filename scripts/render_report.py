"""Show a run on one page that can be read, printed and sent as a single file.

Inputs: oof, metrics, recipe (of the blend), folds, inventory (shards of the train split), train_leaks, test_leaks,
    external_leaks (none without external rows), class_weights (per fold), histories and provenances (per model and
    fold), samples (of the fold 0 of each model that sees images), shards and manifests (train split).
Outputs: report (HTML), and one PNG per figure: training_images, class_balance, folds, learning_curves,
    architectures, augmented_samples, roc, precision_recall, score_histogram, calibration, most_wrong.
Parameters: title, wrong_images, class_names.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from foldline.dataset.channels import image_features
from foldline.dataset.id_hash import shard_index, shard_numbers
from foldline.dataset.label_arrays import label_array
from foldline.errors import FoldlineError, listing
from foldline.evaluation.oof import BLEND, read_oof
from foldline.images.composite import composite
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.io.files import atomic_write, read_json
from foldline.io.tables import FOLDS, INTEGER, INVENTORY, LEAKS, REAL, read_table, read_tables
from foldline.report import score_plots, training_plots
from foldline.report.figure_style import png_bytes, style
from foldline.report.page import CAPTIONS, page
from foldline.report.tables import Run, shown_columns
from foldline.step import step
from foldline.tfrecords.shards import check_shards, decode_record, read_manifest, read_records

log = logging.getLogger(__name__)

# Training images that are shown: of one image, and of channels, each of which takes a line.
IMAGES, CHANNEL_SAMPLES = 12, 5
HISTORY = {"epoch": INTEGER, "learning_rate": REAL, "loss": REAL, "val_loss": REAL, "val_auc": REAL}


def render_report(
    *,
    oof: str | Path,
    metrics: str | Path,
    recipe: str | Path,
    folds: str | Path,
    inventory: Sequence[str | Path],
    train_leaks: str | Path,
    test_leaks: str | Path,
    external_leaks: Sequence[str | Path],
    class_weights: Sequence[str | Path],
    histories: Sequence[str | Path],
    provenances: Sequence[str | Path],
    samples: Sequence[str | Path],
    shards: Sequence[str | Path],
    manifests: Sequence[str | Path],
    report: str | Path,
    figures: Mapping[str, str | Path],
    title: str,
    wrong_images: int,
    class_names: Sequence[str],
) -> None:
    """Write the figures and the page.

    Args:
        oof: out-of-fold table.
        metrics: scores, from `evaluate`.
        recipe: description of the blend.
        folds: fold table.
        inventory: tables of the train images.
        train_leaks: duplicate pairs within the train images.
        test_leaks: duplicate pairs with a test image.
        external_leaks: tables of duplicate pairs with an external image; none where there is no external split.
        class_weights: files FOLDER/fold{fold}.json.
        histories: files FOLDER/{model}/fold{fold}/history.csv.
        provenances: files FOLDER/{model}/fold{fold}/provenance.json.
        samples: PNG files FOLDER/{model}/fold0/samples.png, each a grid of training images and augmented versions of
            them; models that see no images have none.
        shards: TFRecord files of the train images, of one size.
        manifests: the manifest of each shard, in the same order.
        report: where the page goes.
        figures: where each figure goes, by the names of `report.CAPTIONS`.
        title: title of the page.
        wrong_images: how many of the most wrong images are shown.
        class_names: (n_classes,).

    Raises:
        FoldlineError: the inputs do not belong together.
    """
    if set(figures) != set(CAPTIONS):
        raise FoldlineError(f"figures {listing(sorted(figures))}; the report has {listing(sorted(CAPTIONS))}")
    table = read_oof(oof, class_names).pairs()
    run = Run(
        metrics=read_json(metrics),
        recipe=read_json(recipe),
        folds=read_table(folds, FOLDS),
        inventory=read_tables(inventory, INVENTORY),
        leaks={
            name: read_tables(paths, LEAKS, key=("id", "other_split", "other_id"))
            for name, paths in (("train", [train_leaks]), ("external", external_leaks), ("test", [test_leaks]))
            if paths
        },
        weights={fold_of(path): read_json(path) for path in class_weights},
        histories={model_and_fold(path): read_table(path, HISTORY, key=("epoch",)) for path in histories},
        provenances={model_and_fold(path): read_json(path) for path in provenances},
    )
    grids = {model_and_fold(path): _pixels(Path(path).read_bytes()) for path in samples}
    _check(run, table, class_names, grids)
    scored = table[table["class"].isin(run.metrics["scored_classes"])]
    wrong = most_wrong(scored, wrong_images)
    channels = read_manifest(manifests[0])["channels"]
    shown = of_every_label(run.scored, CHANNEL_SAMPLES if channels else IMAGES)
    pictures = read_pictures([*wrong["id"], *shown["id"]], shards, manifests)
    colored = {name: composite(pixels, channels) for name, pixels in pictures.items()}
    with style():
        drawn = {name: png_bytes(figure) for name, figure in _figures(run, scored, wrong, colored, grids).items()}
        examples = [(pictures[row.id], row.id, label_words(row.target, class_names)) for row in shown.itertuples()]
        drawn["training_images"] = png_bytes(training_plots.training_images(examples, channels))
    for name, data in drawn.items():
        with atomic_write(figures[name]) as handle:
            handle.write(data)
    html = page(run, title=title, figures=drawn)
    with atomic_write(report, mode="w", encoding="utf-8", newline="") as handle:
        handle.write(html)
    log.info("%d figures and a page of %.1f MB", len(drawn), len(html) / 1e6)


def most_wrong(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows whose blended score is furthest from the label, the furthest first; ties by id.

    Args:
        table: pairs of sample and class (`oof.Oof.pairs`).
        count: how many at most.
    """
    distance = (table[BLEND] - table["target"]).abs()
    return table.assign(distance=-distance).sort_values(["distance", "id"], kind="stable").head(count)


def of_every_label(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """Some rows of the fold table, the first of each label by id, then the second of each, and so on.

    Args:
        table: rows with id and target.
        count: how many at most.
    """
    ordered = table.sort_values("id", kind="stable")
    turn = ordered.groupby("target").cumcount()
    return ordered.assign(turn=turn).sort_values(["turn", "target"], kind="stable").head(count)


def label_words(target: str, class_names: Sequence[str]) -> str:
    """Names of the classes of a label code; of a single class, its name and its label."""
    if len(class_names) == 1:
        return f"{class_names[0]} {target}"
    return ", ".join(name for name, bit in zip(class_names, target, strict=True) if bit == "1") or "no class"


def read_pictures(
    names: Sequence[str], shards: Sequence[str | Path], manifests: Sequence[str | Path]
) -> dict[str, np.ndarray]:
    """Pixels of some records: uint8, (height, width, C), by id. Shards without any of them are not read.

    Raises:
        FoldlineError: a shard is damaged, or an id is in none.
    """
    found: dict[str, np.ndarray] = {}
    for path, manifest in zip(shards, check_shards(shards, manifests), strict=True):
        index, count = shard_numbers(manifest["shard"])
        wanted = {name for name in names if shard_index(name, count) == index}
        for data in read_records(path) if wanted else ():
            record = decode_record(data, manifest["features"], manifest["channels"])
            if record.id in wanted:
                planes = [_pixels(record.images[name]) for name in image_features(manifest["channels"])]
                found[record.id] = np.concatenate(planes, axis=2)
                wanted.discard(record.id)
            if not wanted:
                break
    absent = [name for name in names if name not in found]
    if absent:
        raise FoldlineError(f"{Path(shards[0]).parent}: no shard holds id {listing(absent)}; build the shards again")
    return found


def _pixels(data: bytes) -> np.ndarray:
    """Pixels of an image file: uint8, (height, width, 1 or 3)."""
    return decode(data, read_header(data)).pixels


def fold_of(path: str | Path) -> int:
    """Fold from the name of a file or folder: fold3 or fold3.json is 3."""
    name = Path(path).stem
    if not name.startswith("fold") or not name[4:].isdecimal():
        raise FoldlineError(f"{path}: {name!r} is not the name of a fold, such as fold3")
    return int(name[4:])


def model_and_fold(path: str | Path) -> tuple[str, int]:
    """Model and fold from the place of a file: FOLDER/{model}/fold{fold}/FILE."""
    folder = Path(path).parent
    return folder.parent.name, fold_of(folder)


def _check(
    run: Run, table: pd.DataFrame, class_names: Sequence[str], grids: Mapping[tuple[str, int], np.ndarray]
) -> None:
    if run.class_names != list(class_names):
        raise FoldlineError(f"the metrics are of class {listing(run.class_names)}, not {listing(list(class_names))}")
    expected = {(model, fold) for model in run.recipe["models"] for fold in run.scored["fold"].unique()}
    for name, found in (("histories", run.histories), ("provenances", run.provenances)):
        if set(found) != expected:
            odd = sorted(f"{model}/fold{fold}" for model, fold in set(found) ^ expected)
            raise FoldlineError(f"{name} and metrics are of other models and folds: {listing(odd)}")
    strangers = sorted(f"{model}/fold{fold}" for model, fold in set(grids) - expected)
    if strangers:
        raise FoldlineError(f"samples of other models and folds than the metrics: {listing(strangers)}")
    rows = table["id"].nunique()
    if run.metrics["rows"] != rows or len(run.scored) != rows:
        raise FoldlineError(
            f"{rows} out-of-fold rows, metrics of {run.metrics['rows']}, {len(run.scored)} train rows with a "
            "fold; run the workflow again"
        )


def _figures(
    run: Run,
    table: pd.DataFrame,
    wrong: pd.DataFrame,
    pictures: Mapping[str, np.ndarray],
    grids: Mapping[tuple[str, int], np.ndarray],
) -> dict[str, Any]:
    columns = shown_columns(run)
    several = len(run.class_names) > 1
    scores = run.metrics["models"]
    bins = {column: scores[column]["calibration"]["bins"] for column in columns}
    return {
        "class_balance": training_plots.class_balance(
            label_array(list(run.scored["target"]), run.class_names), {k: v["classes"] for k, v in run.weights.items()}
        ),
        "folds": training_plots.folds(run.folds, run.class_names),
        "learning_curves": training_plots.learning_curves(run.histories),
        "architectures": training_plots.architectures(
            {model: run.provenances[model, 0]["outline"] for model in run.recipe["models"]}
        ),
        "augmented_samples": training_plots.augmented_samples(
            {model: pixels for (model, _), pixels in sorted(grids.items())}
        ),
        "roc": score_plots.roc(table, _titles(run, columns, "auc", "AUC")),
        "precision_recall": score_plots.precision_recall(table, _titles(run, columns, "average_precision", "AP")),
        "score_histogram": score_plots.score_histogram(table, columns),
        "calibration": score_plots.calibration(
            bins, {column: name for column, name in columns.items() if bins[column]}
        ),
        "most_wrong": score_plots.most_wrong(
            [
                (pictures[row["id"]], row["id"], label if several else "label", row["target"], row[BLEND])
                for label, row in zip(wrong["class"], wrong.to_dict("records"), strict=True)
            ]
        ),
    }


def _titles(run: Run, columns: Mapping[str, str], metric: str, word: str) -> dict[str, str]:
    pooled = {column: run.metrics["models"][column][metric]["value"] for column in columns}
    return {column: f"{name}\n{word} {pooled[column]:.4f}" for column, name in columns.items()}


if __name__ == "__main__":
    with step(snakemake):
        render_report(
            oof=snakemake.input.oof,
            metrics=snakemake.input.metrics,
            recipe=snakemake.input.recipe,
            folds=snakemake.input.folds,
            inventory=snakemake.input.inventory,
            train_leaks=snakemake.input.train_leaks,
            test_leaks=snakemake.input.test_leaks,
            external_leaks=snakemake.input.external_leaks,
            class_weights=snakemake.input.class_weights,
            histories=snakemake.input.histories,
            provenances=snakemake.input.provenances,
            samples=snakemake.input.samples,
            shards=snakemake.input.shards,
            manifests=snakemake.input.manifests,
            report=snakemake.output.report,
            figures={name: snakemake.output[name] for name in CAPTIONS},
            **snakemake.params.settings,
        )
