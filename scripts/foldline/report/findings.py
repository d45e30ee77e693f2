"""The summary of the report: what the numbers of a run mean, in plain English."""

from collections.abc import Sequence
from dataclasses import dataclass

from foldline.dataset.dark_images import blank_images, dark_images
from foldline.errors import counted, listing
from foldline.evaluation.gains import AUTO, MEAN
from foldline.evaluation.oof import BLEND
from foldline.evaluation.results import ColumnScores
from foldline.report.calibration import calibration_finding
from foldline.report.drift import drift_finding
from foldline.report.json_inputs import FOLDS
from foldline.report.leak_findings import labeled_images, pair_sentences
from foldline.report.run import Run
from foldline.report.tables import RULES, external_sets
from foldline.splits.fold_audit import oversized_groups
from foldline.splits.fold_membership import NO_OOF, rows_without_oof

# The report warns if the pooled AUC is below the mean of the folds by more than this many of their standard deviations.
NOTABLE = 0.5

GOOD, WARNING, NEUTRAL = "good", "warn", ""


@dataclass(frozen=True)
class Finding:
    """A statement about a run.

    Attributes:
        kind: "good", "warn" or ""; the page shows it as a color.
        text: one or more sentences.
    """

    kind: str
    text: str


def findings(run: Run, *, group_column: str | None = None) -> list[Finding]:
    """The statements that apply to a run, in the order of the page; `group_column` is that of the configuration."""
    blend = run.metrics.models[BLEND]
    candidates = [
        _auc(run, blend),
        _accuracy(blend, f"{run.metrics.confidence:.0%}"),
        _folds(run, blend),
        _without_oof(run),
        _group_sizes(run, group_column),
        _rare_classes(run),
        _blend(run),
        _calibration(run),
        _epochs(run),
        _external(run),
        _of_training_images(dark_images(run.inventory)),
        _of_training_images(blank_images(run.inventory)),
        *_leaks(run),
        _drift(run),
    ]
    return [finding for finding in candidates if finding is not None]


def _auc(run: Run, blend: ColumnScores) -> Finding:
    auc, confidence = blend.auc, f"{run.metrics.confidence:.0%}"
    if auc.value is None:
        return Finding(WARNING, f"There is no ROC AUC ({auc.reason}).")
    first, second = "positive image", "negative image"
    if len(run.metrics.scored_classes) > 1:
        first, second = "image of a class", "image without it"
    elif len(run.metrics.classes) > 1:
        first, second = f"image of {run.metrics.scored_classes[0]}", "other image"
    average = "On average over the classes, the" if len(run.metrics.scored_classes) > 1 else "The"
    text = f"{average} predictions rank a random {first} above a random {second} in {auc.value:.1%} of the cases"
    if auc.low is not None and auc.high is not None:
        text += f" (ROC AUC {auc.value:.4f}, {confidence} interval {auc.low:.4f} to {auc.high:.4f})"
        if auc.low <= 0.5 <= auc.high:
            return Finding(WARNING, f"{text}. The interval includes 0.5: this may be no better than guessing.")
    if auc.value <= 0.5:
        wrong = "the classes of the labels" if len(run.metrics.classes) > 1 else "which label is the positive one"
        return Finding(
            WARNING,
            f"{text}. That is worse than guessing: the scores order images the wrong way around. Check {wrong}, and "
            "whether the folds differ in more than chance.",
        )
    kind = NEUTRAL if auc.low is None else GOOD
    return Finding(kind, f"{text}. Every image was scored by models that were not trained on it.")


def _accuracy(blend: ColumnScores, confidence: str) -> Finding | None:
    """Compare the accuracy with that of the most frequent class, if each image has exactly one class."""
    score, frequent = blend.accuracy, blend.most_frequent
    # Thresholds give up accuracy for another goal.
    is_goal = all(row.threshold is None for row in blend.classes)
    if not is_goal or frequent is None or None in (score.value, frequent.share, frequent.gain.value):
        return None
    interval = ""
    if score.low is not None and score.high is not None:
        interval = f" ({confidence} interval {score.low:.1%} to {score.high:.1%})"
    gain = frequent.gain
    text = (
        f"The class with the highest probability is the true one in {score.value:.1%} of the images{interval}. To "
        f"predict the most frequent class, {frequent.name}, for every image would be right in {frequent.share:.1%}"
    )
    if gain.low is None or gain.high is None:
        return Finding(NEUTRAL, f"{text}; whether the difference is chance is not known ({gain.reason}).")
    difference = f"interval of the difference {100 * gain.low:+.1f} to {100 * gain.high:+.1f} percentage points"
    if gain.low > 0:
        return Finding(GOOD, f"{text} ({difference}).")
    if gain.high < 0:
        return Finding(WARNING, f"{text}, which is better ({difference}).")
    return Finding(WARNING, f"{text}. The predictions are not shown to be better ({difference}).")


def _folds(run: Run, blend: ColumnScores) -> Finding:
    values = [row.auc.value for row in blend.folds if row.auc.value is not None]
    undefined = len(blend.folds) - len(values)
    mean, difference, spread = blend.folds_mean.auc, blend.pooled_minus_folds_mean.auc, blend.folds_sd.auc
    if undefined or mean is None or difference is None:
        has = "has" if undefined == 1 else "have"
        text = f"{undefined} of {counted(len(blend.folds), 'fold')} {has} no AUC, because of rows with only one label."
        return Finding(WARNING, text)
    text = f"The AUC of the folds ranges from {min(values):.4f} to {max(values):.4f}, with a mean of {mean:.4f}. "
    if spread is not None and difference < -NOTABLE * spread:
        text += (
            f"The pooled AUC is {-difference:.4f} below that mean, because the models of the folds score on somewhat "
            "different scales."
        )
        if run.recipe.test_models == FOLDS:
            text += " Test predictions are means over the folds, so the mean describes them better."
        return Finding(WARNING, text)
    if spread is not None and difference > NOTABLE * spread:
        text += (
            f"The pooled AUC is {difference:.4f} above that mean: part of it tells folds apart, such as sites with "
            "different shares of a class, instead of images within a fold. The mean says what to expect within one."
        )
        return Finding(WARNING, text)
    text += f"The pooled AUC differs from that mean by {abs(difference):.4f}: no sign that folds score on other scales."
    return Finding(GOOD, text)


def _without_oof(run: Run) -> Finding | None:
    """Count the training rows that no fold holds out, by reason."""
    rows = rows_without_oof(run.folds)
    if rows.empty:
        return None
    reasons = rows[NO_OOF].value_counts()
    shown = [f"{count:,} ({reason})" for reason, count in sorted(reasons.items())]
    text = (
        f"{counted(len(rows), 'training image')} {'has' if len(rows) == 1 else 'have'} no out-of-fold prediction, and "
        f"{'counts' if len(rows) == 1 else 'count'} in no out-of-fold score: {listing(shown)}. results/folds.csv "
        "lists them (no_oof)."
    )
    return Finding(NEUTRAL, text)


def _group_sizes(run: Run, group_column: str | None) -> Finding | None:
    """Warn of groups with more rows than a fold of equal size, which chains of duplicates can make too."""
    large = oversized_groups(list(run.scored["group"]), run.metrics.folds)
    if not large:
        return None
    shown = [f"{group} ({counted(rows, 'image')})" for group, rows in large]
    text = (
        f"{counted(len(large), 'group')} {'is' if len(large) == 1 else 'are'} larger than a fold of equal size: "
        f"{listing(shown, limit=5)}. Groups are never divided, so the folds differ in size. Check "
        f"{f'the column {group_column} and ' if group_column else ''}the duplicates that merged groups."
    )
    return Finding(WARNING, text)


def _rare_classes(run: Run) -> Finding | None:
    rare = [f"{row.name} ({counted(row.positives, 'image')})" for row in run.metrics.classes if row.rare]
    if not rare:
        return None
    text = (
        f"{counted(len(rare), 'class', 'classes')} of {len(run.metrics.classes)} cannot be in every fold: "
        f"{listing(rare, limit=30)}. A fold that has only one label of a class has no score for it, so its mean over "
        "the classes leaves that class out."
    )
    return Finding(WARNING, text)


def _blend(run: Run) -> Finding | None:
    """What the blend is, and how much it gains over its best model, on rows that it was not fitted on."""
    recipe = run.recipe
    over_best = next((gain for gain in recipe.gains if gain.over_model is not None), None)
    if over_best is None:
        return None
    reason = "set in the configuration"
    if recipe.method == AUTO and recipe.rule == MEAN:
        reason = "no other method has a higher AUC with an interval of the difference above 0"
    elif recipe.method == AUTO:
        reason = "its AUC is higher than that of the mean, with an interval of the difference above 0"
    text = f"The blend of {counted(len(recipe.blended), 'model')} is the {RULES[recipe.rule]} ({reason}). "
    if over_best.value is None or over_best.low is None or over_best.high is None:
        return Finding(NEUTRAL, f"{text}Its gain over the best single model is not defined.")
    text += (
        f"Its AUC is {abs(over_best.value):.4f} {'above' if over_best.value >= 0 else 'below'} that of the best single "
        f"model, {over_best.over_model} (95% interval of the difference {over_best.low:.4f} to {over_best.high:.4f})"
    )
    if over_best.is_shown:
        return Finding(GOOD, f"{text}.")
    if over_best.high < 0:
        return Finding(WARNING, f"{text}: that model alone is better.")
    return Finding(NEUTRAL, f"{text}: no gain is shown.")


def _calibration(run: Run) -> Finding | None:
    found = calibration_finding(run)
    return found and Finding(GOOD if found[0] else WARNING, found[1])


def _epochs(run: Run) -> Finding | None:
    """Warn of models whose number of epochs was chosen by the score on the fold that is scored here."""
    chosen = [
        model
        for model in run.recipe.models
        if any(settings.epochs_depend_on_held_out_fold for settings in run.settings(model))
    ]
    if not chosen:
        return None
    every = [settings for model in chosen for settings in run.settings(model)]
    changes = ["select_epoch to last"] if any(settings.select_epoch == "best" for settings in every) else []
    if any(settings.stops_by_held_out_fold for settings in every):
        changes.append("early_stopping.patience to null")
    text = (
        f"The number of epochs of {listing(chosen)} was chosen on the same fold that is scored, so these out-of-fold "
        f"scores are slightly optimistic. For unbiased scores, train a fixed number of epochs: set "
        f"{' and '.join(changes)}."
    )
    return Finding(WARNING, text)


def _external(run: Run) -> Finding | None:
    sets = external_sets(run)
    if not sets:
        return None
    keys = ("rows", "withheld", "dropped", "left_out")
    external, withheld, dropped, left_out = (sum(row[key] for row in sets) for key in keys)
    of_sets = listing([f"{row['name']}: {row['rows']:,}" for row in sets])
    text = f"{counted(external, 'external image')}{f' ({of_sets})' if len(sets) > 1 else ''} "
    text += f"{'is' if external == 1 else 'are'} used for training only. "
    if withheld:
        text += (
            f"{withheld:,} of them {'shares' if withheld == 1 else 'share'} a group or a duplicate with training "
            f"images and {'is' if withheld == 1 else 'are'} withheld from the models that score those."
        )
    else:
        text += "None of them shares a group, or a copy that the audit lists, with a training image that is scored."
    if dropped:
        text += (
            f" {dropped:,} of them {'is' if dropped == 1 else 'are'} left out as copies (results/leaks/dropped.csv)."
        )
    if left_out:
        words = listing([f"{row['name']}: {row['words']}" for row in sets if row["left_out"]])
        text += f" {counted(left_out, 'row')} of external tables {'is' if left_out == 1 else 'are'} left out ({words})."
    return Finding(GOOD, text)


def _drift(run: Run) -> Finding | None:
    found = drift_finding(run.drift)
    return found and Finding(WARNING if found[0] else NEUTRAL, found[1])


def _of_training_images(text: str) -> Finding | None:
    return Finding(WARNING, f"In the training images, {text}.") if text else None


def _leaks(run: Run) -> Sequence[Finding]:
    sentences = pair_sentences(run)
    if not sentences:
        tested = " or between test and training images" if "test" in run.leaks else ""
        text = (
            f"The leak audit lists no pair of copies among the {labeled_images(run.leaks)}{tested}; its section says "
            "what it cannot see."
        )
        return [Finding(NEUTRAL, text)]
    return [Finding(GOOD if is_good else WARNING, text) for is_good, text in sentences]
