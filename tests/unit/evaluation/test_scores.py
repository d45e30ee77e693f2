"""What is scored, and what is left out with a reason."""

import numpy as np
import pandas as pd
import pytest
from foldline.evaluation.oof import Oof
from foldline.evaluation.scores import RANKS, UNSTABLE, Settings, column_scores
from sklearn.metrics import roc_auc_score

SETTINGS = Settings(threshold=0.5, confidence=0.9, draws=100, seed=1, one_class=False, scored=["mark"])


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
            "metadata/site": site,
        }
    )


def scored(table: pd.DataFrame, **changes):
    return all_scored(table, **changes)["a"]


def all_scored(table: pd.DataFrame, *, columns=("a",), ranks=(), metadata_columns=("site",), settings=SETTINGS):
    oof = Oof(
        class_names=["mark"],
        ids=[f"i{number}" for number in table.index],
        folds=table["fold"].to_numpy(),
        labels=table[["target"]].to_numpy(),
        scores={name: table[[name]].to_numpy() for name in columns},
    )
    metadata = {name: table[f"metadata/{name}"] for name in metadata_columns}
    return column_scores(oof, groups=list(table["group"]), metadata=metadata, ranks=ranks, settings=settings)


def test_folds_mean_and_spread(table: pd.DataFrame) -> None:
    found = scored(table)
    values = [roc_auc_score(rows["target"], rows["a"]) for _, rows in table.groupby("fold")]
    assert [row["auc"] for row in found["folds"]] == pytest.approx(values)
    assert found["folds_mean"]["auc"] == pytest.approx(np.mean(values))
    assert found["folds_sd"]["auc"] == pytest.approx(np.std(values, ddof=1))
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(table["target"], table["a"]))
    assert found["pooled_minus_folds_mean"]["auc"] == pytest.approx(found["auc"]["value"] - np.mean(values))
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]


def test_folds_on_different_scales_show_in_the_difference(table: pd.DataFrame) -> None:
    table["a"] = table["a"] / 4 + table["fold"] / 4 * 0.99
    assert scored(table)["pooled_minus_folds_mean"]["auc"] < -0.1


def test_subgroups_with_few_rows_of_a_label_are_counted_but_not_scored(table: pd.DataFrame) -> None:
    split = scored(table)["subgroups"]["site"]
    assert [row["value"] for row in split["values"]] == ["arm", "leg"]
    rare = int((table["metadata/site"] == "rare").sum())
    assert split["left_out"] == {"values": 1, "rows": rare, "reason": "fewer than 10 positives or negatives"}
    arm = table[table["metadata/site"] == "arm"]
    assert split["values"][0]["rows"] == len(arm)
    assert split["values"][0]["positives"] == arm["target"].sum()
    assert split["values"][0]["auc"]["value"] == pytest.approx(roc_auc_score(arm["target"], arm["a"]))
    arm, leg, whole = split["values"][0]["auc"], split["values"][1]["auc"], scored(table)["auc"]
    assert arm["low"] < arm["value"] < arm["high"]
    assert min(arm["high"] - arm["low"], leg["high"] - leg["low"]) > whole["high"] - whole["low"]


def test_ranks_are_no_probabilities(table: pd.DataFrame) -> None:
    found = scored(table, ranks=["a"])
    for name in ("log_loss", "brier", "accuracy", "f1"):
        assert found[name] == {"value": None, "low": None, "high": None, "reason": RANKS}
        assert found["folds_mean"][name] is found["folds"][0][name] is None
    assert found["calibration"] == {"error": None, "bins": [], "reason": RANKS}
    assert found["auc"]["value"] == scored(table)["auc"]["value"]


def test_an_interval_that_most_draws_do_not_have_is_left_out(table: pd.DataFrame) -> None:
    table["target"] = [1, 1] + [0] * 398
    found = scored(table, metadata_columns=[])
    assert found["auc"]["value"] is not None
    assert (found["auc"]["low"], found["auc"]["reason"]) == (None, UNSTABLE)
    assert found["accuracy"]["low"] is not None


def test_columns_are_scored_on_the_same_draws(table: pd.DataFrame) -> None:
    table["b"] = table["a"]
    both = all_scored(table, columns=("a", "b"))
    assert both["a"] == both["b"]
