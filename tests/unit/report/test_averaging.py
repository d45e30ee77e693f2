"""What averaging the folds adds is said beside the out-of-fold score."""

from dataclasses import replace

from fixtures.report_run import column_scores, report_run
from foldline.evaluation.fold_averaging import FoldAveraging
from foldline.report.averaging import averaging_sentence
from foldline.report.json_inputs import SplitMetrics


def test_without_labels_the_gain_is_explained_and_not_claimed() -> None:
    text = averaging_sentence(report_run(column_scores(0.9)))
    assert "is that of 1 network, because the others" in text
    assert "the mean of all 2" in text
    assert text.endswith("out-of-fold rows cannot show by how much.")


def test_with_labels_the_gain_has_an_interval() -> None:
    scores = SplitMetrics(3, {}, FoldAveraging(2, 0.9, 0.0123, -0.001, 0.02))
    text = averaging_sentence(replace(report_run(column_scores(0.9)), holdout_metrics=scores))
    assert text.endswith(
        "On the holdout, one network of each model has an AUC of 0.9000 on average, and the mean of 2 adds +0.0123 "
        "(95% interval -0.0010 to +0.0200)."
    )
    run = replace(report_run(column_scores(0.9)), holdout_metrics=scores)
    text = averaging_sentence(replace(run, recipe=replace(run.recipe, test_views="split")))
    assert "one network of each model, with its share of the views, has an AUC of 0.9000" in text
    undefined = SplitMetrics(3, {}, FoldAveraging(2, None, None, None, None))
    text = averaging_sentence(replace(report_run(column_scores(0.9)), test_metrics=undefined))
    assert "On the" not in text


def test_a_final_network_is_no_mean() -> None:
    run = report_run(column_scores(0.9))
    text = averaging_sentence(replace(run, recipe=replace(run.recipe, test_models="final")))
    assert text.startswith("New images are predicted by the final network of each model")
