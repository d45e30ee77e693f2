"""The sentences follow from the numbers."""

from typing import Any

import pandas as pd
import pytest
from foldline.report.findings import findings, method
from foldline.report.tables import Run, data_facts, external_counts, leak_tables, shown_columns, whiskers

LEAKS = ["id", "other_id", "other_split", "kind", "distance", "same_label"]


def score(
    auc: float, *, folds: tuple[float, ...] = (0.8, 0.9), difference: float = 0.0, low: float | None = 0.7
) -> Any:
    return {
        "auc": {"value": auc, "low": low, "high": None if low is None else 0.95, "reason": None},
        "folds": [{"auc": value} for value in folds],
        "folds_mean": {"auc": 0.85},
        "folds_sd": {"auc": 0.05},
        "pooled_minus_folds_mean": {"auc": difference},
        "calibration": {"error": 0.01, "bins": [], "reason": None},
    }


def run(
    blend: Any,
    *,
    models: dict[str, Any] | None = None,
    pairs: list[tuple] = (),
    across: list[tuple] = (),
    settings: dict[str, Any] | None = None,
    external: list[int] = (),
    external_pairs: list[tuple] | None = None,
) -> Run:
    models = models or {"a": blend}
    foreign = [(f"e{number}", fold, "external") for number, fold in enumerate(external)]
    return Run(
        metrics={
            "models": {**models, "blend": blend},
            "confidence": 0.95,
            "blend_rule": "mean",
            "folds": 2,
            "groups": 10,
            "bootstrap_draws": 1000,
            "seed": 1,
            "threshold": 0.5,
            "calibration_bins": 10,
            "scored_classes": ["mark"],
            "classes": [{"name": "mark", "positives": 3, "negatives": 7, "rare": False}],
        },
        recipe={"models": list(models), "method": "best", "rule": "mean", "scores": {"mean": 0.9, "rank_mean": 0.89}},
        folds=pd.DataFrame([("a", 0, "train"), ("b", 1, "train"), *foreign], columns=["id", "fold", "split"]),
        inventory=pd.DataFrame(),
        leaks={
            name: pd.DataFrame(rows, columns=LEAKS)
            for name, rows in (("train", pairs), ("external", external_pairs), ("test", across))
            if rows is not None
        },
        weights={},
        histories={},
        provenances={
            (model, fold): {
                "device": "gpu",
                "replicas": fold + 1,
                "settings": {"select_epoch": "last", "early_stopping": {"patience": None}, **(settings or {})},
            }
            for model in models
            for fold in (0, 1)
        },
    )


def texts(found: Run) -> str:
    return " ".join(f"[{row['kind']}] {row['text']}" for row in findings(found))


def test_a_clear_score_and_one_that_could_be_guessing() -> None:
    clear = texts(run(score(0.87)))
    assert clear.startswith("[good] Shown a random positive and a random negative image")
    assert "the predictions put the positive first in 87.0% of the cases" in clear
    assert "guessing" not in clear
    assert "[warn]" in texts(run(score(0.52, low=0.45)))
    assert "not told apart from guessing" in texts(run(score(0.52, low=0.45)))
    assert "interval" not in findings(run(score(0.9, low=None)))[0]["text"]


def test_a_pooled_score_below_the_folds_is_explained() -> None:
    assert "The pooled AUC differs from that by 0.0100: the folds score on one scale." in texts(
        run(score(0.84, difference=-0.01))
    )
    assert "The pooled AUC is 0.0400 lower than that average" in texts(run(score(0.81, difference=-0.04)))


def test_a_blend_is_compared_with_its_best_model() -> None:
    better = texts(run(score(0.90), models={"a": score(0.85), "b": score(0.88)}))
    assert "The blend of 2 models is the mean of probabilities (chosen on the out-of-fold rows" in better
    assert "It is 0.0200 above the best single model, b." in better
    worse = findings(run(score(0.84), models={"a": score(0.85), "b": score(0.8)}))
    assert [row["kind"] for row in worse if "below the best single model, a" in row["text"]] == ["warn"]
    assert "blend" not in texts(run(score(0.9)))


def test_calibration_is_judged_where_there_are_probabilities() -> None:
    ranks = score(0.9)
    ranks["calibration"]["error"] = None
    assert "can be read as probabilities" in texts(run(score(0.9)))
    assert "probabilities" not in texts(run(ranks))


@pytest.mark.parametrize("settings", [{"select_epoch": "best"}, {"early_stopping": {"patience": 5}}])
def test_epochs_chosen_on_the_scored_fold_are_told(settings: dict[str, Any]) -> None:
    assert "very fold that is scored" not in texts(run(score(0.9)))
    assert "[warn] The epochs of a were chosen by the AUC on the very fold that is scored" in texts(
        run(score(0.9), settings=settings)
    )


def test_devices_are_counted() -> None:
    assert run(score(0.9)).devices(["a"]) == "GPU, 2 x GPU"


def test_leaks_are_told() -> None:
    assert "No duplicates were found" in texts(run(score(0.9)))
    pairs = [("a", "b", "train", "exact", 0, "yes")]
    assert "1 pair of duplicates among the training images was found" in texts(run(score(0.9), pairs=pairs))
    across = [
        ("t", "a", "train", "near", 3, ""),
        ("t", "b", "train", "near", 3, ""),
        ("u", "a", "train", "near", 3, ""),
    ]
    told = texts(run(score(0.9), across=across))
    assert "2 test images duplicate training images" in told
    assert "among the training images" not in told


def test_the_method_names_its_numbers() -> None:
    told = dict(method(run(score(0.9))))
    assert "1,000 bootstrap draws of 10 groups" in told["Intervals"]
    assert "2 folds" in told["Out-of-fold rows"]


def test_the_mean_of_one_model_is_shown_once() -> None:
    assert shown_columns(run(score(0.9))) == {"blend": "a"}
    two = run(score(0.9), models={"a": score(0.9), "b": score(0.9)})
    assert shown_columns(two) == {"blend": "blend", "a": "a", "b": "b"}


def test_the_pairs_to_look_at_come_first() -> None:
    pairs = [("a", "b", "train", "exact", 0, "yes"), ("c", "d", "train", "near", 9, "no")]
    across = [("t", "a", "train", "near", 5, ""), ("t", "u", "test", "exact", 0, "")]
    found = leak_tables(run(score(0.9), pairs=pairs, across=across).leaks)
    assert [(row["id"], row["other_id"]) for row in found["pairs"]] == [("c", "d"), ("t", "a"), ("a", "b"), ("t", "u")]
    assert [(row["exact"], row["near"], row["contradictory"]) for row in found["counts"]] == [
        (1, 1, 1),
        (0, 1, None),
        (1, 0, None),
    ]


def test_external_images_are_told() -> None:
    assert "external" not in texts(run(score(0.9)))
    told = texts(run(score(0.9), external=[-1, 1, 0, -1, 0]))
    assert "[good] 5 external images are trained on and never scored. 3 of them are tied to training images" in told
    assert external_counts(run(score(0.9), external=[-1, 1, 0, -1, 0]).folds) == (5, 3)
    alone = texts(run(score(0.9), external=[-1]))
    assert "1 external image is trained on and never scored. None of them is tied to a training image." in alone


def test_external_leaks_are_told_and_counted() -> None:
    found = run(
        score(0.9),
        pairs=[("a", "b", "train", "exact", 0, "yes")],
        external_pairs=[
            ("e", "a", "train", "near", 2, "no"),
            ("e", "f", "external", "exact", 0, "yes"),
        ],
        across=[("t", "e", "external", "near", 1, ""), ("u", "a", "train", "exact", 0, "")],
    )
    told = texts(found)
    assert "3 pairs of duplicates among the training and external images were found and kept on one side" in told
    assert "1 pair of these carries two different labels" in told
    assert "2 test images duplicate training images" in told
    tables = leak_tables(found.leaks)
    assert [(row["name"], row["exact"], row["near"], row["contradictory"]) for row in tables["counts"]] == [
        ("training images", 1, 0, 0),
        ("external and training images", 0, 1, 1),
        ("external images", 1, 0, 0),
        ("test and training images", 1, 0, None),
        ("test and external images", 0, 1, None),
        ("test images", 0, 0, None),
    ]
    assert [row["id"] for row in tables["pairs"]] == ["e", "u", "t", "a", "e"]


def test_whiskers_share_one_axis() -> None:
    found = whiskers(
        [
            {"low": 0.8, "value": 0.85, "high": 0.9},
            {"low": None, "value": 0.5, "high": None},
            {"low": 0.7, "value": 0.75, "high": 0.8},
        ]
    )
    assert found == [{"left": 50.0, "dot": 75.0, "width": 50.0}, None, {"left": 0.0, "dot": 25.0, "width": 50.0}]


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
    base = run(score(0.9))
    facts = data_facts(Run(**{**vars(base), "inventory": inventory}))
    assert facts["text"] == "2 training images in 1.5 MB, all 640 x 480 pixels."
    assert facts["problems"] == [{"id": "b", "path": "b.png", "problem": "cut"}]
    mixed = data_facts(Run(**{**vars(base), "inventory": inventory.assign(width=[640, 800])}))
    assert "640 to 800 pixels wide and 480 to 480 high (median 720 x 480)" in mixed["text"]
