"""The statements of the summary and of the methods follow from the numbers."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from fixtures.report_run import UNUSED, column_scores, report_run, with_metrics
from foldline.evaluation.gains import Gain
from foldline.evaluation.metrics import METRICS
from foldline.evaluation.results import ClassCalibration, ClassCounts, ClassScores, ColumnScores, MostFrequent, Score
from foldline.report.findings import findings
from foldline.report.json_inputs import Augmentation, CalibrationMethod, Optimizer, Sampling, SizeStage
from foldline.report.label_issues import label_issue_sentence
from foldline.report.methods import methods, training_words
from foldline.report.run import Run


def summary(run: Run) -> str:
    return " ".join(f"[{finding.kind}] {finding.text}" for finding in findings(run))


def test_a_high_score_is_good() -> None:
    text = summary(report_run(column_scores(0.87)))
    assert text.startswith(
        "[good] The predictions rank a random positive image above a random negative image in 87.0% of the cases (ROC "
        "AUC 0.8700, 95% interval 0.7000 to 0.9500). Every image was scored by models that were not trained on it."
    )
    assert "guessing" not in text


def test_an_interval_around_one_half_is_a_warning() -> None:
    first = findings(report_run(column_scores(0.52, low=0.45)))[0]
    assert first.kind == "warn"
    assert first.text.endswith("The interval includes 0.5: this may be no better than guessing.")


def test_a_score_without_interval_has_none_in_its_sentence() -> None:
    assert "interval" not in findings(report_run(column_scores(0.9, low=None)))[0].text


def test_a_pooled_score_near_the_mean_of_the_folds_is_good() -> None:
    text = summary(report_run(column_scores(0.84, difference=-0.01)))
    assert "The pooled AUC differs from that mean by 0.0100: no sign that folds score on other scales." in text


def test_a_pooled_score_below_the_folds_is_explained() -> None:
    text = summary(report_run(column_scores(0.81, difference=-0.04)))
    assert "[warn] The AUC of the folds ranges from 0.8000 to 0.9000, with a mean of 0.8500. The pooled AUC is" in text
    assert "The pooled AUC is 0.0400 below that mean" in text


def test_a_pooled_score_above_the_folds_is_explained() -> None:
    text = summary(report_run(column_scores(0.89, difference=0.04)))
    assert "The pooled AUC is 0.0400 above that mean: part of it tells folds apart" in text
    assert "no sign" not in text


def test_folds_without_auc_are_counted() -> None:
    text = summary(report_run(column_scores(0.9, folds=(0.8, None, 0.9))))
    assert "[warn] 1 of 3 folds has no AUC, because of rows with only one label." in text


def test_rows_without_an_out_of_fold_prediction_are_counted_by_reason() -> None:
    run = report_run(column_scores(0.9))
    assert "no out-of-fold prediction" not in summary(run)
    own = run.folds[run.folds["split"] == "train"]
    reasons = ["holdout", "holdout", "before the first period of year that is held out"]
    more = pd.concat([own.head(1)] * 3).assign(fold=[-2, -2, -1], id=["x", "y", "z"], no_oof=reasons)
    found = replace(run, folds=pd.concat([run.folds.assign(no_oof="", withheld=""), more]))
    assert (
        "[] 3 training images have no out-of-fold prediction, and count in no out-of-fold score: 1 (before the first "
        "period of year that is held out), 2 (holdout). results/folds.csv lists them (no_oof)."
    ) in summary(found)
    text = dict(methods(found))["Out-of-fold rows"]
    assert "trained on earlier or unrelated rows and predicts" in text
    assert "trained on the other folds and predicts" in dict(methods(run))["Out-of-fold rows"]


def test_dark_images_are_a_warning() -> None:
    run = report_run(column_scores(0.9))
    dark = pd.DataFrame({"peak_sample": [0.0, 4000.0, 3000.0], "white_sample": [0.0, 65535.0, 65535.0]})
    dark = dark.assign(perceptual_hash="1", contrast=9.0, path="a.png")
    text = summary(replace(run, inventory=dark))
    assert (
        "[warn] In the training images, 2 of 2 images with more than 8 bits (100%) come out dark: 99.9 % of the "
        "samples of each are at most 25% of white, of half of them at most 5.3%; set dataset.intensity to what "
        "snakemake --cores 2 measure says."
    ) in text
    assert "show nothing" not in text
    blank = dark.assign(contrast=[0.0, 9.0, 9.0])
    assert "[warn] In the training images, 1 image of 3 shows nothing" in summary(replace(run, inventory=blank))
    assert "dark" not in summary(run)


def test_a_group_that_is_larger_than_a_fold_is_a_warning() -> None:
    rows = [("p1", 0), ("p1", 0), ("p1", 0), ("p2", 1), ("p3", 1)]
    text = summary(report_run(column_scores(0.9), train_rows=rows, external_folds=[-1] * 9))
    assert "[warn] 1 group is larger than a fold of equal size: p1 (3 images). Groups are never divided" in text
    assert "larger than a fold" not in summary(report_run(column_scores(0.9), train_rows=rows[1:]))


def test_rare_classes_are_listed() -> None:
    counts = (ClassCounts("mark", 3, 7, 3, rare=False), ClassCounts("spot", 1, 9, 1, rare=True))
    run = with_metrics(report_run(column_scores(0.9)), classes=counts, scored_classes=("mark", "spot"))
    text = summary(run)
    assert "[warn] 1 class of 2 cannot be in every fold: spot (1 image)." in text
    assert text.startswith("[good] On average over the classes, the predictions rank")
    assert "Several classes" in dict(methods(run))


@pytest.mark.parametrize(
    ("low", "value", "high", "text"),
    [
        (
            0.01,
            0.02,
            0.03,
            "[good] The blend of 2 models is the mean of probabilities (no other method",
        ),
        (0.01, 0.02, 0.03, "best single model, b (95% interval of the difference 0.0100 to 0.0300)."),
        (-0.01, 0.02, 0.05, "Its AUC is 0.0200 above that of the best single model, b (95% interval of the difference"),
        (-0.01, 0.02, 0.05, "-0.0100 to 0.0500): no gain is shown."),
        (-0.03, -0.02, -0.01, "Its AUC is 0.0200 below that of the best single model, b"),
        (-0.03, -0.02, -0.01, "that model alone is better."),
        (None, None, None, "Its gain over the best single model is not defined."),
    ],
)
def test_a_blend_is_judged_by_the_interval_of_its_gain(
    low: float | None, value: float | None, high: float | None, text: str
) -> None:
    models = {"a": column_scores(0.85), "b": column_scores(0.88)}
    gain = Gain("mean", "b", value, low, high, 0.95)
    assert text in summary(report_run(column_scores(0.90), models=models, gains=(gain,)))


def test_a_single_model_has_no_gain() -> None:
    assert "blend" not in summary(report_run(column_scores(0.9)))


@pytest.mark.parametrize(
    ("skill", "slope", "level", "text"),
    [
        (
            0.2,
            1.0,
            0.0,
            "[good] The scores can be read as probabilities, and say more than the share of",
        ),
        (0.2, 0.7, 0.0, "[warn] As probabilities, the scores are too extreme (Brier skill 0.200 [0.10 to 0.30], slope"),
        (0.2, 1.4, -0.5, "[warn] As probabilities, the scores are not extreme enough and too high (Brier skill"),
        (0.2, 1.0, 0.5, "[warn] As probabilities, the scores are too low (Brier skill"),
        (0.05, 1.0, 0.0, "[warn] As probabilities, the scores are not shown to be better than the share of positives"),
        (-0.2, 1.0, 0.0, "They may still rank images, or set calibration.method to platt."),
    ],
)
def test_calibration_decides_how_to_read_scores(skill: float, slope: float, level: float, text: str) -> None:
    """A small error of the bins is no merit where positives are rare."""
    blend = column_scores(0.9, calibration_error=0.001)
    values = {"brier_skill": skill, "slope": slope, "intercept": level}
    scores = {name: Score(value, value - 0.1, value + 0.1, None) for name, value in values.items()}
    found = summary(report_run(replace(blend, calibration=replace(blend.calibration, **scores))))
    assert text in found


def test_a_score_below_one_half_is_worse_than_guessing() -> None:
    auc = Score(0.21, 0.15, 0.28, None)
    first = findings(report_run(replace(column_scores(0.9), auc=auc)))[0]
    assert first.kind == "warn"
    assert "That is worse than guessing: the scores order images the wrong way around." in first.text


def test_several_classes_have_no_positive_images() -> None:
    run = with_metrics(report_run(column_scores(0.9)), scored_classes=("mark", "spot"))
    assert "rank a random image of a class above a random image without it in 90.0%" in findings(run)[0].text


def test_ranks_are_not_judged_as_probabilities() -> None:
    assert "probabilities" not in summary(report_run(column_scores(0.9, calibration_error=None)))


@pytest.mark.parametrize("settings", [{"select_epoch": "best"}, {"patience": 5}])
def test_epochs_chosen_on_the_scored_fold_are_a_warning(settings: dict[str, Any]) -> None:
    text = summary(report_run(column_scores(0.9), **settings))
    assert "[warn] The number of epochs of a was chosen on the same fold that is scored" in text


@pytest.mark.parametrize("settings", [{}, {"patience": 5, "monitor": "loss", "select_epoch": "best_loss"}])
def test_epochs_that_the_scored_fold_does_not_decide_need_no_warning(settings: dict[str, Any]) -> None:
    assert "epochs" not in summary(report_run(column_scores(0.9), **settings))


def test_an_audit_without_pairs_is_no_good_news() -> None:
    text = summary(report_run(column_scores(0.9)))
    assert "[] The leak audit lists no pair of copies among the training images or between test and training" in text
    assert "its section says what it cannot see." in text


def test_duplicates_within_the_training_images_are_counted() -> None:
    text = summary(report_run(column_scores(0.9), train_pairs=[("a", "b", "train", "exact", 0, "yes")]))
    assert "[good] The leak audit lists 1 pair of copies among the training images (1 exact). No image of them" in text
    assert "contradictory" not in text


def test_duplicates_of_test_images_are_counted_once_per_image() -> None:
    pairs = [
        ("t", "a", "train", "near", 3, ""),
        ("t", "b", "train", "near", 3, ""),
        ("u", "a", "train", "near", 3, ""),
    ]
    text = summary(report_run(column_scores(0.9), test_pairs=pairs))
    assert (
        "[warn] 2 test images are copies of training images as far as the audit can tell (0 with equal pixels): t, u. "
        "On a leaderboard, their scores may be better than on new images; results/leaks/test.csv lists the pairs."
    ) in text
    assert "among the training images" not in text


def test_without_a_test_split_nothing_is_said_of_it() -> None:
    run = report_run(column_scores(0.9))
    assert "no pair of copies among the training images or between test and training images; its" in summary(run)
    alone = replace(run, leaks={"train": run.leaks["train"]})
    assert "The leak audit lists no pair of copies among the training images; its section" in summary(alone)


def test_external_images_are_counted() -> None:
    text = summary(report_run(column_scores(0.9), external_folds=[-1, 1, 0, -1, 0]))
    assert "[good] 5 external images are used for training only. 3 of them share a group or a duplicate" in text
    alone = summary(report_run(column_scores(0.9), external_folds=[-1]))
    assert "1 external image is used for training only. None of them shares a group, or a copy that" in alone
    assert "1 of them is left out as copies" in summary(report_run(column_scores(0.9), external_folds=[-1, -3]))
    assert "external" not in summary(report_run(column_scores(0.9)))


def test_leaks_of_external_images_are_counted() -> None:
    text = summary(
        report_run(
            column_scores(0.9),
            train_pairs=[("a", "b", "train", "exact", 0, "yes")],
            external_pairs=[("e", "a", "train", "near", 2, "no"), ("e", "f", "external", "exact", 0, "yes")],
            test_pairs=[("t", "e", "external", "near", 1, ""), ("u", "a", "train", "exact", 0, "")],
        )
    )
    assert "The leak audit lists 3 pairs of copies among the training and external images (2 exact, 1 near). No" in text
    assert "[warn] 1 of these pairs has contradictory labels" in text
    assert "2 test images are copies of training and external images as far as the audit can tell (1 with equal" in text


def test_the_methods_give_the_numbers_of_the_run() -> None:
    paragraphs = dict(methods(report_run(column_scores(0.9))))
    assert "jackknife over the 10 groups" in paragraphs["Intervals"]
    assert "2 folds" in paragraphs["Out-of-fold rows"]
    assert paragraphs["Log loss, Brier score, accuracy, F1"].endswith("count a score of 0.5 or more as a prediction.")
    assert "Several classes" not in paragraphs


def test_the_methods_say_how_models_were_optimized() -> None:
    assert dict(methods(report_run(column_scores(0.9))))["Training"] == "a: Adam."
    settings = next(iter(report_run(column_scores(0.9)).provenances.values())).settings
    changed = replace(
        settings, optimizer=Optimizer(0.05, 0.8, 1.0), normalization="frozen", ema_decay=0.999, ema_warmup=True
    )
    changed = replace(changed, augment=Augmentation("cycle"), head_epochs=1)
    assert training_words(changed) == (
        "AdamW with a weight decay of 0.05 for kernels, a learning rate times 0.8 for each block below the head, "
        "gradients shortened to a norm of 1, an exponential average of the weights (decay 0.999 per step, less in the "
        "first steps), batch normalization of the backbone as in the initial weights, the head alone in the first "
        "1 epoch, another view by flips and quarter turns of each image in each epoch"
    )


def test_the_methods_say_which_rows_and_sizes_an_epoch_has() -> None:
    settings = next(iter(report_run(column_scores(0.9)).provenances.values())).settings
    changed = replace(
        settings,
        sampling=Sampling(0.3, 0.5),
        size_schedule=(SizeStage(2, 96),),
        prediction_size=128,
        accumulate=2,
        swa_epochs=3,
        normalization="none",
        augment=Augmentation(operations=1),
    )
    assert training_words(changed) == (
        "Adam, the average of the weights at the ends of the last 3 epochs, gradients of 2 parts of a batch added, "
        "batch normalization of the backbone folded into its convolutions before the training, in each epoch at most "
        "so many rows of a class as 0.3 of the most frequent one, 50% of them those with the highest loss, with the "
        "change of the prior added to the logits in the loss, images of 96 pixels in 2 epochs, predictions with "
        "images of 128 pixels, 1 operation of the augmentation for each image"
    )


def test_the_methods_say_where_thresholds_are_chosen() -> None:
    paragraphs = dict(methods(with_metrics(report_run(column_scores(0.9)), threshold="best_f1")))
    assert (
        "by the rule best_f1. Those of a fold are chosen on the other folds"
        in paragraphs["Log loss, Brier score, accuracy, F1"]
    )


@pytest.mark.parametrize(
    ("low", "high", "kind", "end"),
    [
        (0.02, 0.18, "good", " (interval of the difference +2.0 to +18.0 percentage points)."),
        (
            -0.02,
            0.18,
            "warn",
            ". The predictions are not shown to be better (interval of the difference -2.0 to +18.0 ",
        ),
        (-0.18, -0.02, "warn", ", which is better (interval of the difference -18.0 to -2.0 percentage points)."),
        (None, None, "", "; whether the difference is chance is not known (one group)."),
    ],
)
def test_accuracy_is_compared_with_the_most_frequent_class(
    low: float | None, high: float | None, kind: str, end: str
) -> None:
    blend = replace(column_scores(0.9), accuracy=Score(0.8, 0.7, 0.9, None))
    assert not any("highest probability" in row.text for row in findings(report_run(blend)))
    gain = Score(0.1, low, high, None if low else "one group")
    run = report_run(replace(blend, most_frequent=MostFrequent("nevus", 0.7, gain)))
    (found,) = [row for row in findings(run) if "highest probability" in row.text]
    assert found.kind == kind
    start = (
        "The class with the highest probability is the true one in 80.0% of the images (95% interval 70.0% to 90.0%). "
        "To predict the most frequent class, nevus, for every image would be right in 70.0%"
    )
    assert found.text.startswith(start)
    assert found.text.removeprefix(start).startswith(end)


def calibrated(run: Run, method: str, **recipe: Any) -> Run:
    return replace(run, recipe=replace(run.recipe, calibration=CalibrationMethod(method), **recipe))


def with_calibration(skill: float, slope: float, level: float) -> ColumnScores:
    values = {"brier_skill": skill, "slope": slope, "intercept": level}
    scores = {name: Score(value, value - 0.1, value + 0.1, None) for name, value in values.items()}
    blend = column_scores(0.9)
    return replace(blend, calibration=replace(blend.calibration, **scores))


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("none", "Use them to rank images, or set calibration.method to platt."),
        ("temperature", "They are calibrated already (calibration.method is temperature); platt fits more."),
        ("platt", "They are calibrated already (calibration.method is platt); beta fits more."),
        ("isotonic", "They are calibrated already, by the most flexible method (calibration.method is isotonic)."),
    ],
)
def test_advice_on_calibration_knows_what_is_set(method: str, text: str) -> None:
    run = report_run(with_calibration(0.5, 0.6, 0.0))
    assert text in summary(calibrated(run, method))
    alone = summary(with_metrics(run, folds=1))
    assert "with one fold they cannot be calibrated." in alone
    assert "calibration.method" not in alone


def test_classes_that_cannot_be_calibrated_are_named() -> None:
    reason = {"mark": "its labels do not rise with its scores"}
    run = report_run(with_calibration(0.0, 0.2, 0.0))
    left = calibrated(run, "none", calibration_method="platt", uncalibrated=reason)
    assert "calibration.method is platt, which no class can be calibrated by." in summary(left)
    assert dict(methods(left))["Calibration"] == (
        "calibration.method is platt, but scores are left as they are: mark (its labels do not rise with its scores)."
    )
    some = calibrated(run, "platt", calibration_method="platt", uncalibrated=reason)
    assert dict(methods(some))["Calibration"].endswith(
        "Left as they are: mark (its labels do not rise with its scores)."
    )
    assert "Calibration" not in dict(methods(run))


def test_levels_of_single_classes_are_judged() -> None:
    """Errors of classes in opposite directions cancel out over all of them."""
    even = Score(0.0, -0.1, 0.1, None)
    of_class = [
        ClassCalibration(even, Score(level, level - 0.1, level + 0.1, None), even) for level in (0.5, -0.6, 0.0)
    ]
    names = ("nevus", "melanoma", "other")
    blend = with_calibration(0.5, 1.0, 0.0)
    classes = tuple(
        ClassScores(
            **dict.fromkeys(METRICS, UNUSED),
            name=name,
            positives=1,
            negatives=1,
            threshold=None,
            folds=(),
            calibration=one,
        )
        for name, one in zip(names, of_class, strict=True)
    )
    run = with_metrics(report_run(replace(blend, classes=classes)), scored_classes=names)
    assert "the scores are too low for nevus and too high for melanoma (Brier skill" in summary(run)


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"select_epoch": "best"}, "set select_epoch to last."),
        ({"patience": 5}, "set early_stopping.patience to null."),
        ({"patience": 5, "select_epoch": "best"}, "set select_epoch to last and early_stopping.patience to null."),
    ],
)
def test_advice_on_epochs_names_what_is_set(settings: dict[str, Any], changes: str) -> None:
    assert f"train a fixed number of epochs: {changes}" in summary(report_run(column_scores(0.9), **settings))


def test_labels_are_not_questioned_by_a_model_at_chance() -> None:
    run = report_run(column_scores(0.5))
    assert label_issue_sentence(run) == ""
    left_out = {"mark": "ROC AUC 0.500 (0.450 to 0.550), where 0.5 is chance"}
    assert label_issue_sentence(with_metrics(run, label_issues_left_out=left_out)) == (
        "No label is questioned, because the predictions are not shown to be better than chance: ROC AUC 0.500 (0.450 "
        "to 0.550), where 0.5 is chance."
    )
    classes = (ClassCounts("mark", 7, 3, 7, rare=False), ClassCounts("spot", 3, 7, 3, rare=False))
    some = with_metrics(run, label_issues_left_out=left_out, classes=classes, label_issues=2)
    text = label_issue_sentence(some)
    assert text.startswith("The predictions contradict the labels of 2 images: results/label_issues.csv")
    assert "in favor of a class that the predictions are not shown to tell from others: mark (ROC AUC 0.500" in text


def test_the_page_says_which_networks_predict_the_test_rows() -> None:
    run = report_run(column_scores(0.9))
    texts = []
    for changes in ({}, {"repeats": 2}, {"test_models": "final"}, {"test_views": "split"}):
        made = replace(run, recipe=replace(run.recipe, **changes))
        texts.append(dict(methods(made))["Test predictions and blend"].partition(". ")[0])
    assert texts == [
        "A model predicts test rows by the mean over its folds",
        "A model predicts test rows by the mean over its folds of all repeats",
        "A model predicts test rows by its final network, which is trained on the rows of all folds",
        "A model predicts test rows by the mean over its folds, which share the views of an image",
    ]
    once, twice = (dict(methods(with_metrics(run, **of)))["Out-of-fold rows"] for of in ({}, {"repeats": 2}))
    assert "split once into 2 folds" in once
    assert "split 2 times into 2 folds" in twice
    assert twice.endswith("judged by the folds of the first.")
