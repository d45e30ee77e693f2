"""Predictions of a fold and of the test split: every row once, by the weights of the fold, or a refusal."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from fixtures.settings import model_config
from fixtures.shards import ShardSet, write_shards
from foldline.errors import FoldlineError
from foldline.inference.prediction_config import PredictionConfig
from foldline.io.files import write_json
from foldline.io.tables import FOLDS, PREDICTIONS, read_table, write_table
from foldline.models.backbones import build_backbone
from foldline.models.heads import build_model
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.tensorflow import tf_keras
from predict_oof import predict_oof
from predict_test import predict_test

COMMON = {
    "threads": 2,
    "model": "tiny",
    "fold": 2,
    "model_config": model_config(backbone="efficientnet-lite0", metadata_units=[]),
    "class_names": ["sick"],
    "activation": "sigmoid",
    "accelerator": "cpu",
}


def network(**changes) -> tf_keras.Model:
    tf_keras.utils.set_random_seed(8)
    backbone = build_backbone("efficientnet-lite0", weights="none", image_size=32)
    head = {"metadata_width": 0, "n_classes": 1, "metadata_units": [], "hidden": [], "dropout": 0.0}
    return build_model(backbone, **{**head, **changes})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "weights.weights.h5"
    save_weights(network(), path)
    write_json(path.with_name("metadata.json"), {"columns": []})
    return path


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return write_shards(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def unlabeled(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return write_shards(tmp_path_factory.mktemp("test"), rows=10, count=1, labeled=False)


def run_oof(data: ShardSet, weights: Path, predictions: Path, *, views: int = 1, folds: Path | None = None) -> None:
    predict_oof(
        shards=data.paths,
        manifests=data.manifests,
        folds=folds or data.folds,
        weights=weights,
        metadata=weights.with_name("metadata.json"),
        predictions=predictions,
        prediction_config=PredictionConfig(views, batch_size=4),
        **COMMON,
    )


def test_a_fold_is_predicted_whole_and_alone(train: ShardSet, weights: Path, tmp_path: Path) -> None:
    run_oof(train, weights, tmp_path / "oof.csv", views=2)
    run_oof(train, weights, tmp_path / "again.csv", views=2)
    table = read_table(tmp_path / "oof.csv", PREDICTIONS, key=("id", "class"))
    assert list(table["id"]) == train.ids(2, held_out=True)
    assert table["probability"].between(0, 1).all()
    assert set(zip(table["model"], table["fold"], table["views"], strict=True)) == {("tiny", 2, 2)}
    assert (tmp_path / "oof.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_the_test_part_is_predicted_whole(unlabeled: ShardSet, weights: Path, tmp_path: Path) -> None:
    predict_test(
        shards=unlabeled.paths,
        manifests=unlabeled.manifests,
        weights=weights,
        metadata=weights.with_name("metadata.json"),
        predictions=tmp_path / "test.csv",
        prediction_config=PredictionConfig(views=1, batch_size=4),
        **COMMON,
    )
    table = read_table(tmp_path / "test.csv", PREDICTIONS, key=("id", "class"))
    assert list(table["id"]) == sorted(unlabeled.rows["id"])


@pytest.mark.parametrize("change", ["missing", "foreign"])
def test_other_rows_than_the_fold_table_has_are_refused(
    train: ShardSet, weights: Path, tmp_path: Path, change: str
) -> None:
    table = read_table(train.folds, FOLDS)
    if change == "missing":
        table.loc[0, ["id", "group"]] = "another"
    else:
        table = table.iloc[1:].reset_index(drop=True)
    write_table(table, tmp_path / "folds.csv", FOLDS)
    with pytest.raises(FoldlineError, match="run the workflow again"):
        run_oof(train, weights, tmp_path / "oof.csv", folds=tmp_path / "folds.csv")
    assert not (tmp_path / "oof.csv").exists()


def test_a_repeated_test_row_is_refused(unlabeled: ShardSet, weights: Path, tmp_path: Path) -> None:
    manifest = unlabeled.manifests[0]
    with pytest.raises(FoldlineError, match="10 repeated ids"):
        predict_test(
            shards=unlabeled.paths * 2,
            manifests=[manifest, manifest],
            weights=weights,
            metadata=weights.with_name("metadata.json"),
            predictions=tmp_path / "test.csv",
            prediction_config=PredictionConfig(views=1, batch_size=4),
            **COMMON,
        )


def test_weights_round_trip_and_others_are_refused(weights: Path, tmp_path: Path) -> None:
    first = network()
    tf_keras.utils.set_random_seed(1)
    second = network()
    second.set_weights([np.zeros_like(value) for value in second.get_weights()])
    load_weights(second, weights)
    for saved, loaded in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, loaded)
    save_weights(second, tmp_path / "same.weights.h5")
    assert (tmp_path / "same.weights.h5").read_bytes() == weights.read_bytes()
    with pytest.raises(FoldlineError, match="not the weights of this network"):
        load_weights(network(n_classes=2), weights)
    shutil.copy(weights, tmp_path / "cut.weights.h5")
    with (tmp_path / "cut.weights.h5").open("r+b") as handle:
        handle.truncate(5000)
    with pytest.raises(FoldlineError, match=r"cut\.weights\.h5"):
        load_weights(second, tmp_path / "cut.weights.h5")
