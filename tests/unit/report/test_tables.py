"""The tables of the report."""

from dataclasses import replace

import pandas as pd
from fixtures.report_run import column_scores, report_run
from foldline.evaluation.comparison import Comparison
from foldline.evaluation.results import Score
from foldline.report.tables import comparison_rows, data_facts, external_sets, leak_tables, shown_columns, whiskers


def test_devices_are_listed_with_their_number() -> None:
    assert report_run(column_scores(0.9)).devices(["a"]) == "GPU, 2 x GPU"


def test_the_mean_of_one_model_is_shown_once() -> None:
    assert shown_columns(report_run(column_scores(0.9))) == {"blend": "a"}
    two = report_run(column_scores(0.9), models={"a": column_scores(0.9), "b": column_scores(0.9)})
    assert shown_columns(two) == {"blend": "blend", "a": "a", "b": "b"}


def test_pairs_are_sorted_by_urgency() -> None:
    train_pairs = [("a", "b", "train", "exact", 0, "yes"), ("c", "d", "train", "near", 9, "no")]
    test_pairs = [("t", "a", "train", "near", 5, ""), ("t", "u", "test", "exact", 0, "")]
    tables = leak_tables(report_run(column_scores(0.9), train_pairs=train_pairs, test_pairs=test_pairs).leaks)
    assert [(row["id"], row["other_id"]) for row in tables["pairs"]] == [("c", "d"), ("t", "a"), ("a", "b"), ("t", "u")]
    assert [row["labels"] for row in tables["pairs"]] == ["contradictory", "unknown", "same", "unknown"]
    assert [(row["exact"], row["near"], row["contradictory"]) for row in tables["counts"]] == [
        (1, 1, 1),
        (0, 1, None),
        (1, 0, None),
    ]


def test_without_a_test_split_only_training_pairs_are_counted() -> None:
    leaks = report_run(column_scores(0.9), train_pairs=[("a", "b", "train", "exact", 0, "yes")]).leaks
    tables = leak_tables({"train": leaks["train"]})
    assert [row["name"] for row in tables["counts"]] == ["training images"]
    assert tables["total"] == 1


def test_pairs_with_external_images_have_rows_of_their_own() -> None:
    run = report_run(
        column_scores(0.9),
        train_pairs=[("a", "b", "train", "exact", 0, "yes")],
        external_pairs=[("e", "a", "train", "near", 2, "no"), ("e", "f", "external", "exact", 0, "yes")],
        test_pairs=[("t", "e", "external", "near", 1, ""), ("u", "a", "train", "exact", 0, "")],
    )
    tables = leak_tables(run.leaks)
    assert [(row["name"], row["exact"], row["near"], row["contradictory"]) for row in tables["counts"]] == [
        ("training images", 1, 0, 0),
        ("external and training images", 0, 1, 1),
        ("external images", 1, 0, 0),
        ("test and training images", 1, 0, None),
        ("test and external images", 0, 1, None),
        ("test images", 0, 0, None),
    ]
    assert [row["id"] for row in tables["pairs"]] == ["e", "u", "t", "a", "e"]


def test_external_rows_are_counted_by_set() -> None:
    run = report_run(column_scores(0.9), external_folds=[-1, 1, 0, -1, 0])
    folds = pd.concat([run.folds, pd.DataFrame([("x", -1, "isic", "x")], columns=run.folds.columns)])
    left_out = {"isic": {"": 2, "other": 1}}
    assert external_sets(replace(run, folds=folds, left_out=left_out)) == [
        {"name": "external", "rows": 5, "withheld": 3, "dropped": 0, "left_out": 0, "words": ""},
        {"name": "isic", "rows": 1, "withheld": 0, "dropped": 0, "left_out": 3, "words": "empty 2, other 1"},
    ]
    assert external_sets(report_run(column_scores(0.9))) == []


def test_whiskers_share_one_axis() -> None:
    scores = [Score(0.85, 0.8, 0.9, None), Score(0.5, None, None, None), Score(0.75, 0.7, 0.8, None)]
    assert whiskers(scores) == [
        {"left": 50.0, "dot": 75.0, "width": 50.0, "zero": None},
        None,
        {"left": 0.0, "dot": 25.0, "width": 50.0, "zero": None},
    ]


def test_differences_are_shown_on_an_axis_with_zero() -> None:
    models = {name: column_scores(0.8) for name in "abcdef"}
    run = report_run(column_scores(0.9), models=models)
    pairs = [Comparison("blend", name, "auc", 0.1, 0.05, 0.15) for name in "abcdef"]
    pairs.append(Comparison("a", "b", "auc", -0.05, -0.15, 0.05))
    run = replace(run, metrics=replace(run.metrics, comparisons=(*pairs, replace(pairs[0], metric="log_loss"))))
    few = comparison_rows(run, {"blend": "blend", "a": "a", "b": "b"})
    assert [(row["first"], row["second"]) for row in few] == [("blend", "a"), ("blend", "b"), ("a", "b")]
    assert few[0]["line"] == {"left": 66.7, "dot": 83.3, "width": 33.3, "zero": 50.0}
    many = comparison_rows(run, {name: name for name in ("blend", *"abcdef")})
    assert [row["second"] for row in many] == list("abcdef")


def test_scores_without_intervals_have_no_whiskers() -> None:
    assert whiskers([Score(0.5, None, None, None)] * 2) == [None, None]


def test_sizes_and_problems_of_images() -> None:
    inventory = pd.DataFrame(
        {
            "id": ["a", "b"],
            "path": ["a.png", "b.png"],
            "bytes": [1_000_000, 500_000],
            "width": [640, 640],
            "height": [480, 480],
            "problem": ["", "cut"],
        }
    )
    facts = data_facts(inventory)
    assert facts["text"] == "2 training images, 1.5 MB in total, all 640 x 480 pixels."
    assert facts["problems"] == [{"id": "b", "path": "b.png", "problem": "cut"}]
    mixed = data_facts(inventory.assign(width=[640, 800]))
    assert "640 to 800 pixels wide and 480 to 480 pixels high (median 720 x 480)" in mixed["text"]
