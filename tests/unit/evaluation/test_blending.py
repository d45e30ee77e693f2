"""Predictions that do not belong together are not merged; blends follow their formulas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.blending import (
    MergedPredictions,
    blend,
    choose_rule,
    detect_rule,
    merge_oof,
    merge_test,
    scaled_ranks,
)
from foldline.io.tables import PREDICTIONS, write_table
from scipy.stats import rankdata

FOLD_OF = {"i0": 0, "i1": 1, "i2": 0, "i3": 1}
TEST_IDS = ["t2", "t0", "t1"]


def oof_rows(model: str = "a") -> pd.DataFrame:
    rows = [(name, "mark", 0.1 + 0.2 * number, model, fold, 4) for number, (name, fold) in enumerate(FOLD_OF.items())]
    return pd.DataFrame(rows, columns=list(PREDICTIONS))


def predicted_rows(model: str = "a") -> pd.DataFrame:
    rows = [
        (name, "mark", 0.1 + 0.2 * int(name[1]) + 0.04 * fold, model, fold, 4)
        for fold in (0, 1)
        for name in sorted(TEST_IDS)
    ]
    return pd.DataFrame(rows, columns=list(PREDICTIONS))


def merged_oof(folder: Path, *tables: pd.DataFrame) -> MergedPredictions:
    return merge_oof(written(folder, tables), fold_of=FOLD_OF, class_names=["mark"])


def merged_test(folder: Path, *tables: pd.DataFrame) -> MergedPredictions:
    return merge_test(written(folder, tables), ids=TEST_IDS, folds=[0, 1], class_names=["mark"])


def written(folder: Path, tables: tuple[pd.DataFrame, ...]) -> list[Path]:
    """Write one file per model and fold, the last fold first."""
    paths = []
    for table in tables:
        for (model, fold), rows in sorted(table.groupby(["model", "fold"]), reverse=True):
            paths.append(folder / f"{model}-{fold}-{len(paths)}.csv")
            write_table(rows, paths[-1], PREDICTIONS, key=("id", "class", "probability"))
    return paths


def test_out_of_fold_rows_are_in_the_order_of_the_fold_table(tmp_path: Path) -> None:
    found = merged_oof(tmp_path, oof_rows("b"), oof_rows("a").assign(probability=0.5))
    assert found.models == ["a", "b"]
    assert found.ids == list(FOLD_OF)
    assert found.views == {"a": 4, "b": 4}
    assert found.probabilities.shape == (2, 4, 1)
    assert found.probabilities[0, :, 0].tolist() == [0.5] * 4
    assert found.probabilities[1, :, 0].tolist() == oof_rows()["probability"].tolist()


def test_a_test_prediction_is_the_mean_over_the_folds(tmp_path: Path) -> None:
    """Row 13."""
    found = merged_test(tmp_path, predicted_rows())
    assert found.ids == TEST_IDS
    assert found.probabilities[0, :, 0] == pytest.approx([0.52, 0.12, 0.32])


def test_classes_are_in_the_given_order(tmp_path: Path) -> None:
    table = pd.concat([oof_rows(), oof_rows().assign(**{"class": "spot"}, probability=0.9)])
    found = merge_oof(written(tmp_path, (table,)), fold_of=FOLD_OF, class_names=["spot", "mark"])
    assert found.probabilities[0, :, 0].tolist() == [0.9] * 4
    assert found.probabilities[0, :, 1].tolist() == oof_rows()["probability"].tolist()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda table: table[table["id"] != "i2"],
            "a: 1 ids of the train rows of the fold table are missing: i2",
        ),
        (lambda table: table[table["fold"] != 1], "model a: fold 1 is missing"),
        (lambda table: table.assign(fold=[0, 1, 0, 2]), "model a: fold 2 is not in the fold table"),
        (
            lambda table: table.assign(id=["i0", "i1", "i2", "x9"]),
            "model a: id x9 is not in the train rows of the fold table",
        ),
        (lambda table: table.assign(fold=[1, 0, 0, 1]), "model a: id i0, i1 predicted by the model of another fold"),
        (lambda table: pd.concat([table, table[:1].assign(fold=1)]), "a/i0/mark occurs more than once"),
        (lambda table: table.assign(probability=[0.1, 1.2, 0.3, 0.4]), r"probability 1\.2 of id i1 is not in \[0, 1\]"),
        (lambda table: table.assign(probability=[0.1, -0.2, 0.3, 0.4]), "of id i1 is not in"),
        (lambda table: table.assign(probability=[0.1, np.inf, 0.3, 0.4]), "of id i1 is not in"),
        (lambda table: table.assign(views=[4, 1, 4, 1]), "model a mix view counts 1, 4"),
        (lambda table: table.assign(**{"class": "spot"}), "class spot is not one of the classes mark"),
    ],
)
def test_out_of_fold_rows_that_do_not_fit_are_refused(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        merged_oof(tmp_path, oof_rows("b"), change(oof_rows("a")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[table["fold"] == 0], "model a: fold 1 is missing"),
        (lambda table: table.assign(fold=table["fold"] + 1), "model a: fold 0 is missing"),
        (lambda table: table.drop(index=4), "model a, fold 1: 1 ids of the sample submission are missing: t1"),
        (lambda table: table.replace({"id": {"t1": "i1"}}), "fold 0: id i1 is not in the sample submission"),
        (lambda table: pd.concat([table, table[:1].assign(probability=1.0)]), "a/0/t0/mark occurs more than once"),
    ],
)
def test_test_rows_that_do_not_fit_are_refused(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        merged_test(tmp_path, predicted_rows("b"), change(predicted_rows("a")))


def test_a_class_that_is_missing_for_an_id_is_refused(tmp_path: Path) -> None:
    spot = oof_rows().assign(**{"class": "spot"})
    table = pd.concat([oof_rows(), spot[spot["id"] != "i3"]])
    with pytest.raises(FoldlineError, match="a class is missing for id i3"):
        merge_oof(written(tmp_path, (table,)), fold_of=FOLD_OF, class_names=["mark", "spot"])


def test_no_predictions_are_refused() -> None:
    with pytest.raises(FoldlineError, match="no predictions to blend"):
        merge_oof([], fold_of=FOLD_OF, class_names=["mark"])


def test_scaled_ranks_are_mean_ranks_within_the_unit_interval() -> None:
    values = np.round(np.random.default_rng(0).random(200), 1)
    assert scaled_ranks(values) == pytest.approx((rankdata(values) - 0.5) / 200)
    assert scaled_ranks(np.array([7.0])).tolist() == [0.5]
    assert 0 < scaled_ranks(values).min() < scaled_ranks(values).max() < 1


def test_blends_are_means_of_scores_or_ranks() -> None:
    models = np.array([[[0.1], [0.2], [0.9]], [[0.3], [0.2], [0.1]]])
    assert blend(models, "mean")[:, 0] == pytest.approx([0.2, 0.2, 0.5])
    assert blend(models, "rank_mean")[:, 0] == pytest.approx([0.5, 0.5, 0.5])
    assert blend(np.ones((7, 2, 1)), "mean").max() == 1


@pytest.fixture
def models() -> tuple[np.ndarray, np.ndarray]:
    """Make a good model with a small range and a bad one with a large range, which ranks blend better."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, (300, 1))
    good = 0.001 * (labels + random.normal(size=(300, 1))) + 0.1
    bad = random.random((300, 1))
    return np.stack([good, bad]), labels


def test_the_out_of_fold_score_decides_the_best_rule(models: tuple[np.ndarray, np.ndarray]) -> None:
    rule, scores = choose_rule(*models, "best")
    assert rule == "rank_mean"
    assert scores["rank_mean"] > scores["mean"] + 0.05
    assert choose_rule(*models, "mean") == ("mean", scores)
    assert choose_rule(models[0][:1], models[1], "best")[0] == "mean"
    with pytest.raises(FoldlineError, match=r"blend\.method is 'median'; allowed: mean, rank_mean, best"):
        choose_rule(*models, "median")


@pytest.mark.parametrize("rule", ["mean", "rank_mean"])
def test_the_rule_of_a_blend_is_detected(rule: str, models: tuple[np.ndarray, np.ndarray]) -> None:
    blended = blend(models[0], rule)
    assert detect_rule(models[0], blended) == rule
    blended[3] += 0.001
    with pytest.raises(FoldlineError, match="column blend is neither the mean nor the rank_mean of the model columns"):
        detect_rule(models[0], blended)
