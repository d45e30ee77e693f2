"""Predictions become the out-of-fold table, the submission and the recipe: all of them, or none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.result_files import write_sample_submission
from fixtures.results import Results, write_results
from foldline.dataset.submission import SubmissionForm
from foldline.errors import FoldlineError
from foldline.evaluation.oof import read_oof
from foldline.evaluation.roc_auc import macro_auc, roc_auc
from foldline.evaluation.thresholds import class_thresholds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("results"))


def outputs(folder: Path) -> dict[str, Path]:
    return {"oof": folder / "oof.csv", "submission": folder / "submission.csv", "recipe": folder / "blend.json"}


def edited(results: Results, folder: Path, name: str, old: str, new: str) -> list[Path]:
    """The prediction files with one of them, model a's of fold 1, edited; the original is left alone."""
    paths = results.predictions(name)
    path = folder / "edited.csv"
    text = paths[1].read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return [path if number == 1 else other for number, other in enumerate(paths)]


@pytest.mark.parametrize("method", ["mean", "rank_mean", "best"])
def test_the_recipe_has_the_scores_of_the_rows(method: str, made: Results, tmp_path: Path) -> None:
    made.blend(method=method, **outputs(tmp_path))
    table = pd.read_csv(tmp_path / "oof.csv")
    recipe = json.loads((tmp_path / "blend.json").read_text())
    best = max(recipe["scores"], key=recipe["scores"].get)
    assert recipe["rule"] == (best if method == "best" else method)
    assert recipe["scores"]["mean"] == roc_auc(table["target"].to_numpy(), ((table["a"] + table["b"]) / 2).to_numpy())
    assert recipe["scores"][recipe["rule"]] == roc_auc(table["target"].to_numpy(), table["blend"].to_numpy())
    assert recipe["models"] == ["a", "b"]
    assert recipe["views"] == {"a": 4, "b": 4}
    assert (recipe["oof_rows"], recipe["test_rows"], recipe["folds"]) == (120, 12, 3)


def test_the_submission_is_the_mean_over_folds_and_models(made: Results, tmp_path: Path) -> None:
    made.blend(method="mean", **outputs(tmp_path))
    submission = pd.read_csv(tmp_path / "submission.csv")
    assert list(submission.columns) == ["image_name", "target"]
    assert tuple(submission["image_name"]) == made.test_ids
    every = pd.concat([pd.read_csv(path) for path in made.predictions("test.csv")])
    expected = every.groupby("id")["probability"].mean().loc[list(made.test_ids)]
    assert submission["target"].to_numpy() == pytest.approx(expected.to_numpy())


def test_ranks_are_taken_among_the_test_rows(made: Results, tmp_path: Path) -> None:
    made.blend(method="rank_mean", **outputs(tmp_path))
    assert np.mean(pd.read_csv(tmp_path / "submission.csv")["target"]) == pytest.approx(0.5)


def test_the_bytes_do_not_depend_on_the_order_of_the_files(made: Results, tmp_path: Path) -> None:
    shuffled = {
        "oof_predictions": made.predictions("oof.csv")[::-1],
        "test_predictions": made.predictions("test.csv")[::-1],
    }
    made.blend(**outputs(tmp_path / "one"))
    made.blend(**outputs(tmp_path / "two"), **shuffled)
    for name in ("oof.csv", "submission.csv", "blend.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("oof.csv", ",a,1,4", ",a,2,4", "model a: fold 1 is missing"),
        ("test.csv", "test_0003,", "test_9999,", "id test_9999 is not in the sample submission"),
        ("test.csv", ",a,1,4", ",a,1,1", "model a mix view counts 1, 4"),
        ("test.csv", ",a,1,4", ",c,1,4", "fold 1 is missing"),
    ],
)
def test_nothing_is_written_if_predictions_do_not_fit(
    name: str, old: str, new: str, words: str, made: Results, tmp_path: Path
) -> None:
    paths = edited(made, tmp_path, name, old, new)
    key = "oof_predictions" if name == "oof.csv" else "test_predictions"
    with pytest.raises(FoldlineError, match=words):
        made.blend(**outputs(tmp_path / "new"), **{key: paths})
    assert not (tmp_path / "new").exists()


def test_a_model_without_test_predictions_is_refused(made: Results, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="model b has either out-of-fold or test predictions, not both"):
        made.blend(test_predictions=made.predictions("test.csv")[:3], **outputs(tmp_path / "new"))


def test_other_views_on_the_test_rows_are_refused(made: Results, tmp_path: Path) -> None:
    paths = []
    for number, path in enumerate(made.predictions("test.csv")):
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_text(path.read_text().replace(",4\n", ",8\n"))
    with pytest.raises(FoldlineError, match="model a: 4 views out of fold, 8 on the test rows"):
        made.blend(test_predictions=paths, **outputs(tmp_path / "new"))


def test_a_sample_submission_with_other_ids_is_refused(made: Results, tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text((made.folder / "sample_submission.csv").read_text() + "test_0012,0\n")
    with pytest.raises(FoldlineError, match="1 ids of the sample submission are missing: test_0012"):
        made.blend(sample_submission=sample, **outputs(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_external_rows_are_not_scored(made: Results, tmp_path: Path) -> None:
    """They are in the fold table, two of them with a fold; the out-of-fold table has the train rows only."""
    (tmp_path / "results").mkdir()
    results = write_results(tmp_path / "results", external=6)
    assert (pd.read_csv(results.folder / "folds.csv")["split"] == "external").sum() == 6
    results.blend(**outputs(tmp_path))
    table = pd.read_csv(tmp_path / "oof.csv")
    assert list(table["id"]) == sorted(pd.read_csv(results.folder / "inventory.csv")["id"])
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert (recipe["oof_rows"], recipe["folds"]) == (120, 3)


def test_a_prediction_of_an_external_row_is_refused(tmp_path: Path) -> None:
    results = write_results(tmp_path, external=6)
    folds = pd.read_csv(results.folder / "folds.csv").set_index("id")
    path = results.predictions("oof.csv")[folds.loc["external_0000", "fold"]]
    row = path.read_text().splitlines()[1].split(",", 1)[1]
    path.write_text(path.read_text() + f"external_0000,{row}\n")
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
    every = pd.concat([pd.read_csv(path) for path in several.predictions("test.csv")])
    for name in CLASSES:
        expected = every[every["class"] == name].groupby("id")["probability"].mean().loc[list(several.test_ids)]
        assert submission[name].to_numpy() == pytest.approx(expected.to_numpy())
    oof = read_oof(tmp_path / "oof.csv", list(CLASSES))
    assert oof.labels.shape == (120, 4)
    scores = json.loads((tmp_path / "blend.json").read_text())["scores"]
    assert scores["mean"] == pytest.approx(macro_auc(oof.labels, oof.scores["blend"]))


def test_a_submission_of_labels_has_the_predicted_classes_in_one_column(several: Results, tmp_path: Path) -> None:
    form = SubmissionForm(
        "image_name", ("Predicted",), "labels", separator=" ", words="numbers", threshold="best_f1", exclusive="other"
    )
    sample = sample_submission(tmp_path, several, "Predicted")
    several.blend(method="mean", submission_form=form, sample_submission=sample, **outputs(tmp_path))
    submission = pd.read_csv(tmp_path / "submission.csv", dtype=str, keep_default_na=False)
    assert list(submission.columns) == ["image_name", "Predicted"]
    assert tuple(submission["image_name"]) == several.test_ids
    found = [[int(number) for number in cell.split(" ")] for cell in submission["Predicted"]]
    assert all(numbers == sorted(set(numbers)) and set(numbers) <= {0, 1, 2, 3} for numbers in found)
    assert all(numbers == [2] for numbers in found if 2 in numbers)
    assert len({tuple(numbers) for numbers in found}) > 2
    oof = read_oof(tmp_path / "oof.csv", list(CLASSES))
    thresholds = json.loads((tmp_path / "blend.json").read_text())["submission_thresholds"]
    assert thresholds == class_thresholds(oof.labels, oof.scores["blend"], "best_f1")


def test_one_of_several_classes_can_be_submitted(exclusive: Results, tmp_path: Path) -> None:
    exclusive.blend(
        method="mean",
        scored_classes=("melanoma",),
        submission_form=SubmissionForm("image_name", ("target",), "columns"),
        sample_submission=sample_submission(tmp_path, exclusive, "target"),
        **outputs(tmp_path),
    )
    submission = pd.read_csv(tmp_path / "submission.csv")
    every = pd.concat([pd.read_csv(path) for path in exclusive.predictions("test.csv")])
    melanoma = every[every["class"] == "melanoma"].groupby("id")["probability"].mean().loc[list(exclusive.test_ids)]
    recipe = json.loads((tmp_path / "blend.json").read_text())
    assert submission["target"].to_numpy() == pytest.approx(melanoma.to_numpy())
    oof = read_oof(tmp_path / "oof.csv", list(CLASSES))
    assert recipe["scores"]["mean"] == roc_auc(oof.labels[:, 1], oof.scores["blend"][:, 1])
    assert recipe["metric"] == "pooled OOF ROC AUC of melanoma"
    for name in ("a", "b"):
        np.testing.assert_allclose(oof.scores[name].sum(axis=1), 1)


def test_a_sample_submission_with_other_columns_is_refused(several: Results, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="columns image_name, target, but this configuration submits"):
        several.blend(sample_submission=sample_submission(tmp_path, several, "target"), **outputs(tmp_path))
    assert not (tmp_path / "submission.csv").exists()
