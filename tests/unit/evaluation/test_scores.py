"""Scores of a column: against scikit-learn, with a reason for every value that is missing."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from foldline.evaluation.calibration import expected_calibration_error, reliability_bins
from foldline.evaluation.cross_entropy import cross_entropy, label_entropy
from foldline.evaluation.estimates import Rows
from foldline.evaluation.intervals import SHARE, interval
from foldline.evaluation.oof import Oof
from foldline.evaluation.ranking import ranking_estimates
from foldline.evaluation.reasons import NOT_PREDICTED, ONE_GROUP, ONE_OF_SEVERAL, RANKS, UNDEFINED, UNDEFINED_WEIGHTED
from foldline.evaluation.results import ColumnScores, Score
from foldline.evaluation.scores import EvaluationConfig, column_scores
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

CONFIG = EvaluationConfig(
    class_names=("mark",),
    scored_classes=("mark",),
    activation="sigmoid",
    threshold=0.5,
    confidence=0.9,
    metadata_columns=("site",),
    weighted=False,
    operating_points=("sensitivity 0.9",),
)


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    target = (random.random(400) < 0.3).astype(int)
    site = random.choice(["arm", "leg", "rare"], 400, p=[0.5, 0.45, 0.05])
    return pd.DataFrame(
        {
            "fold": np.arange(400) % 4,
            "group": [f"g{number // 2}" for number in range(400)],
            "target": target,
            "a": 1 / (1 + np.exp(-(random.normal(size=400) + target))),
            "site": site,
        }
    )


def scores_of(
    table: pd.DataFrame, *, columns=("a",), rank_columns=(), config=CONFIG, weights=None
) -> dict[str, ColumnScores]:
    """Score columns of one class."""
    oof = Oof(
        class_names=["mark"],
        ids=[f"i{number}" for number in table.index],
        folds=table["fold"].to_numpy(),
        labels=table[["target"]].to_numpy(),
        scores={name: table[[name]].to_numpy() for name in columns},
    )
    metadata = {name: table[name] for name in config.metadata_columns}
    groups = list(table["group"])
    return column_scores(
        oof, groups=groups, metadata=metadata, rank_columns=rank_columns, config=config, weights=weights
    ).columns


def test_folds_have_a_mean_and_a_standard_deviation(table: pd.DataFrame) -> None:
    found = scores_of(table)["a"]
    values = [roc_auc_score(rows["target"], rows["a"]) for _, rows in table.groupby("fold")]
    assert [row.auc.value for row in found.folds] == pytest.approx(values)
    assert [(row.fold, row.rows, row.defined_classes) for row in found.folds] == [(fold, 100, 1) for fold in range(4)]
    assert [row.positives for row in found.folds] == table.groupby("fold")["target"].sum().tolist()
    assert found.folds_mean.auc == pytest.approx(np.mean(values))
    assert found.folds_sd.auc == pytest.approx(np.std(values, ddof=1))
    assert found.auc.value == pytest.approx(roc_auc_score(table["target"], table["a"]))
    assert found.pooled_minus_folds_mean.auc == pytest.approx(found.auc.value - np.mean(values))
    assert found.auc.low < found.auc.value < found.auc.high


def test_a_fold_with_one_label_leaves_the_mean_undefined(table: pd.DataFrame) -> None:
    table.loc[table["fold"] == 2, "target"] = 0
    found = scores_of(table)["a"]
    assert [row.auc.value is None for row in found.folds] == [False, False, True, False]
    assert [row.defined_classes for row in found.folds] == [1, 1, 0, 1]
    assert (found.folds_mean.auc, found.folds_sd.auc, found.pooled_minus_folds_mean.auc) == (None, None, None)
    assert found.folds_mean.accuracy is not None
    (only,) = found.classes
    assert only.folds[2].auc == Score(None, None, None, UNDEFINED)
    assert only.folds[1].auc.reason is None


def test_folds_with_different_ranges_show_in_the_difference(table: pd.DataFrame) -> None:
    table["a"] = table["a"] / 4 + table["fold"] / 4 * 0.99
    assert scores_of(table)["a"].pooled_minus_folds_mean.auc < -0.1


def test_subgroups_are_scored_with_their_rows(table: pd.DataFrame) -> None:
    found = scores_of(table)["a"]
    arm, leg = found.subgroups["site"].values
    rows = table[table["site"] == "arm"]
    assert (arm.value, arm.rows, arm.positives) == ("arm", len(rows), rows["target"].sum())
    assert arm.auc.value == pytest.approx(roc_auc_score(rows["target"], rows["a"]))
    assert arm.auc.low < arm.auc.value < arm.auc.high
    assert arm.average_precision.value == pytest.approx(average_precision_score(rows["target"], rows["a"]))
    assert arm.accuracy.value == pytest.approx(((rows["a"] >= 0.5) == rows["target"]).mean())
    assert (arm.mean_score, arm.positive_share) == pytest.approx((rows["a"].mean(), rows["target"].mean()))
    assert arm.score_excess.value == pytest.approx(arm.mean_score - arm.positive_share)
    assert arm.score_excess.low < arm.score_excess.value < arm.score_excess.high
    assert min(row.auc.high - row.auc.low for row in (arm, leg)) > found.auc.high - found.auc.low


def test_the_calibration_is_that_of_all_rows(table: pd.DataFrame) -> None:
    rows = Rows.of(list(table["group"]))
    bins = reliability_bins(table["target"].to_numpy(), table["a"].to_numpy(), rows=rows, confidence=CONFIG.confidence)
    found = scores_of(table)["a"]
    assert (found.calibration.error, found.calibration.bins) == (expected_calibration_error(bins), bins)
    assert found.calibration.error > 0
    assert found.reason is None


def test_ranks_have_no_probability_metrics(table: pd.DataFrame) -> None:
    found = scores_of(table, rank_columns=["a"])["a"]
    for name in ("log_loss", "brier", "accuracy", "f1"):
        assert getattr(found, name) == Score(None, None, None, RANKS)
        assert getattr(found.folds_mean, name) is getattr(found.folds[0], name).value is None
        assert getattr(found.classes[0], name).reason == RANKS
    assert (found.calibration.error, found.calibration.bins, found.calibration.reason) == (None, (), RANKS)
    assert found.reason == RANKS
    assert found.auc == scores_of(table)["a"].auc


def test_positives_of_one_group_have_no_interval(table: pd.DataFrame) -> None:
    table["target"] = [1, 1] + [0] * 398
    found = scores_of(table, config=replace(CONFIG, metadata_columns=()))["a"]
    assert found.auc.value is not None
    assert (found.auc.low, found.auc.high, found.auc.reason) == (None, None, ONE_GROUP)
    assert found.accuracy.low is not None


def test_the_interval_of_few_groups_is_marked(table: pd.DataFrame) -> None:
    assert not scores_of(table)["a"].auc.few_groups
    table["target"] = [1] * 50 + [0] * 350
    found = scores_of(table, config=replace(CONFIG, metadata_columns=()))["a"]
    assert found.auc.few_groups
    assert not found.accuracy.few_groups


def test_a_class_without_positives_has_no_auc(table: pd.DataFrame) -> None:
    found = scores_of(table.assign(target=0))["a"]
    assert found.auc == found.classes[0].auc == Score(None, None, None, UNDEFINED)


def test_the_accuracy_is_top_1_if_each_sample_has_exactly_one_class(table: pd.DataFrame) -> None:
    binary = scores_of(table)["a"]
    assert binary.confusion is binary.cohen_kappa is binary.balanced_accuracy is None
    assert not {"confusion", "cohen_kappa", "balanced_accuracy"} & set(binary.as_json())
    assert {"precision", "recall"} < set(binary.as_json()["classes"][0])
    labels = np.eye(2, dtype=int)[table["target"]]
    scores = np.stack([1 - table["a"], table["a"]], axis=1)
    config = replace(CONFIG, class_names=("no", "yes"), scored_classes=("yes",), activation="softmax")
    oof = Oof(["no", "yes"], [f"i{n}" for n in table.index], table["fold"].to_numpy(), labels, {"a": scores})
    arguments = {"groups": list(table["group"]), "metadata": {"site": table["site"]}, "config": config}
    found = column_scores(oof, rank_columns=(), **arguments).columns["a"]
    arm, own = found.subgroups["site"].values[0], table[table["site"] == "arm"]
    right = (own["a"] > 0.5) == own["target"]
    assert arm.score_excess.value == pytest.approx(np.maximum(own["a"], 1 - own["a"]).mean() - right.mean())
    assert found.accuracy.value == pytest.approx(((table["a"] > 0.5) == table["target"]).mean())
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert found.as_json()["cohen_kappa"]["value"] == found.cohen_kappa.value
    ranks = column_scores(oof, rank_columns=("a",), **arguments).columns["a"]
    excess = ranks.subgroups["site"].values[0].score_excess
    for score in (ranks.accuracy, ranks.log_loss, ranks.f1, ranks.cohen_kappa, ranks.classes[0].precision, excess):
        assert score == Score(None, None, None, RANKS)
    assert (ranks.confusion.counts, ranks.confusion.reason) == ((), RANKS)


def three_classes(weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, ColumnScores]:
    """True classes, probabilities and scores of 300 samples; the last of four classes is never predicted."""
    random = np.random.default_rng(6)
    true = random.choice(4, 300, p=[0.6, 0.2, 0.15, 0.05])
    scores = random.dirichlet([1, 1, 1], 300) + np.eye(4)[true][:, :3] * 0.4
    scores = np.hstack([scores, np.full((300, 1), 0.01)])
    scores /= scores.sum(axis=1, keepdims=True)
    names = tuple("wxyz")
    oof = Oof(list(names), [f"i{n}" for n in range(300)], np.arange(300) % 3, np.eye(4, dtype=int)[true], {"a": scores})
    config = replace(CONFIG, class_names=names, scored_classes=names, activation="softmax", metadata_columns=())
    found = column_scores(oof, groups=oof.ids, metadata={}, rank_columns=(), config=config, weights=weights).columns[
        "a"
    ]
    return true, scores, found


@pytest.mark.parametrize("is_weighted", [False, True])
def test_scores_of_several_exclusive_classes_are_those_of_scikit_learn(is_weighted: bool) -> None:
    weights = np.random.default_rng(7).exponential(size=300) if is_weighted else None
    true, scores, found = three_classes(weights)
    predicted, kind = scores.argmax(axis=1), {"sample_weight": weights}
    expected = {
        "accuracy": accuracy_score(true, predicted, **kind),
        "log_loss": log_loss(true, scores, **kind),
        "brier": brier_score_loss(true, scores, **kind),
        "f1": f1_score(true, predicted, average="macro", zero_division=0, **kind),
        "balanced_accuracy": balanced_accuracy_score(true, predicted, **kind),
        "cohen_kappa": cohen_kappa_score(true, predicted, **kind),
        "auc": roc_auc_score(np.eye(4)[true], scores, average="macro", **kind),
    }
    for name, value in expected.items():
        score = getattr(found, name)
        assert score.value == pytest.approx(value), name
        assert score.low < score.value < score.high, name
    assert found.confusion.counts == tuple(map(tuple, confusion_matrix(true, predicted).tolist()))
    shares = confusion_matrix(true, predicted, normalize="true", **kind)
    assert np.array(found.confusion.row_shares) == pytest.approx(shares)
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted, zero_division=0, **kind)
    for number, row in enumerate(found.classes):
        assert (row.positives, row.threshold) == ((true == number).sum(), None)
        assert (row.recall.value, row.f1.value) == pytest.approx((recall[number], f1[number]))
        assert row.precision.value == (pytest.approx(precision[number]) if number < 3 else None)
        assert (row.accuracy.value, row.accuracy.reason) == (None, ONE_OF_SEVERAL)
    assert found.classes[3].precision.reason == NOT_PREDICTED
    assert found.classes[0].precision.low < found.classes[0].precision.value < found.classes[0].precision.high


def test_soft_labels_have_a_cross_entropy_beside_the_scores_of_their_classes() -> None:
    random = np.random.default_rng(5)
    shares, scores = (random.dirichlet([1, 1, 1], 300).astype(np.float32) for _ in range(2))
    labels = np.eye(3, dtype=np.int64)[shares.argmax(axis=1)]
    classes = ("x", "y", "z")
    config = replace(CONFIG, class_names=classes, scored_classes=classes, activation="softmax", metadata_columns=())
    oof = Oof(list(classes), [f"i{n}" for n in range(300)], np.arange(300) % 3, labels, {"a": scores, "b": shares})

    def scored(oof: Oof, rank_columns: tuple[str, ...] = ()) -> dict[str, ColumnScores]:
        return column_scores(oof, groups=oof.ids, metadata={}, rank_columns=rank_columns, config=config).columns

    hard, soft = scored(oof), scored(replace(oof, shares=shares))
    assert "soft_cross_entropy" not in hard["a"].as_json()
    expected = -(shares.astype(float) * np.log(scores.astype(float))).sum(axis=1)
    found = soft["a"].soft_cross_entropy
    assert found is not None
    assert found.value == pytest.approx(expected.mean())
    assert found.low < found.value < found.high
    # Labels that are scored by themselves have their entropy.
    entropy = label_entropy(shares, "softmax")["soft_label_entropy"]
    assert soft["b"].soft_cross_entropy.value == pytest.approx(entropy)
    assert entropy == pytest.approx(np.mean([scipy.stats.entropy(row) for row in shares.astype(float)]), rel=1e-6)
    assert replace(soft["a"], soft_cross_entropy=None) == hard["a"]
    assert scored(replace(oof, shares=shares), ("a",))["a"].soft_cross_entropy == Score(None, None, None, RANKS)


def test_the_cross_entropy_of_a_single_soft_class_is_that_of_scikit_learn() -> None:
    """A row with the share y is y positives and 1 - y negatives."""
    shares, scores = np.array([[0.2], [1.0], [0.5]]), np.array([[0.3], [0.9], [0.5]])
    rows = np.concatenate([scores, scores])[:, 0]
    weights = np.concatenate([shares, 1 - shares])[:, 0]
    expected = log_loss([1, 1, 1, 0, 0, 0], rows, sample_weight=weights)
    assert cross_entropy(shares, scores, "sigmoid").mean() == pytest.approx(expected)
    assert label_entropy(None, "sigmoid") == {}


def weighted(table: pd.DataFrame, seed: int = 4) -> np.ndarray:
    """Weights that follow the label, a tenth of them 0."""
    random = np.random.default_rng(seed)
    return random.exponential(1 + 2 * table["target"]) * (random.random(len(table)) < 0.9)


def test_weights_count_in_every_score_as_in_scikit_learn(table: pd.DataFrame) -> None:
    weights = weighted(table)
    found = scores_of(table, weights=weights)["a"]
    target, scores = table["target"], table["a"]
    assert found.auc.value == pytest.approx(roc_auc_score(target, scores, sample_weight=weights))
    assert found.log_loss.value == pytest.approx(log_loss(target, scores, sample_weight=weights))
    assert found.accuracy.value == pytest.approx(accuracy_score(target, scores >= 0.5, sample_weight=weights))
    assert found.auc.value != pytest.approx(scores_of(table)["a"].auc.value, abs=1e-4)
    for fold, rows in table.groupby("fold"):
        expected = roc_auc_score(rows["target"], rows["a"], sample_weight=weights[rows.index])
        assert found.folds[fold].auc.value == found.classes[0].folds[fold].auc.value == pytest.approx(expected)
    for subgroup in found.subgroups["site"].values:
        rows = table[table["site"] == subgroup.value]
        assert subgroup.auc.value == pytest.approx(
            roc_auc_score(rows["target"], rows["a"], sample_weight=weights[rows.index])
        )
        assert subgroup.rows == len(rows)
    assert (found.classes[0].positives, found.classes[0].negatives) == (target.sum(), (target == 0).sum())


def test_intervals_count_weights_and_groups(table: pd.DataFrame) -> None:
    weights = weighted(table)
    found = scores_of(table, weights=weights)["a"].auc
    area, _ = ranking_estimates(
        table["target"].to_numpy(), table["a"].to_numpy(), Rows.of(list(table["group"]), weights)
    )
    assert area is not None
    assert (found.low, found.high) == interval(area, SHARE, confidence=0.9)
    plain = scores_of(table)["a"].auc
    assert (found.low, found.high) != pytest.approx((plain.low, plain.high), abs=1e-4)


def test_equal_weights_change_nothing(table: pd.DataFrame) -> None:
    plain, found = (scores_of(table, weights=weights)["a"].as_json() for weights in (None, np.ones(len(table))))
    assert found == plain


@pytest.mark.parametrize("label", [0, 1])
def test_a_label_without_a_weight_has_no_auc(label: int, table: pd.DataFrame) -> None:
    weights = np.where(table["target"] == label, np.linspace(0.1, 0.3, len(table)), 0.0)
    found = scores_of(table, weights=weights)["a"]
    assert found.auc == found.classes[0].auc == Score(None, None, None, UNDEFINED_WEIGHTED)
    assert [row.auc for row in found.folds] == [Score(None, None, None, UNDEFINED_WEIGHTED)] * 4
    assert found.log_loss.value is not None
    weights[table.index[table["target"] != label][0]] = 0.1
    lone = scores_of(table, weights=weights)["a"].auc
    assert 0 <= lone.value <= 1
    assert (lone.low, lone.high, lone.reason) == (None, None, ONE_GROUP)


def test_soft_labels_and_classes_count_by_weights() -> None:
    random = np.random.default_rng(5)
    shares, scores = random.dirichlet([1, 1, 1], 60), random.dirichlet([1, 1, 1], 60)
    weights, labels = random.random(60), np.eye(3, dtype=np.int64)[shares.argmax(axis=1)]
    names = ("a", "b", "c")
    oof = Oof(list(names), [f"i{n}" for n in range(60)], np.arange(60) % 2, labels, {"m": scores}, shares)
    config = replace(CONFIG, class_names=names, scored_classes=names, activation="softmax", metadata_columns=())
    found = column_scores(oof, groups=oof.ids, metadata={}, rank_columns=[], config=config, weights=weights).columns[
        "m"
    ]
    losses = cross_entropy(shares, scores, "softmax")
    assert found.soft_cross_entropy.value == pytest.approx(np.average(losses, weights=weights))
    correct = scores.argmax(axis=1) == shares.argmax(axis=1)
    assert found.accuracy.value == pytest.approx(np.average(correct, weights=weights))
    entropy = np.average(cross_entropy(shares, shares, "softmax"), weights=weights)
    assert label_entropy(shares, "softmax", weights) == {"soft_label_entropy": pytest.approx(entropy)}
    rows = Rows(weights.repeat(3), np.arange(60).repeat(3), 60)
    bins = reliability_bins(labels.ravel(), scores.ravel(), rows=rows, confidence=CONFIG.confidence)
    assert (found.calibration.error, found.calibration.bins) == (expected_calibration_error(bins), bins)


def test_accuracy_is_compared_with_the_most_frequent_class_on_the_same_rows() -> None:
    random, names = np.random.default_rng(6), ("a", "b", "c")
    labels = np.eye(3, dtype=np.int64)[random.choice(3, 200, p=[0.6, 0.3, 0.1])]
    scores = random.dirichlet([2, 1, 1], 200)
    weights = random.integers(0, 3, 200).astype(float)
    oof = Oof(list(names), [f"i{n}" for n in range(200)], np.arange(200) % 2, labels, {"m": scores, "blend": scores})
    config = replace(CONFIG, class_names=names, scored_classes=names, activation="softmax", metadata_columns=())
    found = column_scores(oof, groups=oof.ids, metadata={}, rank_columns=[], config=config, weights=weights).columns
    frequent = found["blend"].most_frequent
    assert frequent is not None
    share = np.average(labels[:, 0], weights=weights)
    assert (frequent.name, frequent.share) == ("a", pytest.approx(share))
    assert frequent.gain.value == pytest.approx(found["blend"].accuracy.value - share)
    assert frequent.gain.low < frequent.gain.value < frequent.gain.high
    # More is said of the blend than of single models.
    assert [row.calibration is None for row in found["m"].classes] == [True] * 3
    assert all(row.calibration.slope.value is not None for row in found["blend"].classes)
    ranks = column_scores(oof, groups=oof.ids, metadata={}, rank_columns=["blend"], config=config).columns["blend"]
    assert (ranks.most_frequent, ranks.classes[0].calibration) == (None, None)
