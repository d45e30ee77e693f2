"""Metrics are computed from the out-of-fold rows, which must be the train rows of the fold table."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.results import Results, write_results, write_scores
from foldline.errors import FoldlineError
from foldline.evaluation.reasons import UNDEFINED
from foldline.evaluation.thresholds import best_threshold
from foldline.io.parquet import read_parquet
from foldline.io.tables import FLOAT32, FOLDS, INTEGER, TEXT, read_table, write_table
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    recall_score,
    roc_auc_score,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_scores(write_results(tmp_path_factory.mktemp("results")))


def metrics_of(results: Results, folder: Path, **changes: Any) -> dict[str, Any]:
    results.evaluate(metrics=folder / "metrics.json", **changes)
    return json.loads((folder / "metrics.json").read_text(), parse_constant=pytest.fail)


def rows_of(results: Results) -> pd.DataFrame:
    """The out-of-fold table; scores are float64 with the values of the file."""
    table = read_parquet(results.folder / "oof.parquet").to_pandas()
    return table.astype({name: "float64" for name, kind in table.dtypes.items() if kind == "float32"})


def write_rows(path: Path, table: pd.DataFrame) -> None:
    """Write the table of one class again."""
    scores = dict.fromkeys(("a", "b", "blend"), FLOAT32)
    types = {"id": TEXT, "fold": INTEGER, "target": INTEGER, **scores}
    write_table(table.astype(scores), path, types)


def floats_in(content: Any) -> list[float]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [number for item in content for number in floats_in(item)]
    return [content] if isinstance(content, float) else []


def test_every_column_is_scored_from_its_rows(made: Results, tmp_path: Path) -> None:
    found = metrics_of(made, tmp_path)
    table = rows_of(made)
    assert set(found["models"]) == {"a", "b", "blend"}
    compared = [(row["first"], row["second"]) for row in found["comparisons"] if row["metric"] == "auc"]
    assert compared == [("blend", "a"), ("blend", "b"), ("a", "b")]
    for column, scores in found["models"].items():
        assert scores["auc"]["value"] == pytest.approx(roc_auc_score(table["target"], table[column]), rel=1e-12)
        expected = average_precision_score(table["target"], table[column])
        assert scores["average_precision"]["value"] == pytest.approx(expected, rel=1e-12)
        assert [row["fold"] for row in scores["folds"]] == [0, 1, 2]
    assert all(math.isfinite(number) for number in floats_in(found))
    assert (found["rows"], found["folds"], found["scored_classes"]) == (120, 3, ["target"])
    (counts,) = found["classes"]
    assert (counts["name"], counts["positives"] + counts["negatives"], counts["rare"]) == ("target", 120, False)
    assert found["groups"] == pd.read_csv(made.folder / "folds.csv")["group"].nunique() == 58


def test_labels_that_are_probably_wrong_are_listed_with_their_rows(made: Results, tmp_path: Path) -> None:
    table = rows_of(made)
    contradicted = table.index[[3, 60]]
    for name in ("a", "b", "blend"):
        table.loc[contradicted, name] = 0.97 - 0.95 * table.loc[contradicted, "target"]
    write_rows(tmp_path / "oof.parquet", table)
    path = tmp_path / "label_issues.csv"
    found = metrics_of(made, tmp_path, oof=tmp_path / "oof.parquet", label_issues=path)
    issues, table = pd.read_csv(path), table.set_index("id")
    assert (len(issues), issues["rank"].tolist(), found["label_issues"]) == (2, [1, 2], 2)
    for row in issues.itertuples():
        target, score = table.loc[row.id, ["target", "blend"]]
        assert (row.label, row.suggested) == (("target", "not target") if target else ("not target", "target"))
        assert row.fold == table.loc[row.id, "fold"]
        assert row.label_probability == pytest.approx(score if target else 1 - score)


def test_the_same_rows_give_the_same_bytes(made: Results, tmp_path: Path) -> None:
    first = metrics_of(made, tmp_path)
    text = (tmp_path / "metrics.json").read_bytes()
    assert metrics_of(made, tmp_path) == first
    assert (tmp_path / "metrics.json").read_bytes() == text


def test_a_blend_of_ranks_has_no_probability_metrics(tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path), method="rank_mean")
    found = metrics_of(results, tmp_path)
    assert found["blend_rule"] == "rank_mean"
    assert found["models"]["blend"]["brier"]["value"] is None
    assert "rank" in found["models"]["blend"]["brier"]["reason"]
    assert found["models"]["a"]["brier"]["value"] is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table[1:], r"id image_0000 is only in it or only in .*folds\.csv"),
        (
            lambda table: table.assign(fold=(table["fold"] + (table["id"] == "image_0007")) % 3),
            "fold of id image_0007 differs from",
        ),
        (
            lambda table: table.assign(target=(table["target"] + (table["id"] == "image_0007")) % 2),
            "target of id image_0007 differs from",
        ),
        (
            lambda table: table.assign(blend=table["a"]),
            "column blend does not follow from the model columns by the recipe",
        ),
    ],
)
def test_rows_that_differ_from_the_fold_table_are_refused(change, words: str, made: Results, tmp_path: Path) -> None:
    path = tmp_path / "oof.parquet"
    write_rows(path, change(rows_of(made)))
    with pytest.raises(FoldlineError, match=words):
        metrics_of(made, tmp_path, oof=path)
    assert not (tmp_path / "metrics.json").exists()


def test_a_missing_metadata_column_is_refused(made: Results, tmp_path: Path) -> None:
    with pytest.raises(
        FoldlineError,
        match=r"folds\.csv: no column sex; the table has id, group, target, fold, split, row_weight, label, site",
    ):
        metrics_of(made, tmp_path, metadata_columns=("sex",))


def test_accuracy_at_one_half_over_all_rows_and_per_fold(made: Results, tmp_path: Path) -> None:
    """Row 14."""
    found = metrics_of(made, tmp_path)
    assert found["threshold"] == 0.5
    table = rows_of(made)
    for column in ("a", "b", "blend"):
        scores = found["models"][column]
        accuracy = accuracy_score(table["target"], table[column] >= 0.5)
        assert scores["accuracy"]["value"] == pytest.approx(accuracy, rel=1e-12)
        assert scores["accuracy"]["low"] < accuracy < scores["accuracy"]["high"]
        expected = [accuracy_score(rows["target"], rows[column] >= 0.5) for _, rows in table.groupby("fold")]
        assert [row["accuracy"]["value"] for row in scores["folds"]] == pytest.approx(expected, rel=1e-12)


def test_external_rows_are_not_scored(tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path, external=6))
    found = metrics_of(results, tmp_path)
    assert (found["rows"], found["folds"]) == (120, 3)
    assert [row["fold"] for row in found["models"]["blend"]["folds"]] == [0, 1, 2]
    table = rows_of(results)
    write_rows(tmp_path / "oof.parquet", pd.concat([table, table[:1].assign(id="external_0004")]))
    with pytest.raises(FoldlineError, match="id external_0004 is only in it or only in"):
        metrics_of(results, tmp_path)


CLASSES = ("mole", "melanoma", "other", "rare")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_scores(write_results(tmp_path_factory.mktemp("several"), class_names=CLASSES, count=5))


@pytest.fixture(scope="module")
def exclusive(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_scores(write_results(tmp_path_factory.mktemp("exclusive"), class_names=CLASSES, activation="softmax"))


def test_classes_are_scored_one_by_one_and_on_average(several: Results, tmp_path: Path) -> None:
    found = metrics_of(several, tmp_path)
    table = rows_of(several)
    for column in ("a", "b", "blend"):
        scores = found["models"][column]
        areas, precisions, hits = [], [], []
        for name, row in zip(CLASSES, scores["classes"], strict=True):
            target, score = table[f"target/{name}"], table[f"{column}/{name}"]
            assert (row["name"], row["positives"], row["negatives"]) == (name, target.sum(), (target == 0).sum())
            areas.append(roc_auc_score(target, score))
            precisions.append(average_precision_score(target, score))
            hits.append(f1_score(target, score >= 0.5))
            assert row["auc"]["value"] == pytest.approx(areas[-1])
            assert row["average_precision"]["value"] == pytest.approx(precisions[-1])
            assert row["f1"]["value"] == pytest.approx(hits[-1])
        assert scores["auc"]["value"] == pytest.approx(np.mean(areas))
        assert scores["average_precision"]["value"] == pytest.approx(np.mean(precisions))
        assert scores["f1"]["value"] == pytest.approx(np.mean(hits))
        assert scores["auc"]["low"] < scores["auc"]["value"] < scores["auc"]["high"]
    assert all(math.isfinite(number) for number in floats_in(found))


def test_exclusive_classes_are_predicted_relative_to_their_prevalence(exclusive: Results, tmp_path: Path) -> None:
    table, columns = rows_of(exclusive), [f"blend/{name}" for name in CLASSES]
    true = table[[f"target/{name}" for name in CLASSES]].to_numpy().argmax(axis=1)
    scores, folds = table[columns].to_numpy(np.float64), table["fold"].to_numpy()
    predicted = np.empty_like(true)
    for fold in np.unique(folds):
        share = np.bincount(true[folds != fold], minlength=4) / (folds != fold).sum()
        predicted[folds == fold] = (scores[folds == fold] / share).argmax(axis=1)
    assert (predicted != scores.argmax(axis=1)).mean() > 0.05
    found = metrics_of(exclusive, tmp_path, threshold="prevalence")
    assert found["threshold"] == "prevalence"
    assert found["definitions"]["accuracy"].endswith("highest probability relative to its share of the rows")
    blend = found["models"]["blend"]
    assert blend["accuracy"]["value"] == pytest.approx(accuracy_score(true, predicted))
    assert blend["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(true, predicted))
    assert blend["confusion"]["counts"] == confusion_matrix(true, predicted).tolist()
    assert [row["threshold"] for row in blend["classes"]] == pytest.approx(list(np.bincount(true) / len(true)))
    # Other rules leave the class with the highest probability.
    plain = metrics_of(exclusive, tmp_path / "plain", threshold="best_f1")
    assert (plain["threshold"], plain["models"]["blend"]["classes"][0]["threshold"]) == (None, None)
    expected = accuracy_score(true, scores.argmax(axis=1))
    assert plain["models"]["blend"]["accuracy"]["value"] == pytest.approx(expected)


def test_a_rare_class_has_no_auc_in_some_folds_and_is_left_out_of_their_mean(several: Results, tmp_path: Path) -> None:
    found = metrics_of(several, tmp_path)
    assert [row["rare"] for row in found["classes"]] == [False, False, False, True]
    assert found["classes"][3]["positives"] == 2
    scores = found["models"]["a"]
    table = rows_of(several)
    without = 0
    for number, fold in enumerate(scores["folds"]):
        rows = table[table["fold"] == fold["fold"]]
        rare = scores["classes"][3]["folds"][number]
        defined = [name for name in CLASSES if rows[f"target/{name}"].nunique() == 2]
        assert fold["defined_classes"] == len(defined)
        assert fold["auc"]["value"] == pytest.approx(
            np.mean([roc_auc_score(rows[f"target/{name}"], rows[f"a/{name}"]) for name in defined])
        )
        if "rare" not in defined:
            without += 1
            assert (rare["auc"]["value"], rare["auc"]["reason"]) == (None, UNDEFINED)
    assert without == 3


@pytest.mark.parametrize("rule", ["best_f1", "sensitivity 0.9", "cost 4"])
def test_thresholds_of_a_class_are_judged_on_other_folds(rule: str, several: Results, tmp_path: Path) -> None:
    fixed, chosen = metrics_of(several, tmp_path), metrics_of(several, tmp_path, threshold=rule)
    assert (fixed["threshold"], chosen["threshold"]) == (0.5, rule)
    table = rows_of(several)
    for before, after in zip(fixed["models"]["a"]["classes"], chosen["models"]["a"]["classes"], strict=True):
        labels, scores = table[f"target/{after['name']}"].to_numpy(), table[f"a/{after['name']}"].to_numpy()
        assert before["threshold"] == 0.5
        assert after["threshold"] == best_threshold(labels, scores, rule=rule)
        assert after["auc"] == before["auc"]
        predicted = np.zeros(len(table), bool)
        for fold in table["fold"].unique():
            own = (table["fold"] == fold).to_numpy()
            predicted[own] = scores[own] >= best_threshold(labels[~own], scores[~own], rule=rule)
        assert after["f1"]["value"] == pytest.approx(f1_score(labels, predicted))
        assert after["recall"]["value"] == pytest.approx(recall_score(labels, predicted))
    assert len({row["threshold"] for row in chosen["models"]["a"]["classes"]}) > 1


def test_one_class_can_be_the_score_of_a_model_of_several(exclusive: Results, tmp_path: Path) -> None:
    every, single = metrics_of(exclusive, tmp_path), metrics_of(exclusive, tmp_path, scored_classes=("melanoma",))
    table = rows_of(exclusive)
    for column in ("a", "blend"):
        area = roc_auc_score(table["target/melanoma"], table[f"{column}/melanoma"])
        assert single["models"][column]["auc"]["value"] == pytest.approx(area)
        assert single["models"][column]["classes"] == every["models"][column]["classes"]
        right = (
            table[[f"{column}/{name}" for name in CLASSES]].to_numpy().argmax(axis=1)
            == table[[f"target/{name}" for name in CLASSES]].to_numpy().argmax(axis=1)
        ).mean()
        assert every["models"][column]["accuracy"]["value"] == pytest.approx(right)
        assert single["models"][column]["accuracy"] == every["models"][column]["accuracy"]
    assert single["scored_classes"] == ["melanoma"]
    assert (single["threshold"], single["one_class_per_image"]) == (None, True)
    assert single["definitions"]["auc"] == "ROC AUC of a class against all others"
    assert every["definitions"]["auc"] == "mean over the scored classes of the ROC AUC of a class against all others"
    assert every["definitions"]["f1"].startswith("macro F1")


def test_rows_count_by_their_weights_only_if_metrics_are_weighted(tmp_path: Path) -> None:
    """The blend is chosen by weighted rows too, and thresholds of the submission are those of the metrics."""
    results = write_scores(write_results(tmp_path))
    folder = results.folder
    table = read_table(folder / "folds.csv", FOLDS)
    weights = np.random.default_rng(1).exponential(size=len(table))
    plain = json.loads((folder / "metrics.json").read_text())
    write_table(table.assign(row_weight=weights), folder / "folds.csv", FOLDS)
    results.evaluate()
    assert json.loads((folder / "metrics.json").read_text()) == plain
    results.blend(weighted=True)
    results.evaluate(weighted=True)
    found = json.loads((folder / "metrics.json").read_text())
    oof = pd.read_parquet(folder / "oof.parquet").set_index("id")
    weight_of = dict(zip(table["id"], weights, strict=True))
    expected = roc_auc_score(oof["target"], oof["blend"], sample_weight=oof.index.map(weight_of))
    assert (found["weighted"], plain["weighted"]) == (True, False)
    assert found["models"]["blend"]["auc"]["value"] == pytest.approx(expected)
    rule = found["blend_rule"]
    assert json.loads((folder / "blend.json").read_text())["scores"][rule] == pytest.approx(expected)
