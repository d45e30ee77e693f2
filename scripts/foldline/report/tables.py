"""The tables and values of the report page, made from a run; the template only formats them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from foldline.dataset.label_arrays import label_array
from foldline.errors import counted, listing
from foldline.evaluation.comparison import Comparison
from foldline.evaluation.oof import BLEND
from foldline.evaluation.results import ClassScores, ColumnScores, Score, Subgroups
from foldline.evaluation.rules import BEST_F1, SENSITIVITY, SPECIFICITY, rule_parts
from foldline.io.result_paths import Member
from foldline.report.json_inputs import SplitColumnScores
from foldline.report.run import Run
from foldline.splits.fold_membership import DROPPED, NO_FOLD, TEST, TRAIN, external_rows, train_rows

SHOWN_ROWS = 20
# Most comparisons of two score columns that are shown.
MOST_PAIRS = 15
RULES = {
    "mean": "mean of probabilities",
    "rank_mean": "mean of ranks",
    "geometric": "geometric mean of probabilities",
    "subset": "mean of some models",
    "weights": "weighted mean of probabilities",
    "greedy": "greedy selection",
    "stacking": "logistic stacking",
}
# `same_label` of the leak table in words.
LABEL_AGREEMENT = {"yes": "same", "no": "contradictory", "": "unknown"}

# A row of a table by name of its column; the template reads it.
Row = dict[str, Any]


def shown_columns(run: Run) -> dict[str, str]:
    """Score columns to show and their names, the blend first; with a single model and its mean, only that model."""
    models = run.recipe.models
    if len(models) == 1 and run.metrics.blend_rule == "mean" and not run.recipe.is_calibrated:
        return {BLEND: models[0]}
    return {BLEND: "blend", **{model: model for model in models}}


def whiskers(
    scores: Sequence[Score] | Sequence[Comparison], *, zero: bool = False
) -> list[dict[str, float | None] | None]:
    """Left end, width and dot of the interval of each score, in percent of their common axis; None without interval.

    With `zero`, the axis has the value 0, whose place is given too.
    """
    limits = [(score.low, score.high) for score in scores if score.low is not None and score.high is not None]
    if not limits:
        return [None] * len(scores)
    limits += [(0.0, 0.0)] if zero else []
    start = min(low for low, _ in limits)
    length = (max(high for _, high in limits) - start) or 1.0
    return [_whisker(score, start, length, zero) for score in scores]


def _whisker(score: Score | Comparison, start: float, length: float, zero: bool) -> dict[str, float | None] | None:
    if score.value is None or score.low is None or score.high is None:
        return None
    return {
        "left": round(100 * (score.low - start) / length, 1),
        "dot": round(100 * (score.value - start) / length, 1),
        "width": round(100 * (score.high - score.low) / length, 1),
        "zero": round(-100 * start / length, 1) if zero else None,
    }


def comparison_rows(run: Run, columns: Mapping[str, str]) -> list[Row]:
    """Differences of ROC AUC: of every two columns, or of the blend to each model if that would be too many rows."""
    every = len(columns) * (len(columns) - 1) // 2 <= MOST_PAIRS
    shown = [
        row
        for row in run.metrics.comparisons
        if row.metric == "auc" and {row.first, row.second} <= set(columns) and (every or row.first == BLEND)
    ]
    return [
        {"first": columns[row.first], "second": columns[row.second], "difference": row, "line": line}
        for row, line in zip(shown, whiskers(shown, zero=True), strict=True)
    ]


def metric_columns(run: Run) -> dict[str, str]:
    """Metrics of the tables of scores, without the ROC AUC, and their headings: what is a mean is called so."""
    metrics, blend = run.metrics, run.metrics.models[BLEND]
    mean = "Mean " if len(metrics.scored_classes) > 1 else ""
    soft = {"soft_cross_entropy": "Soft cross entropy"} if blend.soft_cross_entropy is not None else {}
    if metrics.one_class_per_image:
        columns = {"log_loss": "Log loss", "brier": "Brier score", "accuracy": "Accuracy"}
        columns |= {"balanced_accuracy": "Balanced accuracy", "f1": "Macro F1", "cohen_kappa": "Cohen's kappa"}
        return {"average_precision": f"{mean}average precision".capitalize(), **columns, **soft}
    threshold = "best F1" if metrics.threshold == BEST_F1 else metrics.threshold
    words = {"average_precision": "average precision", "log_loss": "log loss", "brier": "Brier score"}
    words |= {"accuracy": f"accuracy at {threshold}", "f1": f"F1 at {threshold}"}
    return {name: f"{mean}{text}" if mean else text[0].upper() + text[1:] for name, text in words.items()} | soft


def group_sentence(run: Run, group_column: str | None) -> str:
    """What groups are, and how many have several rows; `group_column` is that of the configuration."""
    sizes = run.scored["group"].value_counts()
    several = int((sizes > 1).sum())
    if group_column is None:
        start = "There is no group column, so images are in one group only if they are duplicates"
    else:
        start = f"Groups are the values of the column {group_column}, merged where images are duplicates"
    return f"{start}: {counted(len(sizes), 'group')}, {several:,} of them with several images."


def pooled_rows(
    run: Run, columns: Mapping[str, str], scores: Mapping[str, ColumnScores] | Mapping[str, SplitColumnScores]
) -> list[Row]:
    """Scores of all out-of-fold rows together, or of all test rows, one table row per score column."""
    lines = whiskers([scores[column].auc for column in columns])
    return [
        {
            "name": name,
            "detail": RULES[run.metrics.blend_rule] if column == BLEND and len(columns) > 1 else "",
            "strong": column == BLEND and len(columns) > 1,
            "scores": scores[column],
            "line": line,
        }
        for (column, name), line in zip(columns.items(), lines, strict=True)
    ]


def fold_scores(run: Run, columns: Mapping[str, str]) -> Row:
    """AUC of each score column by fold, with mean, standard deviation, pooled value and its difference to the mean."""
    shown = [run.metrics.models[column] for column in columns]
    return {
        "folds": [
            {
                "name": Member(rows[0].repeat or 1, rows[0].fold).title,
                "rows": rows[0].rows,
                "positives": rows[0].positives,
                "scores": [row.auc for row in rows],
            }
            for rows in zip(*(scores.folds for scores in shown), strict=True)
        ],
        "mean": [scores.folds_mean.auc for scores in shown],
        "sd": [scores.folds_sd.auc for scores in shown],
        "pooled": [scores.auc.value for scores in shown],
        "difference": [scores.pooled_minus_folds_mean.auc for scores in shown],
        "repeats": [
            [one.auc for one in repeat] for repeat in zip(*(scores.repeats or () for scores in shown), strict=True)
        ],
        "repeats_mean": [scores.repeats_mean.auc for scores in shown if scores.repeats_mean],
        "repeats_sd": [scores.repeats_sd.auc for scores in shown if scores.repeats_sd],
    }


def class_rows(run: Run) -> list[Row]:
    """Scores of the blend per class, in the order of the classes."""
    shown = run.metrics.models[BLEND].classes
    lines = whiskers([scores.auc for scores in shown])
    return [
        {
            "scores": scores,
            "line": line,
            "share": scores.positives / run.metrics.rows,
            "rare": counts.rare,
            "share_sum": counts.share_sum,
            # One column for each fold would be too many with repeats.
            "folds": [] if run.metrics.repeats > 1 else [fold.auc.value for fold in scores.folds],
        }
        for scores, line, counts in zip(shown, lines, run.metrics.classes, strict=True)
    ]


def operating_point_rows(classes: Sequence[ClassScores]) -> list[Row]:
    """Operating points of every class, in the order of the classes."""
    rows = []
    for scores in classes:
        for point in scores.operating_points:
            name, _ = rule_parts(point.rule)
            wanted = SPECIFICITY if name == SENSITIVITY else SENSITIVITY
            rows.append({"name": scores.name, "given": point.rule, "wanted": wanted, "point": point})
    return rows


def subgroup_tables(subgroups: Mapping[str, Subgroups]) -> list[Row]:
    """Scores per value of each metadata column, with intervals."""
    tables = []
    for name, subgroup in sorted(subgroups.items()):
        lines = whiskers([row.auc for row in subgroup.values])
        rows = [{"score": score, "line": line} for score, line in zip(subgroup.values, lines, strict=True)]
        tables.append({"name": name, "rows": rows, "left_out": subgroup.left_out})
    return tables


def data_facts(inventory: pd.DataFrame) -> Row:
    """Size of the training data in a sentence, and the images with a problem.

    Args:
        inventory: inventory of the train split.
    """
    widths, heights = inventory["width"], inventory["height"]
    if widths.nunique() == 1 and heights.nunique() == 1:
        sizes = f"all {widths.iloc[0]:,} x {heights.iloc[0]:,} pixels"
    else:
        sizes = (
            f"{widths.min():,} to {widths.max():,} pixels wide and {heights.min():,} to {heights.max():,} pixels high "
            f"(median {widths.median():,.0f} x {heights.median():,.0f})"
        )
    problems = inventory[inventory["problem"] != ""]
    size = counted(len(inventory), "training image")
    return {
        "text": f"{size}, {inventory['bytes'].sum() / 1e6:,.1f} MB in total, {sizes}.",
        "problems": problems[["id", "path", "problem"]].head(SHOWN_ROWS).to_dict("records"),
        "problem_count": len(problems),
    }


def merged_groups(run: Run) -> int:
    """Number of groups of train rows that were merged with another one, rows that are dropped left out."""
    rows = train_rows(run.folds)
    rows = rows[rows["fold"] != DROPPED]
    own = run.inventory["group"][run.inventory["id"].isin(set(rows["id"]))]
    return int(own.nunique() - rows["group"].nunique())


def external_sets(run: Run) -> list[Row]:
    """Rows of each external set: trained on, withheld while some fold is held out, and left out by their labels."""
    table = []
    for name, rows in external_rows(run.folds).groupby("split"):
        words = run.left_out.get(str(name), {})
        table.append(
            {
                "name": str(name),
                "rows": len(rows),
                "withheld": int((~rows["fold"].isin((NO_FOLD, DROPPED))).sum()),
                "dropped": int((rows["fold"] == DROPPED).sum()),
                "left_out": sum(words.values()),
                "words": listing([f"{word or 'empty'} {count:,}" for word, count in words.items()]),
            }
        )
    return table


def leak_tables(leaks: Mapping[str, pd.DataFrame]) -> Row:
    """Counts of duplicate pairs by the splits of their images, and the pairs to inspect first.

    Args:
        leaks: as in `Run`.
    """
    pairs = _pairs_by_splits(leaks)
    counts = [
        {
            "name": name,
            "exact": int((table["kind"] == "exact").sum()),
            "near": int((table["kind"] == "near").sum()),
            "confirmed": int((table["kind"] == "confirmed").sum()),
            "contradictory": None if split == TEST else int((table["same_label"] == "no").sum()),
        }
        for (split, _), (name, table) in pairs.items()
    ]
    together = pd.concat(
        [
            table.assign(between=name, inside=split != TEST or other == TEST)
            for (split, other), (name, table) in pairs.items()
        ],
        ignore_index=True,
    )
    together["agree"] = together["same_label"] != "no"
    first = together.sort_values(["agree", "inside", "distance", "id", "other_id"], kind="stable").head(SHOWN_ROWS)
    first = first.assign(labels=first["same_label"].map(LABEL_AGREEMENT))
    return {
        "counts": counts,
        "pairs": first[["id", "other_id", "between", "kind", "distance", "labels"]].to_dict("records"),
        "total": len(together),
    }


def _pairs_by_splits(leaks: Mapping[str, pd.DataFrame]) -> dict[tuple[str, str], tuple[str, pd.DataFrame]]:
    """Duplicate pairs by the splits of their two images: the splits as a phrase, and the pairs."""
    words = {split: "training" if split == TRAIN else split for split in leaks}
    found = {}
    for split, pairs in leaks.items():
        # In the order of `leaks`: train, external sets, test; a split is compared with those before it.
        before = list(leaks)[: list(leaks).index(split)]
        for other in [*before, split]:
            names = " and ".join(dict.fromkeys((words[split], words[other])))
            found[split, other] = (names + " images", pairs[pairs["other_split"] == other])
    return found


def fold_rows(run: Run) -> list[Row]:
    """Rows, positives and groups of each fold, and the weights of the first class while it is held out."""
    scored = run.scored
    table = []
    for fold in sorted(scored["fold"].unique().tolist()):
        rows = scored[scored["fold"] == fold]
        sizes = rows["group"].value_counts()
        weights = run.weights[Member(1, fold)].classes[0]
        positives = int(label_array(list(rows["target"]), run.class_names).sum())
        table.append(
            {
                "fold": fold,
                "rows": len(rows),
                "positives": positives,
                "share": positives / len(rows),
                "groups": len(sizes),
                "largest": int(sizes.iloc[0]),
                "positive_weight": weights.positive_weight,
                "negative_weight": weights.negative_weight,
            }
        )
    return table


def model_rows(run: Run) -> list[Row]:
    """Training of each model in numbers; losses and AUCs are means over its folds."""
    table = []
    for model in run.recipe.models:
        histories = [history for (name, _), history in sorted(run.histories.items()) if name == model]
        settings = run.settings(model)
        epochs = sorted({len(history) for history in histories})
        table.append(
            {
                "model": model,
                "backbone": _distinct(each.backbone for each in settings),
                "weights": _distinct(each.weights if each.backbone else None for each in settings),
                "image_size": _distinct(each.image_size for each in settings),
                "epochs": str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}",
                "val_loss": sum(history["val_loss"].iloc[-1] for history in histories) / len(histories),
                "val_auc": sum(history["val_auc"].iloc[-1] for history in histories) / len(histories),
                "views": run.recipe.views[model],
                "device": run.devices([model]),
            }
        )
    return table


def _distinct(values: Iterable[str | int | None]) -> str:
    """Distinct values of a setting over the folds, in order."""
    return ", ".join("none" if value is None else str(value) for value in dict.fromkeys(values))
