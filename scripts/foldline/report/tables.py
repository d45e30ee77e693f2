"""What the report shows, as plain tables and values made from the outputs of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from foldline.dataset.label_arrays import label_array
from foldline.evaluation.oof import BLEND
from foldline.splits.fold_membership import NO_FOLD, external_rows, scored_rows

SHOWN_ROWS = 20
RULES = {"mean": "mean of probabilities", "rank_mean": "mean of ranks"}


@dataclass(frozen=True)
class Run:
    """What the page is made from.

    Attributes:
        metrics: content of the metrics file.
        recipe: content of the blend's file.
        folds: fold table, external rows included.
        inventory: inventory of the train split.
        leaks: duplicate pairs, by split: "train", "test" and, where there are external rows, "external".
        weights: fold -> content of its class weights file.
        histories: (model, fold) -> training history.
        provenances: (model, fold) -> what its weights were made from (settings, device, replicas, ...).
    """

    metrics: Mapping[str, Any]
    recipe: Mapping[str, Any]
    folds: pd.DataFrame
    inventory: pd.DataFrame
    leaks: Mapping[str, pd.DataFrame]
    weights: Mapping[int, Mapping[str, Any]]
    histories: Mapping[tuple[str, int], pd.DataFrame]
    provenances: Mapping[tuple[str, int], Mapping[str, Any]]

    @property
    def scored(self) -> pd.DataFrame:
        """The rows of the fold table that are scored."""
        return scored_rows(self.folds)

    @property
    def class_names(self) -> list[str]:
        """Names of all classes."""
        return [row["name"] for row in self.metrics["classes"]]

    @property
    def scored_positives(self) -> int:
        """Positive labels of the classes that are scored."""
        return sum(row["positives"] for row in self.metrics["classes"] if row["name"] in self.metrics["scored_classes"])

    def settings(self, model: str, name: str) -> list[Any]:
        """The values of a setting over the folds of a model, each once, in the order of the folds."""
        values = [
            content["settings"][name] for (owner, _), content in sorted(self.provenances.items()) if owner == model
        ]
        return [value for number, value in enumerate(values) if value not in values[:number]]

    def devices(self, models: Sequence[str]) -> str:
        """What models were trained on: CPU, GPU, 8 x TPU."""
        kinds = {
            (content["device"].upper(), content["replicas"])
            for (model, _), content in self.provenances.items()
            if model in models
        }
        return ", ".join(kind if count == 1 else f"{count} x {kind}" for kind, count in sorted(kinds))


def shown_columns(run: Run) -> dict[str, str]:
    """Score columns to show and their names, the blend first; the mean of one model is that model, shown once."""
    models = run.recipe["models"]
    if len(models) == 1 and run.metrics["blend_rule"] == "mean":
        return {BLEND: models[0]}
    return {BLEND: "blend", **{model: model for model in models}}


def whiskers(scores: Sequence[Mapping[str, Any]]) -> list[dict[str, float] | None]:
    """Places of interval and value in percent of a common axis; None where there is no interval."""
    drawn = [score for score in scores if score["low"] is not None]
    if not drawn:
        return [None] * len(scores)
    low, high = min(score["low"] for score in drawn), max(score["high"] for score in drawn)
    width = (high - low) or 1.0
    return [
        None
        if score["low"] is None
        else {
            "left": round(100 * (score["low"] - low) / width, 1),
            "dot": round(100 * (score["value"] - low) / width, 1),
            "width": round(100 * (score["high"] - score["low"]) / width, 1),
        }
        for score in scores
    ]


def pooled_rows(run: Run, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """Scores of all rows together, a row per column."""
    scores = run.metrics["models"]
    lines = whiskers([scores[column]["auc"] for column in columns])
    return [
        {
            "name": name,
            "detail": RULES[run.metrics["blend_rule"]] if column == BLEND and len(columns) > 1 else "",
            "strong": column == BLEND and len(columns) > 1,
            "scores": scores[column],
            "calibration": scores[column]["calibration"],
            "line": line,
        }
        for (column, name), line in zip(columns.items(), lines, strict=True)
    ]


def fold_scores(run: Run, columns: Mapping[str, str]) -> dict[str, Any]:
    """AUC of each column by fold, with mean, standard deviation, pooled value and how much that differs."""
    shown = [run.metrics["models"][column] for column in columns]
    return {
        "folds": [
            {
                **{name: rows[0][name] for name in ("fold", "rows", "positives")},
                "scores": [row["auc"] for row in rows],
            }
            for rows in zip(*(score["folds"] for score in shown), strict=True)
        ],
        "mean": [score["folds_mean"]["auc"] for score in shown],
        "sd": [score["folds_sd"]["auc"] for score in shown],
        "pooled": [score["auc"]["value"] for score in shown],
        "difference": [score["pooled_minus_folds_mean"]["auc"] for score in shown],
    }


def class_rows(run: Run) -> list[dict[str, Any]]:
    """Scores of the blend, a row per class in the order of the classes."""
    shown = run.metrics["models"][BLEND]["classes"]
    lines = whiskers([row["auc"] for row in shown])
    return [
        {
            **row,
            "line": line,
            "share": row["positives"] / run.metrics["rows"],
            "rare": facts["rare"],
            "folds": [fold["auc"] for fold in row["folds"]],
        }
        for row, line, facts in zip(shown, lines, run.metrics["classes"], strict=True)
    ]


def subgroup_tables(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """AUC per value of each metadata column, with places for its interval."""
    parts = []
    for name, part in sorted(found.items()):
        lines = whiskers([row["auc"] for row in part["values"]])
        values = [{**row, "line": line} for row, line in zip(part["values"], lines, strict=True)]
        parts.append({"name": name, "values": values, "left_out": part["left_out"]})
    return parts


def data_facts(run: Run) -> dict[str, Any]:
    """Size of the training data in a sentence, and its images with a problem."""
    table = run.inventory
    widths, heights = table["width"], table["height"]
    if widths.nunique() == 1 and heights.nunique() == 1:
        sizes = f"all {widths.iloc[0]:,} x {heights.iloc[0]:,} pixels"
    else:
        sizes = (
            f"{widths.min():,} to {widths.max():,} pixels wide and {heights.min():,} to {heights.max():,} high "
            f"(median {widths.median():,.0f} x {heights.median():,.0f})"
        )
    problems = table[table["problem"] != ""]
    return {
        "text": f"{len(table):,} training images in {table['bytes'].sum() / 1e6:,.1f} MB, {sizes}.",
        "problems": problems[["id", "path", "problem"]].head(SHOWN_ROWS).to_dict("records"),
        "problem_count": len(problems),
    }


def external_counts(folds: pd.DataFrame) -> tuple[int, int]:
    """How many external rows there are, and how many of them are withheld while some fold is held out.

    Args:
        folds: fold table.
    """
    external = external_rows(folds)
    return len(external), int((external["fold"] != NO_FOLD).sum())


def leak_tables(leaks: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Counts of duplicate pairs by where they lie, and those to look at first.

    Args:
        leaks: as in `Run`.
    """
    places = {"training images": leaks["train"]}
    if "external" in leaks:
        places["external and training images"] = _with_split(leaks["external"], "train")
        places["external images"] = _with_split(leaks["external"], "external")
    places["test and training images"] = _with_split(leaks["test"], "train")
    if "external" in leaks:
        places["test and external images"] = _with_split(leaks["test"], "external")
    places["test images"] = _with_split(leaks["test"], "test")
    counts = [
        {
            "name": name,
            "exact": int((pairs["kind"] == "exact").sum()),
            "near": int((pairs["kind"] == "near").sum()),
            "contradictory": int((pairs["same_label"] == "no").sum()) if "test" not in name else None,
        }
        for name, pairs in places.items()
    ]
    every = pd.concat([pairs.assign(between=name) for name, pairs in places.items()], ignore_index=True)
    every["agree"] = every["same_label"] != "no"
    every["inside"] = ~every["between"].isin(["test and training images", "test and external images"])
    first = every.sort_values(["agree", "inside", "distance", "id", "other_id"], kind="stable").head(SHOWN_ROWS)
    words = {"yes": "equal", "no": "contradictory", "": "not known"}
    pairs = first.assign(labels=first["same_label"].map(words))
    return {
        "counts": counts,
        "pairs": pairs[["id", "other_id", "between", "kind", "distance", "labels"]].to_dict("records"),
        "total": len(every),
    }


def _with_split(pairs: pd.DataFrame, other: str) -> pd.DataFrame:
    return pairs[pairs["other_split"] == other]


def fold_rows(run: Run) -> list[dict[str, Any]]:
    """What each fold holds, and of one class the weights of its training rows."""
    found = []
    for fold, rows in run.scored.groupby("fold"):
        sizes = rows["group"].value_counts()
        weights = run.weights[int(fold)]["classes"][0]
        positives = int(label_array(list(rows["target"]), run.class_names).sum())
        found.append(
            {
                "fold": int(fold),
                "rows": len(rows),
                "positives": positives,
                "share": positives / len(rows),
                "groups": len(sizes),
                "largest": int(sizes.max()),
                "positive_weight": weights["positive_weight"],
                "negative_weight": weights["negative_weight"],
            }
        )
    return found


def model_rows(run: Run) -> list[dict[str, Any]]:
    """Each model's training in numbers, means over its folds."""
    found = []
    for model in run.recipe["models"]:
        histories = [history for (name, _), history in sorted(run.histories.items()) if name == model]
        epochs = sorted({len(history) for history in histories})
        found.append(
            {
                "model": model,
                "backbone": _words(run.settings(model, "backbone")),
                "weights": _words(run.settings(model, "weights")),
                "image_size": _words(run.settings(model, "image_size")),
                "epochs": str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}",
                "val_loss": sum(history["val_loss"].iloc[-1] for history in histories) / len(histories),
                "val_auc": sum(history["val_auc"].iloc[-1] for history in histories) / len(histories),
                "views": run.recipe["views"][model],
                "device": run.devices([model]),
            }
        )
    return found


def _words(values: Sequence[Any]) -> str:
    return ", ".join("none" if value is None else str(value) for value in values)
