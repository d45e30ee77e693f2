"""Predictions become the out-of-fold table, the submission and the recipe: all of them, or none."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.result_files import edit_predictions, write_sample_submission
from fixtures.results import Results, write_results
from foldline.dataset.class_words import NAMES, NUMBERS, SAMPLE, ClassWords
from foldline.dataset.submission import SubmissionForm
from foldline.errors import FoldlineError
from foldline.evaluation.calibrators import CALIBRATIONS
from foldline.evaluation.oof import read_oof
from foldline.evaluation.prediction_files import open_prediction_file
from foldline.evaluation.recipe import read_recipe
from foldline.evaluation.roc_auc import macro_auc, roc_auc
from foldline.evaluation.thresholds import class_thresholds
from foldline.io.parquet import read_parquet
from foldline.io.result_paths import FINAL, Member
from foldline.io.tables import INVENTORY, read_table
from scipy.stats import rankdata


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results"))


def outputs(folder: Path) -> dict[str, Path]:
    return {
        "oof": folder / "oof.parquet",
        "oof_csv": folder / "oof.csv",
        "submission": folder / "submission.csv",
        "recipe": folder / "blend.json",
    }


def edited(results: Results, folder: Path, name: str, change: dict[str, Any]) -> list[Path]:
    """The prediction files with one of them, model a's of fold 1, edited; the original is left alone."""
    paths = results.predictions(name)
    paths[1] = edit_predictions(paths[1], folder / "edited.parquet", class_names=results.class_names, **change)
    return paths


def mean_test_rows(results: Results) -> pd.DataFrame:
    """Means of the test predictions over models and folds, float64, in the order of the sample submission."""
    files = [open_prediction_file(path, results.class_names) for path in results.predictions("test.parquet")]
    tables = []
    for file in files:
        ids, values = file.read(results.class_names)
        tables.append(pd.DataFrame(values.astype(float), index=ids.to_pylist(), columns=results.class_names))
    return (sum(tables) / len(tables)).loc[list(results.test_ids)]


METHODS = ["mean", "rank_mean", "geometric", "subset", "weights", "greedy", "stacking"]


@pytest.mark.parametrize("method", [*METHODS, "auto"])
def test_the_recipe_has_the_scores_of_the_rows(method: str, made: Results, tmp_path: Path) -> None:
    made.blend(method=method, **outputs(tmp_path))
    oof = read_oof(tmp_path / "oof.parquet", ["target"])
    labels, scores = oof.labels[:, 0], {name: values[:, 0] for name, values in oof.scores.items()}
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert method in (recipe["rule"], "auto")
    assert recipe["scores"]["mean"] == pytest.approx(roc_auc(labels, (scores["a"] + scores["b"]) / 2))
    assert recipe["scores"][recipe["rule"]] == pytest.approx(roc_auc(labels, scores["blend"]))
    best = max(recipe["model_scores"].values())
    assert recipe["gains"][-1]["value"] == pytest.approx(recipe["scores"][recipe["rule"]] - best)
    assert recipe["models"] == recipe["blended"] == ["a", "b"]
    assert recipe["views"] == {"a": 4, "b": 4}
    assert (recipe["oof_rows"], recipe["test_rows"], recipe["folds"]) == (120, 12, [0, 1, 2])


def reproduced(recipe: dict[str, Any], predictions: dict[str, np.ndarray]) -> np.ndarray:
    """The blend by a recipe alone: what a reader of the file would write."""
    softmax, how, then = recipe["activation"] == "softmax", recipe["blend"], recipe["calibration"]

    def logs(values: np.ndarray) -> np.ndarray:
        values = np.clip(values.astype(float), recipe["clip"], 1 - recipe["clip"])
        return np.log(values) if softmax else np.log(values / (1 - values))

    def activated(values: np.ndarray) -> np.ndarray:
        odds = np.exp(values)
        return odds / odds.sum(axis=1, keepdims=True) if softmax else odds / (1 + odds)

    def ranks(values: np.ndarray) -> np.ndarray:
        return (rankdata(values, axis=0) - 0.5) / len(values)

    scale = {"probability": np.asarray, "log": logs, "rank": ranks}[how["scale"]]
    found = sum(np.array(how["weights"][name]) * scale(predictions[name]) for name in recipe["blended"])
    found = activated(found + how["intercepts"]) if how["scale"] == "log" else found
    if then["method"] in ("temperature", "platt"):
        return activated(logs(found) * then["slopes"] + then["intercepts"])
    if then["method"] == "beta":
        odds = found ** np.array(then["slopes"]) / (1 - found) ** np.array(then["complement_slopes"])
        found = 1 / (1 + np.exp(-np.array(then["intercepts"])) / odds)
    elif then["method"] == "isotonic":
        knots = zip(found.T, then["scores"], then["probabilities"], strict=True)
        found = np.stack([np.interp(*column) for column in knots], axis=1)
    else:
        return found
    return found / found.sum(axis=1, keepdims=True) if softmax else found


@pytest.mark.parametrize(
    ("method", "calibration"),
    [*((method, "none") for method in METHODS), *(("stacking", name) for name in CALIBRATIONS), ("greedy", "platt")],
)
@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_the_recipe_alone_gives_the_submission(
    method: str, calibration: str, activation: str, several: Results, exclusive: Results, tmp_path: Path
) -> None:
    results = several if activation == "sigmoid" else exclusive
    form = SubmissionForm("image_name", results.class_names, "columns")
    results.blend(method=method, calibration=calibration, submission_form=form, **outputs(tmp_path))
    predictions = {}
    for model in results.models:
        paths = (results.folder / "predictions" / model).glob("*/test.parquet")
        mean = sum(pd.read_parquet(path).set_index("id").astype(float) for path in paths) / results.count
        predictions[model] = mean.loc[list(results.test_ids)].to_numpy().astype(np.float32)
    submission = pd.read_csv(tmp_path / "submission.csv").set_index("image_name").loc[list(results.test_ids)]
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert list(submission.columns) == recipe["class_names"]
    assert submission.to_numpy() == pytest.approx(reproduced(recipe, predictions), abs=1e-6)


def test_models_that_are_not_blended_are_in_the_table_alone(made: Results, tmp_path: Path) -> None:
    made.blend(models=("b",), **outputs(tmp_path))
    oof = read_oof(tmp_path / "oof.parquet", ["target"])
    assert oof.models == ["a", "b"]
    assert (oof.scores["blend"] == oof.scores["b"]).all()
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert (recipe["models"], recipe["blended"], recipe["rule"], recipe["gains"]) == (["a", "b"], ["b"], "mean", [])


def test_without_a_test_split_there_is_no_submission(made: Results, tmp_path: Path) -> None:
    made.blend(**outputs(tmp_path) | {"submission": None}, test_predictions=[], submission_form=None)
    made.blend(**outputs(tmp_path / "with"))
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert (recipe["test_rows"], recipe["submission"], recipe["submission_thresholds"]) == (0, "", None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blend.json", "oof.csv", "oof.parquet", "with"]
    assert (tmp_path / "oof.csv").read_bytes() == (tmp_path / "with" / "oof.csv").read_bytes()


def test_the_submission_is_the_mean_over_folds_and_models(made: Results, tmp_path: Path) -> None:
    made.blend(method="mean", **outputs(tmp_path))
    submission = pd.read_csv(tmp_path / "submission.csv")
    assert list(submission.columns) == ["image_name", "target"]
    assert tuple(submission["image_name"]) == made.test_ids
    assert submission["target"].to_numpy() == pytest.approx(mean_test_rows(made)["target"].to_numpy())
    # Numbers are the shortest that give the same float32.
    texts = pd.read_csv(tmp_path / "submission.csv", dtype=str)["target"]
    assert [str(np.float32(text)) for text in texts] == list(texts)


def test_the_csv_file_has_the_rows_of_the_parquet_file(made: Results, tmp_path: Path) -> None:
    made.blend(**outputs(tmp_path))
    rows, text = read_parquet(tmp_path / "oof.parquet").to_pandas(), pd.read_csv(tmp_path / "oof.csv", dtype=str)
    assert list(text.columns) == list(rows.columns) == ["id", "fold", "target", "a", "b", "blend"]
    for name in rows.columns:
        assert list(text[name]) == [str(value) for value in rows[name].to_numpy()]


def test_the_csv_file_has_the_blend_alone_if_the_models_have_too_many_scores(
    made: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made.blend(**outputs(tmp_path / "all"))
    monkeypatch.setattr("foldline.evaluation.oof.MOST_MODEL_SCORES", 2 * 120 - 1)
    with caplog.at_level("INFO"):
        made.blend(**outputs(tmp_path / "few"))
    every, few = (pd.read_csv(tmp_path / name / "oof.csv", dtype=str) for name in ("all", "few"))
    pd.testing.assert_frame_equal(few, every[["id", "fold", "target", "blend"]])
    for name in ("oof.parquet", "submission.csv"):
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    assert "oof.csv has the blend alone, because the models have more than" in caplog.text


def test_ranks_are_taken_among_the_test_rows(made: Results, tmp_path: Path) -> None:
    made.blend(method="rank_mean", **outputs(tmp_path))
    assert np.mean(pd.read_csv(tmp_path / "submission.csv")["target"]) == pytest.approx(0.5)


def test_the_bytes_do_not_depend_on_the_order_of_the_files(made: Results, tmp_path: Path) -> None:
    shuffled = {
        "oof_predictions": made.predictions("oof.parquet")[::-1],
        "test_predictions": made.predictions("test.parquet")[::-1],
    }
    made.blend(**outputs(tmp_path / "one"))
    made.blend(**outputs(tmp_path / "two"), **shuffled)
    for name in ("oof.parquet", "oof.csv", "submission.csv", "blend.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("oof.parquet", {"member": Member(1, 2)}, "model a: fold 1 is missing"),
        (
            "test.parquet",
            {"change": lambda table: table.rename({"test_0003": "test_9999"})},
            "id test_9999 is not in the sample submission",
        ),
        ("test.parquet", {"views": 1}, "model a mix view counts 1, 4"),
        ("test.parquet", {"model": "c"}, "fold 1 is missing"),
    ],
)
def test_nothing_is_written_if_predictions_do_not_fit(
    name: str, change: dict[str, Any], words: str, made: Results, tmp_path: Path
) -> None:
    paths = edited(made, tmp_path, name, change)
    key = "oof_predictions" if name == "oof.parquet" else "test_predictions"
    with pytest.raises(FoldlineError, match=words):
        made.blend(**outputs(tmp_path / "new"), **{key: paths})
    assert not (tmp_path / "new").exists()


def test_a_model_without_test_predictions_is_refused(made: Results, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="model b has either out-of-fold or test predictions, not both"):
        made.blend(test_predictions=made.predictions("test.parquet")[:3], **outputs(tmp_path / "new"))


def test_the_recipe_says_that_the_folds_share_the_views(made: Results, tmp_path: Path) -> None:
    paths = [
        edit_predictions(path, tmp_path / f"{number}.parquet", class_names=made.class_names, shared_views=True)
        for number, path in enumerate(made.predictions("test.parquet"))
    ]
    made.blend(test_predictions=paths, **outputs(tmp_path / "new"))
    made.blend(**outputs(tmp_path / "whole"))
    shared, whole = (json.loads((tmp_path / name / "blend.json").read_text()) for name in ("new", "whole"))
    assert shared == {**whole, "test_views": "split"}


def test_other_views_on_the_test_rows_are_refused(made: Results, tmp_path: Path) -> None:
    paths = [
        edit_predictions(path, tmp_path / f"{number}.parquet", class_names=made.class_names, views=8)
        for number, path in enumerate(made.predictions("test.parquet"))
    ]
    with pytest.raises(FoldlineError, match="model a: 4 views out of fold, 8 on the test rows"):
        made.blend(test_predictions=paths, **outputs(tmp_path / "new"))


def test_a_sample_submission_with_other_ids_is_refused(made: Results, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text((made.folder / "sample_submission.csv").read_text() + "test_0012,0\n")
    with pytest.raises(FoldlineError, match="1 missing id of the sample submission: test_0012"):
        made.blend(sample_submission=sample, **outputs(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_external_rows_are_not_scored(made: Results, tmp_path: Path) -> None:
    """They are in the fold table, two of them with a fold; the out-of-fold table has the train rows only."""
    (tmp_path / "results").mkdir()
    results = write_results(tmp_path / "results", external=6)
    assert (pd.read_csv(results.folder / "folds.csv")["split"] == "external").sum() == 6
    results.blend(**outputs(tmp_path))
    table = pd.read_csv(tmp_path / "oof.csv")
    assert list(table["id"]) == sorted(read_table(results.folder / "inventory.parquet", INVENTORY)["id"])
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert (recipe["oof_rows"], recipe["folds"]) == (120, [0, 1, 2])


def test_a_prediction_of_an_external_row_is_refused(tmp_path: Path) -> None:
    results = write_results(tmp_path, external=6)
    folds = pd.read_csv(results.folder / "folds.csv").set_index("id")
    path = results.predictions("oof.parquet")[folds.loc["external_0000", "fold"]]
    edit_predictions(
        path,
        path,
        lambda table: pd.concat([table, table[:1].rename(lambda _: "external_0000")]),
        class_names=results.class_names,
    )
    with pytest.raises(FoldlineError, match="id external_0000 is not in the train rows of the fold table"):
        results.blend(**outputs(tmp_path / "new"))


CLASSES = ("mole", "melanoma", "other", "rare")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("several"), class_names=CLASSES)


@pytest.fixture(scope="module")
def exclusive(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("exclusive"), class_names=CLASSES, activation="softmax")


def sample_submission(folder: Path, results: Results, *columns: str) -> Path:
    write_sample_submission(folder / "sample.csv", results.test_ids, columns)
    return folder / "sample.csv"


def test_a_submission_of_scores_has_a_column_per_class(several: Results, tmp_path: Path) -> None:
    several.blend(method="mean", **outputs(tmp_path))
    submission = pd.read_csv(tmp_path / "submission.csv")
    assert list(submission.columns) == ["image_name", *CLASSES]
    assert submission[list(CLASSES)].to_numpy() == pytest.approx(mean_test_rows(several).to_numpy())
    oof = read_oof(tmp_path / "oof.parquet", list(CLASSES))
    assert oof.labels.shape == (120, 4)
    scores = json.loads((tmp_path / "blend.json").read_text())["scores"]
    assert scores["mean"] == pytest.approx(macro_auc(oof.labels, oof.scores["blend"]))


def test_exclusive_classes_are_submitted_relative_to_their_prevalence(exclusive: Results, tmp_path: Path) -> None:
    form = SubmissionForm("image_name", CLASSES, "columns", hard_labels=True, threshold="prevalence")
    changes = {"method": "mean", "submission_form": form, "threshold": "prevalence"}
    exclusive.blend(**changes, **outputs(tmp_path))
    oof, table = read_oof(tmp_path / "oof.parquet", list(CLASSES)), pd.read_csv(tmp_path / "oof.csv")
    shares = oof.labels.mean(axis=0)
    assert json.loads((tmp_path / "blend.json").read_text())["submission_thresholds"] == pytest.approx(shares)
    submitted = pd.read_csv(tmp_path / "submission.csv")[list(CLASSES)].to_numpy()
    assert (submitted.argmax(axis=1) == (mean_test_rows(exclusive).to_numpy() / shares).argmax(axis=1)).all()
    numbers = (oof.scores["blend"] / shares).argmax(axis=1)
    # Those of the table are by the shares of the other folds.
    assert (table["predicted"].to_numpy() == np.array(CLASSES)[numbers]).mean() > 0.9
    assert (table["predicted"].to_numpy() != np.array(CLASSES)[oof.scores["blend"].argmax(axis=1)]).mean() > 0.05
    plain = replace(form, threshold="best_f1")
    exclusive.blend(**changes | {"submission_form": plain, "threshold": 0.5}, **outputs(tmp_path / "plain"))
    assert json.loads((tmp_path / "plain" / "blend.json").read_text())["submission_thresholds"] is None


def test_a_submission_of_labels_has_the_predicted_classes_in_one_column(several: Results, tmp_path: Path) -> None:
    form = SubmissionForm(
        "image_name",
        ("Predicted",),
        "labels",
        separator=" ",
        class_words=ClassWords(NUMBERS, 1, SAMPLE),
        threshold="best_f1",
        exclusive="other",
    )
    sample = sample_submission(tmp_path, several, "Predicted")
    several.blend(method="mean", submission_form=form, sample_submission=sample, **outputs(tmp_path))
    submission = pd.read_csv(tmp_path / "submission.csv", dtype=str, keep_default_na=False)
    assert list(submission.columns) == ["image_name", "Predicted"]
    assert tuple(submission["image_name"]) == several.test_ids
    found = [[int(number) for number in cell.split(" ")] for cell in submission["Predicted"]]
    assert all(numbers == sorted(set(numbers)) and set(numbers) <= {1, 2, 3, 4} for numbers in found)
    assert all(numbers == [3] for numbers in found if 3 in numbers)
    assert len({tuple(numbers) for numbers in found}) > 2
    oof = read_oof(tmp_path / "oof.parquet", list(CLASSES))
    thresholds = json.loads((tmp_path / "blend.json").read_text())["submission_thresholds"]
    assert thresholds == class_thresholds(oof.labels, oof.scores["blend"], "best_f1")


def test_words_are_those_of_the_predicted_numbers(several: Results, tmp_path: Path) -> None:
    sample = sample_submission(tmp_path, several, "Predicted")
    cells = {}
    for words in (ClassWords(NAMES), ClassWords(NUMBERS, 0), ClassWords(NUMBERS, 1)):
        form = SubmissionForm("image_name", ("Predicted",), "labels", class_words=words)
        several.blend(method="mean", submission_form=form, sample_submission=sample, **outputs(tmp_path))
        submission = pd.read_csv(tmp_path / "submission.csv", dtype=str, keep_default_na=False)
        cells[str(words)] = [cell.split("|") for cell in submission["Predicted"]]
    assert cells["names"] == [[CLASSES[int(number)] for number in row] for row in cells["numbers from 0"]]
    assert cells["numbers from 1"] == [[str(int(number) + 1) for number in row] for row in cells["numbers from 0"]]


@pytest.mark.parametrize("class_names", [("target",), CLASSES], ids=["binary", "several"])
def test_hard_labels_are_0_and_1_by_the_threshold(class_names: tuple[str, ...], tmp_path: Path) -> None:
    """Only by an explicit key; a column per class has probabilities otherwise."""
    (tmp_path / "results").mkdir()
    results = write_results(tmp_path / "results", class_names=class_names)
    results.blend(method="mean", **outputs(tmp_path))
    scores = pd.read_csv(tmp_path / "submission.csv")[list(class_names)]
    assert not set(scores.to_numpy().ravel()) & {0, 1}
    # The only class of a binary task may be absent in any case.
    empty = len(class_names) > 1
    form = SubmissionForm("image_name", class_names, "columns", hard_labels=True, threshold=0.4, empty=empty)
    results.blend(method="mean", submission_form=form, **outputs(tmp_path))
    table = pd.read_csv(tmp_path / "submission.csv", dtype=str)
    assert list(table.columns) == ["image_name", *class_names]
    assert (table[list(class_names)] == (scores >= 0.4).astype(int).astype(str)).all(axis=None)
    assert set(table[list(class_names)].to_numpy().ravel()) == {"0", "1"}


@pytest.mark.parametrize("empty", [True, False])
def test_rows_in_which_no_class_reaches_its_threshold_are_counted(
    empty: bool, several: Results, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    highest = mean_test_rows(several).to_numpy().max(axis=1)
    threshold = float(np.sort(highest)[-2:].mean())
    form = SubmissionForm("image_name", CLASSES, "columns", hard_labels=True, threshold=threshold, empty=empty)
    several.blend(method="mean", submission_form=form, **outputs(tmp_path))
    submitted = pd.read_csv(tmp_path / "submission.csv")[list(CLASSES)].sum(axis=1)
    below = len(highest) - 1
    assert (submitted == 0).sum() == (below if empty else 0)
    assert (f"in {below} rows of the test split no class reaches its threshold" in caplog.text) is not empty


def test_hard_labels_of_exclusive_classes_have_one_1_in_a_row(exclusive: Results, tmp_path: Path) -> None:
    form = SubmissionForm("image_name", CLASSES, "columns", hard_labels=True, threshold=0.9)
    exclusive.blend(method="mean", submission_form=form, **outputs(tmp_path))
    assert (pd.read_csv(tmp_path / "submission.csv")[list(CLASSES)].sum(axis=1) == 1).all()


def test_further_columns_are_copied_and_those_of_one_value_are_named(
    made: Results, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = pd.read_csv(made.folder / "sample_submission.csv", dtype=str)
    table.insert(1, "width", [str(number) for number in range(len(table))])
    table["melanoma"] = "0"
    table.to_csv(tmp_path / "sample.csv", index=False)
    with caplog.at_level("INFO"):
        made.blend(sample_submission=tmp_path / "sample.csv", **outputs(tmp_path))
    submission = pd.read_csv(tmp_path / "submission.csv", dtype=str)
    assert list(submission.columns) == ["image_name", "width", "target", "melanoma"]
    pd.testing.assert_frame_equal(submission.drop(columns="target"), table.drop(columns="target"))
    text = (
        "The submission has probabilities (column target). Copied from the sample submission: column width, melanoma."
    )
    assert json.loads((tmp_path / "blend.json").read_text())["submission"] == text
    assert text in caplog.text
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("column melanoma of the sample submission has one value in all rows and is copied; if it")


def test_one_of_several_classes_can_be_submitted(exclusive: Results, tmp_path: Path) -> None:
    exclusive.blend(
        method="mean",
        scored_classes=("melanoma",),
        submission_form=SubmissionForm("image_name", ("target",), "columns"),
        sample_submission=sample_submission(tmp_path, exclusive, "target"),
        **outputs(tmp_path),
    )
    submission = pd.read_csv(tmp_path / "submission.csv")
    melanoma = mean_test_rows(exclusive)["melanoma"]
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert submission["target"].to_numpy() == pytest.approx(melanoma.to_numpy())
    oof = read_oof(tmp_path / "oof.parquet", list(CLASSES))
    assert recipe["scores"]["mean"] == roc_auc(oof.labels[:, 1], oof.scores["blend"][:, 1])
    assert recipe["metric"] == "pooled OOF ROC AUC of melanoma"
    for name in ("a", "b"):
        np.testing.assert_allclose(oof.scores[name].sum(axis=1), 1, rtol=1e-6)


def test_a_sample_submission_with_other_columns_is_refused(several: Results, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="no column mole, melanoma, other, rare; it has image_name, target, but"):
        several.blend(sample_submission=sample_submission(tmp_path, several, "target"), **outputs(tmp_path))
    assert not (tmp_path / "submission.csv").exists()


def test_final_models_predict_the_test_rows_by_key(made: Results, tmp_path: Path) -> None:
    """The blend is still that of the out-of-fold rows."""
    made.blend(method="stacking", **outputs(tmp_path))
    folds = json.loads((tmp_path / "blend.json").read_text())
    paths = [
        edit_predictions(path, tmp_path / f"{model}.parquet", class_names=["target"], member=FINAL)
        for model, path in zip("ab", made.predictions("test.parquet")[::3], strict=True)
    ]
    final = {"method": "stacking", "test_models": "final", "test_predictions": paths, **outputs(tmp_path)}
    made.blend(**final)
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert recipe == {**folds, "test_models": "final", "submission_thresholds": recipe["submission_thresholds"]}
    values = {}
    for model, path in zip("ab", paths, strict=True):
        ids, of_model = open_prediction_file(path, ["target"]).read(["target"])
        values[model] = pd.Series(of_model[:, 0], ids.to_pylist())[list(made.test_ids)].to_numpy()[:, None]
    submission = pd.read_csv(tmp_path / "submission.csv")["target"].to_numpy()
    assert submission == pytest.approx(read_recipe(tmp_path / "blend.json").apply(values)[:, 0], abs=1e-7)
    with pytest.raises(FoldlineError, match="test predictions of model b: final is missing"):
        made.blend(**final | {"test_predictions": [paths[0], made.predictions("test.parquet")[3]]})
