"""What the numbers of a run say, in plain English."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from foldline.errors import listing
from foldline.evaluation.oof import BLEND
from foldline.report.tables import RULES, Run, external_counts

# Scores that miss the share of positives by less than this, on average, are called probabilities.
CALIBRATED = 0.05
# A pooled AUC this many standard deviations of the folds below their mean is worth a word.
NOTABLE = 0.5


def findings(run: Run) -> list[dict[str, str]]:
    """Sentences about a run: text, and kind "good", "warn" or ""."""
    blend = run.metrics["models"][BLEND]
    return [
        finding
        for finding in (
            _finding_score(run, blend),
            _finding_folds(blend),
            _finding_rare(run),
            _finding_blend(run),
            _finding_calibration(blend),
            _finding_epochs(run),
            _finding_external(run.folds),
            *_findings_leaks(run.leaks),
        )
        if finding
    ]


def _finding_score(run: Run, blend: Mapping[str, Any]) -> dict[str, str]:
    area = blend["auc"]
    scored = run.metrics["scored_classes"]
    over = "On average over the classes, shown" if len(scored) > 1 else "Shown"
    text = (
        f"{over} a random positive and a random negative image, the predictions put the positive first in "
        f"{area['value']:.1%} of the cases"
    )
    if area["low"] is not None:
        text += (
            f" (ROC AUC {area['value']:.4f}, {run.metrics['confidence']:.0%} interval {area['low']:.4f} to "
            f"{area['high']:.4f})"
        )
        if area["low"] <= 0.5 <= area["high"]:
            return {"kind": "warn", "text": f"{text}. The interval holds 0.5: this is not told apart from guessing."}
    return {"kind": "good", "text": f"{text}. No image was scored by a model that was trained on it."}


def _finding_folds(blend: Mapping[str, Any]) -> dict[str, str]:
    values = [row["auc"] for row in blend["folds"]]
    if None in values:
        text = f"{values.count(None)} of {len(values)} folds have no AUC: their rows have one label only."
        return {"kind": "warn", "text": text}
    difference = blend["pooled_minus_folds_mean"]["auc"]
    spread = blend["folds_sd"]["auc"]
    mean = blend["folds_mean"]["auc"]
    text = f"The folds lie between {min(values):.4f} and {max(values):.4f}, {mean:.4f} on average. "
    if difference < -NOTABLE * spread:
        text += (
            f"The pooled AUC is {-difference:.4f} lower than that average: the models of the folds score on somewhat "
            "different scales. The test predictions are means over the folds, so the average says more about them."
        )
        return {"kind": "warn", "text": text}
    return {
        "kind": "good",
        "text": text + f"The pooled AUC differs from that by {abs(difference):.4f}: the folds score on one scale.",
    }


def _finding_rare(run: Run) -> dict[str, str] | None:
    rare = [f"{row['name']} ({_counted(row['positives'], 'image')})" for row in run.metrics["classes"] if row["rare"]]
    if not rare:
        return None
    text = (
        f"{_counted(len(rare), 'class')} of {len(run.metrics['classes'])} cannot be in every fold: "
        f"{listing(rare, limit=30)}. Where a fold has one label of a class only, its score is left out of the mean "
        "over the classes."
    )
    return {"kind": "warn", "text": text}


def _finding_blend(run: Run) -> dict[str, str] | None:
    models, recipe = run.recipe["models"], run.recipe
    if len(models) == 1:
        return None
    scores = {model: run.metrics["models"][model]["auc"]["value"] for model in models}
    best = max(models, key=lambda model: scores[model])
    gain = run.metrics["models"][BLEND]["auc"]["value"] - scores[best]
    why = "chosen on the out-of-fold rows" if recipe["method"] == "best" else "set in the config"
    text = (
        f"The blend of {len(models)} models is the {RULES[recipe['rule']]} ({why}; "
        + ", ".join(f"{RULES[rule]} {score:.4f}" for rule, score in sorted(recipe["scores"].items()))
        + f"). It is {abs(gain):.4f} {'above' if gain >= 0 else 'below'} the best single model, {best}."
    )
    return {"kind": "" if gain >= 0 else "warn", "text": text}


def _finding_calibration(blend: Mapping[str, Any]) -> dict[str, str] | None:
    error = blend["calibration"]["error"]
    if error is None:
        return None
    way = (
        "can be read as probabilities"
        if error < CALIBRATED
        else "order the images but should not be read as probabilities"
    )
    text = f"Scores and shares of positives differ by {error:.3f} on average: the scores {way}."
    return {"kind": "good" if error < CALIBRATED else "warn", "text": text}


def _finding_epochs(run: Run) -> dict[str, str] | None:
    """Models whose number of epochs was chosen by the score on the fold that they are scored on here."""
    chosen = [
        model
        for model in run.recipe["models"]
        if "best" in run.settings(model, "select_epoch")
        or any(stopping["patience"] is not None for stopping in run.settings(model, "early_stopping"))
    ]
    if not chosen:
        return None
    text = (
        f"The epochs of {listing(chosen)} were chosen by the AUC on the very fold that is scored: these out-of-fold "
        "scores are a little too good. A fixed number of epochs, the last one kept, would not be."
    )
    return {"kind": "warn", "text": text}


def _finding_external(folds: pd.DataFrame) -> dict[str, str] | None:
    external, withheld = external_counts(folds)
    if not external:
        return None
    text = f"{_counted(external, 'external image')} {'is' if external == 1 else 'are'} trained on and never scored. "
    if withheld:
        text += (
            f"{withheld:,} of them {'is' if withheld == 1 else 'are'} tied to training images by a group or by "
            "duplicates, and withheld from the models that are scored on those."
        )
    else:
        text += "None of them is tied to a training image."
    return {"kind": "good", "text": text}


def _findings_leaks(leaks: Mapping[str, pd.DataFrame]) -> list[dict[str, str]]:
    inside, test = leaks["train"], leaks["test"]
    if "external" in leaks:
        inside = pd.concat([inside, leaks["external"]])
    across = test[test["other_split"] != "test"]
    contradictory = int((inside["same_label"] == "no").sum())
    if inside.empty and across.empty:
        return [
            {
                "kind": "good",
                "text": "No duplicates were found, neither among the training images nor with test images.",
            }
        ]
    found = []
    if len(inside):
        verb = "was" if len(inside) == 1 else "were"
        pairs = _counted(len(inside), "pair")
        text = f"{pairs} of duplicates among the training images {verb} found and kept in one fold."
        if "external" in leaks:
            text = (
                f"{pairs} of duplicates among the training and external images {verb} found and kept on one side of "
                "every split."
            )
        found.append({"kind": "good", "text": text})
    if contradictory:
        verb = "carries" if contradictory == 1 else "carry"
        text = f"{_counted(contradictory, 'pair')} of these {verb} two different labels; see the leak audit."
        found.append({"kind": "warn", "text": text})
    if len(across):
        images = across["id"].nunique()
        text = (
            f"{_counted(images, 'test image')} {'duplicates' if images == 1 else 'duplicate'} training images: a "
            "leaderboard on them rewards memory."
        )
        found.append({"kind": "warn", "text": text})
    return found


def _counted(number: int, noun: str) -> str:
    plural = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}" + ("" if number == 1 else plural)


def _called(threshold: float | str) -> str:
    if isinstance(threshold, str):
        return (
            "Accuracy and F1 call a score positive from the threshold on that has the highest F1 on these very rows, "
            "class by class, so they are a little too good."
        )
    return f"Accuracy and F1 call a score of {threshold} or more positive."


def method(run: Run) -> list[tuple[str, str]]:
    """How the numbers were made: pairs of what and how."""
    metrics = run.metrics
    several = (
        "A score of all classes is the mean over the classes of which it is defined (macro); in a fold that has one "
        "label of a class only, that class does not count."
    )
    return [
        (
            "Out-of-fold rows",
            f"The training images are split once into {metrics['folds']} folds. A model is trained per fold, on the "
            "other folds, and scores the fold it has not seen. Groups and duplicates lie in one fold.",
        ),
        (
            "Test predictions and blend",
            "A model's test prediction is the mean over its folds. Models are joined with equal weights; what is "
            "chosen is chosen on out-of-fold rows.",
        ),
        (
            "ROC AUC and average precision",
            "Exact, from ranks, ties counting half (AUC) or standing at one threshold (average precision); no grid of "
            "thresholds.",
        ),
        *([("Several classes", several)] if len(metrics["scored_classes"]) > 1 else []),
        (
            "Log loss, Brier score, accuracy, F1",
            "Log loss is the mean negative log-likelihood, the Brier score the mean squared difference of score and "
            f"label. {_called(metrics['threshold'])}",
        ),
        (
            "Intervals",
            f"{metrics['bootstrap_draws']:,} bootstrap draws of {metrics['groups']:,} groups with replacement (seed "
            f"{metrics['seed']}), because images of one group are not independent; percentiles at "
            f"{metrics['confidence']:.0%} coverage. They hold what chance in the choice of images does, not what "
            "another training run would.",
        ),
        (
            "Expected calibration error",
            f"Mean over the rows of the distance between mean score and share of positives of their bin, in "
            f"{metrics['calibration_bins']} bins of equal width.",
        ),
    ]
