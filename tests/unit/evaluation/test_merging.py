"""Predictions that do not belong together are not merged."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.evaluation.merging import MergedPredictions, merge_oof, merge_test
from foldline.evaluation.prediction_files import PredictionFile, write_prediction_file
from foldline.io.result_paths import Member, members_of

IDS, FOLDS = ["i0", "i1", "i2", "i3"], np.array([0, 1, 0, 1])
TEST_IDS = ["t2", "t0", "t1"]


@dataclass(frozen=True)
class Predictions:
    """Content of one prediction file of the class "mark"."""

    fold: int
    rows: dict[str, float]
    model: str = "a"
    views: int = 4
    shared_views: bool = False
    class_names: tuple[str, ...] = ("mark",)
    more: tuple[float, ...] = field(default=())

    def write(self, path: Path) -> Path:
        values = np.array([[value, *self.more] for value in self.rows.values()]).reshape(-1, len(self.class_names))
        file = PredictionFile(path, self.model, Member(1, self.fold), self.views, self.shared_views)
        write_prediction_file(file, list(self.rows), values, class_names=self.class_names)
        return path


def oof(model: str = "a") -> list[Predictions]:
    return [Predictions(0, {"i2": 0.5, "i0": 0.1}, model), Predictions(1, {"i1": 0.3, "i3": 0.7}, model)]


def predicted(model: str = "a") -> list[Predictions]:
    return [
        Predictions(fold, {name: 0.1 + 0.2 * int(name[1]) + 0.04 * fold for name in TEST_IDS}, model) for fold in (0, 1)
    ]


def written(folder: Path, files: list[Predictions]) -> list[Path]:
    """Write files, the last one first."""
    return [file.write(folder / f"{number}.parquet") for number, file in reversed(list(enumerate(files)))]


def merged_oof(folder: Path, files: list[Predictions]) -> MergedPredictions:
    (merged,) = merge_oof(written(folder, files), ids=IDS, folds=[FOLDS], class_names=["mark"])
    return merged


def merged_test(folder: Path, files: list[Predictions]) -> MergedPredictions:
    return merge_test(written(folder, files), ids=TEST_IDS, members=members_of([0, 1]), class_names=["mark"])


def test_folds_share_the_views_of_test_rows_or_do_not(tmp_path: Path) -> None:
    shared = [replace(file, shared_views=True) for file in predicted()]
    whole, split = merged_test(tmp_path, predicted()), merged_test(tmp_path, shared)
    assert (whole.shared_views, split.shared_views, split.views) == (False, True, {"a": 4})
    np.testing.assert_array_equal(whole.probabilities, split.probabilities)
    with pytest.raises(FoldlineError, match="model a mix predictions by all views and by a share of them"):
        merged_test(tmp_path, [predicted()[0], shared[1]])


def test_out_of_fold_rows_are_in_the_order_of_the_fold_table(tmp_path: Path) -> None:
    constant = [replace(file, rows=dict.fromkeys(file.rows, 0.5)) for file in oof("a")]
    found = merged_oof(tmp_path, [*oof("b"), *constant])
    assert found.models == ["a", "b"]
    assert found.views == {"a": 4, "b": 4}
    assert (found.probabilities.dtype, found.probabilities.shape) == (np.float32, (2, 4, 1))
    assert found.probabilities[0, :, 0].tolist() == [0.5] * 4
    assert found.probabilities[1, :, 0].tolist() == [np.float32(value) for value in (0.1, 0.3, 0.5, 0.7)]


def test_the_fold_table_can_have_any_order(tmp_path: Path) -> None:
    order = [3, 0, 2, 1]
    paths = written(tmp_path, oof())
    (found,) = merge_oof(paths, ids=[IDS[number] for number in order], folds=[FOLDS[order]], class_names=["mark"])
    assert found.probabilities[0, :, 0].tolist() == [np.float32(value) for value in (0.7, 0.1, 0.5, 0.3)]


def test_a_test_prediction_is_the_mean_over_the_folds(tmp_path: Path) -> None:
    """Row 13."""
    found = merged_test(tmp_path, predicted())
    assert found.probabilities[0, :, 0] == pytest.approx([0.52, 0.12, 0.32])


def test_classes_are_in_the_given_order(tmp_path: Path) -> None:
    files = [replace(file, class_names=("mark", "spot"), more=(0.9,)) for file in oof()]
    (found,) = merge_oof(written(tmp_path, files), ids=IDS, folds=[FOLDS], class_names=["spot", "mark"])
    assert found.probabilities[0, :, 0].tolist() == [np.float32(0.9)] * 4
    assert found.probabilities[0, :, 1].tolist() == [np.float32(value) for value in (0.1, 0.3, 0.5, 0.7)]


def test_any_number_of_rows_goes_where_it_belongs(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    ids = [f"{number:x}" for number in random.permutation(400)]
    folds = random.integers(0, 3, 400)
    values = random.random((400, 2), np.float32)
    paths = []
    for fold in range(3):
        rows = np.flatnonzero(folds == fold)
        file = PredictionFile(tmp_path / f"{fold}.parquet", "m", Member(1, fold), 1)
        write_prediction_file(file, [ids[row] for row in rows], values[rows], class_names=["x", "y"])
        paths.append(file.path)
    (merged,) = merge_oof(paths, ids=ids, folds=[folds], class_names=["x", "y"])
    assert (merged.probabilities[0] == values).all()


def test_no_row_model_or_class_takes_a_python_object(tmp_path: Path) -> None:
    """The peak is less than two of the arrays; one object for each value would be eight more."""
    random = np.random.default_rng(5)
    rows, models, names = 4000, 6, [f"class {number}" for number in range(10)]
    ids, folds = [f"image_{number:05d}" for number in range(rows)], np.arange(rows) % 2
    paths = []
    for model in range(models):
        for fold in range(2):
            file = PredictionFile(tmp_path / f"{model}.{fold}.parquet", f"m{model}", Member(1, fold), 1)
            write_prediction_file(file, ids[fold::2], random.random((rows // 2, 10), np.float32), class_names=names)
            paths.append(file.path)
    tracemalloc.start()
    (merged,) = merge_oof(paths, ids=ids, folds=[folds], class_names=names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert merged.probabilities.nbytes == rows * models * 10 * 4
    assert peak < 2 * merged.probabilities.nbytes


def with_rows(number: int, change: Callable[[dict[str, float]], dict[str, float]]) -> Callable[..., list[Predictions]]:
    """Change the rows of one of the files."""
    return lambda files: [
        replace(file, rows=change(dict(file.rows))) if index == number else file for index, file in enumerate(files)
    ]


def without(*names: str) -> Callable[[dict[str, float]], dict[str, float]]:
    return lambda rows: {name: value for name, value in rows.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            with_rows(0, without("i2")),
            "model a, fold 0: 1 missing id of the train rows of the fold table: i2; run the workflow again",
        ),
        (lambda files: files[:1], "model a: fold 1 is missing"),
        (lambda files: [*files, replace(files[1], fold=2)], "model a: fold 2 is not in the fold table"),
        (lambda files: [*files, files[1]], "model a: fold 1 occurs more than once"),
        (
            with_rows(1, lambda rows: {**without("i3")(rows), "x9": 0.5}),
            "model a, fold 1: id x9 is not in the train rows of the fold table, .*fold 1: 1 missing id .*: i3;",
        ),
        (
            lambda files: [replace(file, fold=1 - file.fold) for file in files],
            "fold 0: id i1, i3 predicted by the model of another fold",
        ),
        (with_rows(0, lambda rows: {**rows, "i1": 0.5}), "fold 0: id i1 predicted by the model of another fold"),
        (with_rows(1, lambda rows: {**rows, "i1": 1.2}), r"fold 1: probability 1\.2 of id i1 is not in \[0, 1\]"),
        (with_rows(1, lambda rows: {**rows, "i1": -0.2}), "of id i1 is not in"),
        (with_rows(1, lambda rows: {**rows, "i3": np.inf}), "of id i3 is not in"),
        (lambda files: [files[0], replace(files[1], views=1)], "model a mix view counts 1, 4"),
        (
            lambda files: [replace(file, class_names=("spot",)) for file in files],
            "class mark is missing; class spot is not one of the classes mark",
        ),
    ],
)
def test_out_of_fold_rows_that_do_not_fit_are_refused(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        merged_oof(tmp_path, [*oof("b"), *change(oof("a"))])


def test_the_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    broken = with_rows(0, without("i2"))(oof("b"))
    with pytest.raises(
        FoldlineError, match=r"model a, fold 1: 1 missing id .*: i1, .*model b, fold 0: 1 missing id .*: i2;"
    ):
        merged_oof(tmp_path, [*with_rows(1, without("i1"))(oof("a")), *broken])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files[:1], "model a: fold 1 is missing"),
        (lambda files: [replace(file, fold=file.fold + 1) for file in files], "model a: fold 0 is missing"),
        (with_rows(1, without("t1")), "model a, fold 1: 1 missing id of the sample submission: t1"),
        (
            with_rows(0, lambda rows: {**without("t1")(rows), "i1": 0.5}),
            "fold 0: id i1 is not in the sample submission",
        ),
        (with_rows(0, lambda rows: {**rows, "t1": 1.5}), r"fold 0: probability 1\.5 of id t1 is not in \[0, 1\]"),
    ],
)
def test_test_rows_that_do_not_fit_are_refused(change, words: str, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=words):
        merged_test(tmp_path, [*predicted("b"), *change(predicted("a"))])


def test_a_class_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match=r"parquet: class spot is missing"):
        merge_oof(written(tmp_path, oof()), ids=IDS, folds=[FOLDS], class_names=["mark", "spot"])


def test_no_predictions_are_refused() -> None:
    with pytest.raises(FoldlineError, match="no predictions to blend"):
        merge_oof([], ids=IDS, folds=[FOLDS], class_names=["mark"])
