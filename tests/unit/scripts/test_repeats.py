"""Repeats of the folds: each is a full set of folds, and predictions are means over them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.result_files import edit_predictions
from fixtures.results import Results, write_results, write_scores
from foldline.errors import FoldlineError
from foldline.evaluation.oof import Oof, read_oof
from foldline.evaluation.prediction_files import open_prediction_file
from foldline.io.result_paths import Member
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.splits.folds_config import FoldsConfig, RepeatConfig
from foldline.splits.repeats import folds_of_repeat
from make_folds import Inputs, make_folds
from render_report import render_report
from sklearn.metrics import roc_auc_score


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_scores(write_results(tmp_path_factory.mktemp("results"), external=6, repeats=2))


def oof_of(path: Path) -> Oof:
    return read_oof(path, ["target"])


def test_a_repeat_has_the_folds_of_the_next_seed(made: Results, tmp_path: Path) -> None:
    """Those of a run without repeats, external rows included; the first repeat has those of the seed itself."""
    folder = made.folder
    for repeat, table in enumerate(made.fold_tables, start=1):
        inputs = Inputs(
            inventory=[folder / "inventory.parquet"],
            leaks=folder / "leaks" / "train.parquet",
            external_inventory={"external": [folder / "external.parquet"]},
            external_leaks=[folder / "leaks" / "external.parquet"],
        )
        make_folds(inputs, tmp_path / "folds.csv", FoldsConfig("grouped", 3, repeat, ("site",), ("target",)))
        assert table.read_bytes() == (tmp_path / "folds.csv").read_bytes()
    first, second = (read_table(table, FOLDS)["fold"] for table in made.fold_tables)
    assert (first != second).mean() > 0.4


def test_rows_that_no_model_is_trained_on_are_the_same_in_all_repeats(made: Results) -> None:
    table = read_table(made.fold_tables[0], FOLDS)
    held_out = table["group"].isin(sorted(set(table["group"]))[::5])
    table.loc[held_out, "fold"] = -2
    found = folds_of_repeat(table, 2, RepeatConfig(3, 1, (), ("target",)))
    assert ((found["fold"] == -2) == held_out).all()
    assert set(found.loc[~held_out & (found["split"] == "train"), "fold"]) == {0, 1, 2}
    assert (found.groupby("group")["fold"].nunique() == 1).all()


def test_predictions_are_means_over_the_repeats(made: Results) -> None:
    mean, repeats = oof_of(made.folder / "oof.parquet"), [oof_of(path) for path in made.oof_repeats]
    for name in mean.models:
        expected = np.mean([repeat.scores[name] for repeat in repeats], axis=0)
        assert mean.scores[name] == pytest.approx(expected, abs=1e-7)
    for repeat, table in zip(repeats, made.fold_tables, strict=True):
        folds = read_table(table, FOLDS).set_index("id")["fold"]
        assert repeat.folds.tolist() == folds[repeat.ids].tolist()
    assert (mean.folds == repeats[0].folds).all()
    values = []
    for path in made.predictions("test.parquet"):
        ids, of_file = open_prediction_file(path, ["target"]).read(["target"])
        values.append(pd.Series(of_file[:, 0].astype(float), ids.to_pylist()))
    submission = pd.read_csv(made.folder / "submission.csv", index_col="image_name")["target"]
    assert submission.to_numpy() == pytest.approx((sum(values) / len(values))[submission.index].to_numpy(), abs=1e-7)
    recipe = json.loads((made.folder / "blend.json").read_text())
    assert (recipe["folds"], recipe["repeats"]) == ([0, 1, 2], 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"member": Member(1, 1)}, "model a: fold 1-repeat2 is missing, .* fold 1 occurs more than once"),
        ({"change": lambda table: table.iloc[1:]}, "model a, fold 1-repeat2: 1 missing id of the train rows"),
        ({"member": Member(2, 0)}, "model a: fold 1-repeat2 is missing"),
    ],
)
def test_each_repeat_has_every_row_once(made: Results, tmp_path: Path, change: dict, message: str) -> None:
    paths = made.predictions("oof.parquet")
    assert paths[4].parent.name == "fold1-repeat2"
    paths[4] = edit_predictions(paths[4], tmp_path / "edited.parquet", class_names=["target"], **change)
    with pytest.raises(FoldlineError, match=message):
        made.blend(oof_predictions=paths)


def test_fold_tables_have_the_same_rows(made: Results, tmp_path: Path) -> None:
    write_table(read_table(made.fold_tables[1], FOLDS).iloc[:-1], tmp_path / "folds-repeat2.csv", FOLDS)
    with pytest.raises(FoldlineError, match=r"folds-repeat2\.csv: has other rows than .*folds\.csv"):
        made.blend(folds=[made.fold_tables[0], tmp_path / "folds-repeat2.csv"])


def test_no_row_is_blended_or_calibrated_by_labels_of_its_group(made: Results, tmp_path: Path) -> None:
    """Other labels in a fold of the first repeat change nothing in its rows, in no repeat."""
    tables = [read_table(path, FOLDS) for path in made.fold_tables]
    changed = (tables[0]["fold"] == 0) & (tables[0]["split"] == "train")
    blends = []
    for number, names in enumerate(("own", "other")):
        folder = tmp_path / names
        folder.mkdir()
        paths = [folder / path.name for path in made.fold_tables]
        for table, path in zip(tables, paths, strict=True):
            flipped = table["target"].where(~changed | (number == 0), table["target"].map({"0": "1", "1": "0"}))
            write_table(table.assign(target=flipped), path, FOLDS)
        outputs = [folder / "oof.parquet", folder / "r1.parquet", folder / "r2.parquet"]
        made.blend(
            folds=paths,
            method="stacking",
            calibration="platt",
            oof=outputs[0],
            oof_repeats=outputs[1:],
            oof_csv=folder / "oof.csv",
            recipe=folder / "blend.json",
            submission=folder / "submission.csv",
        )
        blends.append([oof_of(path) for path in outputs])
    ids = set(tables[0].loc[changed, "id"])
    for own, other in zip(*blends, strict=True):
        inside = np.array([name in ids for name in own.ids])
        assert (own.labels[inside] != other.labels[inside]).all()
        assert (own.scores["blend"][inside] == other.scores["blend"][inside]).all()
        assert (own.scores["blend"][~inside] != other.scores["blend"][~inside]).any()


def test_scores_are_those_of_the_mean_beside_those_of_each_repeat(made: Results) -> None:
    metrics = json.loads((made.folder / "metrics.json").read_text())
    assert (metrics["folds"], metrics["repeats"], metrics["rows"]) == (3, 2, 120)
    mean, repeats = oof_of(made.folder / "oof.parquet"), [oof_of(path) for path in made.oof_repeats]
    for name, scores in metrics["models"].items():
        labels, pooled = mean.labels[:, 0], [roc_auc_score(one.labels[:, 0], one.scores[name]) for one in repeats]
        assert scores["auc"]["value"] == pytest.approx(roc_auc_score(labels, mean.scores[name]))
        assert [one["auc"]["value"] for one in scores["repeats"]] == pytest.approx(pooled)
        assert scores["repeats_mean"]["auc"] == pytest.approx(np.mean(pooled))
        assert scores["repeats_sd"]["auc"] == pytest.approx(np.std(pooled, ddof=1))
        of_folds = {
            (number, fold): roc_auc_score(one.labels[one.folds == fold, 0], one.scores[name][one.folds == fold])
            for number, one in enumerate(repeats, start=1)
            for fold in range(3)
        }
        assert {(row["repeat"], row["fold"]): row["auc"]["value"] for row in scores["folds"]} == pytest.approx(of_folds)
        assert scores["folds_sd"]["auc"] == pytest.approx(np.std(list(of_folds.values()), ddof=1))
        difference = np.mean(pooled) - np.mean(list(of_folds.values()))
        assert scores["pooled_minus_folds_mean"]["auc"] == pytest.approx(difference)


def test_rows_count_once_in_the_scores_of_the_mean(made: Results, tmp_path: Path) -> None:
    """Scores and intervals are those of a run without repeats that has these predictions."""
    made.evaluate(oof_repeats=[], metrics=tmp_path / "metrics.json")
    plain = json.loads((tmp_path / "metrics.json").read_text())
    metrics = json.loads((made.folder / "metrics.json").read_text())
    assert not {"repeats"} & plain.keys()
    of_folds = ("folds", "folds_mean", "folds_sd", "pooled_minus_folds_mean", "repeats", "repeats_mean", "repeats_sd")
    for both in zip(metrics["models"].values(), plain["models"].values(), strict=True):
        repeated, single = ({key: value for key, value in one.items() if key not in of_folds} for one in both)
        for one in (*repeated["classes"], *single["classes"]):
            del one["folds"]
        assert repeated == single


def test_a_single_repeat_is_named_nowhere(tmp_path: Path) -> None:
    results = write_scores(write_results(tmp_path, rows=60, models=("a",)))
    texts = [(results.folder / name).read_text() for name in ("metrics.json", "blend.json")]
    assert not any("repeat" in text for text in texts)
    assert not list(tmp_path.glob("*repeat*"))


def test_the_report_shows_the_repeats(made: Results) -> None:
    render_report(**made.report_arguments())
    html = (made.folder / "report.html").read_text()
    for text in ("fold 2-repeat2", "repeat 2, pooled", "mean of the repeats", "2 x 3"):
        assert text in html
