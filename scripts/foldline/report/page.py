"""The report page: captions, and everything put into one self-contained HTML file."""

import base64
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from foldline.errors import listing
from foldline.evaluation.oof import BLEND
from foldline.evaluation.scores import TOP
from foldline.evaluation.thresholds import BEST_F1
from foldline.report.findings import findings, method
from foldline.report.tables import (
    Run,
    class_rows,
    data_facts,
    fold_rows,
    fold_scores,
    leak_tables,
    model_rows,
    pooled_rows,
    shown_columns,
    subgroup_tables,
)

TEMPLATE = "template.html"
# Pixels of a figure to a pixel of the page: sharp on fine screens and on paper.
PIXELS = 1.35
NO_VALUE, MINUS = "\u2013", "\u2212"
CONTENTS = (
    ("summary", "In short"),
    ("scores", "Scores"),
    ("calibration-section", "Calibration"),
    ("subgroups", "Subgroups"),
    ("wrong", "Most wrong images"),
    ("data", "Data"),
    ("leaks", "Leak audit"),
    ("folds-section", "Folds"),
    ("training", "Training"),
    ("method", "How the numbers were made"),
)
# Title and how to read it, by figure.
CAPTIONS = {
    "training_images": (
        "Training images",
        "Images as they stand in the shards, with their labels, one of each label after the other. Where samples have "
        "channels, a line is one sample: all channels in colors, then each alone. Channels that do not show one and "
        "the same place were joined wrongly before they came here.",
    ),
    "class_balance": (
        "Labels and their weights",
        "Left: how many images carry each label. Right: how much a row of each label counts in the loss, for every "
        "fold held out; weights of 1 throughout mean that none are used, and weights far apart mean that rare labels "
        "count more. Several classes stand in the order of the configuration.",
    ),
    "folds": (
        "Rows and positives per fold",
        "Bars of one length with colored ends of one length are what a good split looks like; of several classes, "
        "columns of equal numbers. Whole groups move together, so small differences remain. External images, where "
        "there are any, are trained on and never scored; those tied to images of a fold are withheld while it is held "
        "out.",
    ),
    "learning_curves": (
        "Learning curves",
        "Left: loss on the training rows (dashed) and on the fold held out (solid), a color per fold. A solid line "
        "that rises while its dashed line falls is overfitting. Middle: the AUC on the fold held out; one fold far "
        "below the others deserves a look at its images. Right: the learning rate at the end of each epoch.",
    ),
    "architectures": (
        "Networks",
        "From the image at the left to one logit per class at the right: a box is all layers that keep the size of the "
        "picture, as high as that is on a logarithmic scale, the darker the more channels; red boxes see metadata. "
        "Below stand the last shape, how many layers and how many weights.",
    ),
    "augmented_samples": (
        "Augmented training images",
        "A training image at the left of each row, as it is stored, and seven versions of it as the model of fold 0 "
        "sees them. A row in which the label could no longer be told by eye is augmented too much.",
    ),
    "roc": (
        "ROC curves",
        "How many positives are found (up) at the price of how many false alarms (right), over all thresholds. The "
        "nearer to the upper left corner the better; the diagonal is guessing. Thin lines are single folds, the thick "
        "one all rows; where it runs below most folds, the models of the folds score on different scales. Of several "
        "classes thin lines are the classes, and the thick one all pairs of a row and a class.",
    ),
    "precision_recall": (
        "Precision and recall",
        "Of the images called positive, how many are (up), while more and more positives are found (right). The dotted "
        "line is guessing, at the share of positives. With rare positives this says more than the ROC curve.",
    ),
    "score_histogram": (
        "Scores by label",
        "Two hills far apart are two labels told apart. Where they overlap, no threshold is right for all images.",
    ),
    "calibration": (
        "Calibration",
        "Points on the diagonal: a score of 0.3 is right three times in ten. Below it the scores are too high, above "
        "it too low. Bars are 95% intervals; the lower panel shows how many rows stand behind each point.",
    ),
    "most_wrong": (
        "The most wrong out-of-fold images",
        "Label and score are furthest apart here, the furthest first. A red frame is a positive that was scored low, a "
        "blue frame a negative that was scored high.",
    ),
}


def page(run: Run, *, title: str, figures: Mapping[str, bytes]) -> str:
    """The page as HTML.

    Args:
        run: what is known.
        title: title of the page.
        figures: PNG bytes by the names of `CAPTIONS`.
    """
    columns = shown_columns(run)
    blend = run.metrics["models"][BLEND]
    reliable = BLEND if blend["calibration"]["bins"] else run.recipe["models"][0]
    subgroups = subgroup_tables(blend["subgroups"])
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            title=title,
            subtitle=f"{listing(run.metrics['scored_classes'], limit=4)}: {run.metrics['rows']:,} labeled images, "
            f"{run.recipe['test_rows']:,} images to predict",
            key=_key_figures(run, blend),
            contents=[entry for entry in CONTENTS if entry[0] != "subgroups" or subgroups],
            findings=findings(run),
            confidence=f"{run.metrics['confidence']:.0%}",
            metrics=run.metrics,
            columns=columns,
            main_name=columns[BLEND],
            pooled=pooled_rows(run, columns),
            ranks=run.metrics["blend_rule"] == "rank_mean",
            top=[TOP] if TOP in blend else [],
            threshold="best F1" if run.metrics["threshold"] == BEST_F1 else run.metrics["threshold"],
            by_fold=fold_scores(run, columns),
            classes=class_rows(run) if len(run.metrics["classes"]) > 1 else [],
            scored_classes=run.metrics["scored_classes"],
            positives=run.scored_positives,
            reliability={
                "name": columns.get(reliable, reliable),
                **run.metrics["models"][reliable]["calibration"],
            },
            subgroups=subgroups,
            data=data_facts(run),
            leaks=leak_tables(run.leaks),
            merged_groups=run.inventory["group"].nunique() - run.scored["group"].nunique(),
            fold_rows=fold_rows(run),
            weight_method=next(iter(run.weights.values()))["method"],
            training=model_rows(run),
            method=method(run),
            figures={name: _figure(name, data) for name, data in figures.items()},
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        score=lambda value: NO_VALUE if value is None else f"{value:.4f}",
        signed=lambda value: NO_VALUE if value is None else f"{value:+.4f}".replace("-", MINUS),
        whole=lambda value: f"{value:,}",
        limit=lambda value: f"{value:.3f}",
        percent=lambda value: f"{value:.1%}",
    )
    return environment


def _figure(name: str, data: bytes) -> dict[str, Any]:
    title, caption = CAPTIONS[name]
    # Width and height stand in the header of a PNG; with them the page does not jump while it loads.
    width, height = struct.unpack(">II", data[16:24])
    return {
        "title": title,
        "caption": caption,
        "data": base64.b64encode(data).decode("ascii"),
        "width": round(width / PIXELS),
        "height": round(height / PIXELS),
    }


def _key_figures(run: Run, blend: Mapping[str, Any]) -> list[dict[str, str]]:
    area = blend["auc"]
    reach = f"{area['low']:.3f} to {area['high']:.3f} ({run.metrics['confidence']:.0%} interval)" if area["low"] else ""
    rows, groups = run.metrics["rows"], run.metrics["groups"]
    positives, scored = run.scored_positives, len(run.metrics["scored_classes"])
    models = run.recipe["models"]
    return [
        {
            "name": f"Out-of-fold {'mean ' if scored > 1 else ''}ROC AUC",
            "value": f"{area['value']:.3f}",
            "detail": reach,
        },
        {
            "name": "Training images",
            "value": f"{rows:,}",
            "detail": f"in {groups:,} groups" if groups < rows else "each on its own",
        },
        {"name": "Positives", "value": f"{positives / rows:.1%}", "detail": f"{positives:,} images"}
        if scored == 1
        else {"name": "Classes", "value": str(scored), "detail": f"{positives / rows:.2f} to an image"},
        {
            "name": "Folds",
            "value": str(run.metrics["folds"]),
            "detail": "" if blend["folds_sd"]["auc"] is None else f"AUC sd {blend['folds_sd']['auc']:.3f}",
        },
        {
            "name": "Model" if len(models) == 1 else "Models",
            "value": models[0] if len(models) == 1 else str(len(models)),
            "detail": "" if len(models) == 1 else ", ".join(models[:4]) + (", …" if len(models) > 4 else ""),
        },
        {"name": "Trained on", "value": run.devices(models), "detail": f"{len(run.histories)} trainings"},
    ]
