"""Predictions of a fold and of the test split: every row exactly once, with the weights of the fold, or an error."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.settings import model_config
from fixtures.shards import ShardSet, write_shards
from foldline.dataset.metadata import Encoding
from foldline.errors import FoldlineError
from foldline.evaluation.prediction_files import open_prediction_file
from foldline.inference.prediction_config import PredictionConfig
from foldline.inference.predictions import Prediction, ShardFiles
from foldline.inference.trained_model import TrainedModel
from foldline.io.files import write_json
from foldline.io.result_paths import Member
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.models.networks import build_network, input_spec_of
from foldline.models.weights_file import save_weights
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf_keras
from predict_holdout import predict_holdout
from predict_oof import predict_oof
from predict_test import predict_test

pytestmark = pytest.mark.usefixtures("short_lite0")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A model of fold 2 with random weights."""
    weights = tmp_path_factory.mktemp("model") / "weights.weights.h5"
    config = model_config(backbone="efficientnet-lite0", hidden=[], metadata_units=[])
    tf_keras.utils.set_random_seed(8)
    device = use_device("cpu", threads=2)
    input_spec = input_spec_of(config, Encoding(()))
    save_weights(build_network(config, input_spec, weights="none", n_classes=1, device=device), weights)
    write_json(weights.with_name("metadata.json"), {"columns": []})
    return TrainedModel("tiny", Member(1, 2), weights, weights.with_name("metadata.json"), config, ["sick"], "sigmoid")


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return write_shards(tmp_path_factory.mktemp("train"))


@pytest.fixture(scope="module")
def unlabeled(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    """The test split."""
    return write_shards(tmp_path_factory.mktemp("test"), rows=10, count=1, labeled=False)


def prediction(model: TrainedModel, data: ShardSet, *, times: int = 1) -> Prediction:
    """Predictions from shards, each of them listed so many times."""
    files = ShardFiles(data.paths * times, data.manifests * times)
    return Prediction(model, files, PredictionConfig(views=2, batch_size=4), accelerator="cpu", threads=2)


def test_a_fold_is_predicted_whole_and_alone(model: TrainedModel, train: ShardSet, tmp_path: Path) -> None:
    for name in ("oof.parquet", "again.parquet"):
        predict_oof(prediction(model, train), folds=train.folds, predictions=tmp_path / name)
    file = open_prediction_file(tmp_path / "oof.parquet", ["sick"])
    ids, values = file.read(["sick"])
    assert ids.to_pylist() == train.ids(2, held_out=True)
    assert ((values > 0) & (values < 1)).all()
    assert (file.model, file.member, file.views) == ("tiny", Member(1, 2), 2)
    assert (tmp_path / "oof.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_the_test_split_is_predicted_whole(model: TrainedModel, unlabeled: ShardSet, tmp_path: Path) -> None:
    predict_test(prediction(model, unlabeled), predictions=tmp_path / "test.parquet")
    ids, _ = open_prediction_file(tmp_path / "test.parquet", ["sick"]).read(["sick"])
    assert ids.to_pylist() == sorted(unlabeled.rows["id"])


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_shards_must_hold_the_rows_of_the_fold_table(
    model: TrainedModel, train: ShardSet, tmp_path: Path, change: str
) -> None:
    table = read_table(train.folds, FOLDS)
    if change == "missing":
        table.loc[0, ["id", "group"]] = "another"
    else:
        table = table.iloc[1:].reset_index(drop=True)
    write_table(table, tmp_path / "folds.csv", FOLDS)
    with pytest.raises(FoldlineError, match="run the workflow again"):
        predict_oof(prediction(model, train), folds=tmp_path / "folds.csv", predictions=tmp_path / "oof.parquet")
    assert not (tmp_path / "oof.parquet").exists()


def test_a_fold_without_rows_is_an_error(model: TrainedModel, train: ShardSet, tmp_path: Path) -> None:
    table = read_table(train.folds, FOLDS)
    table["fold"] = table["fold"] % 2
    write_table(table, tmp_path / "folds.csv", FOLDS)
    with pytest.raises(FoldlineError, match=r"folds\.csv: no rows in fold 2"):
        predict_oof(prediction(model, train), folds=tmp_path / "folds.csv", predictions=tmp_path / "oof.parquet")


def test_a_fold_may_predict_a_share_of_the_views(model: TrainedModel, unlabeled: ShardSet, tmp_path: Path) -> None:
    """Rows that two folds predict by one of two views each, averaged, are those that both views give."""
    values = []
    for split in (None, (0, 2), (1, 2)):
        config = PredictionConfig(2, batch_size=4, split=split)
        predict_test(replace(prediction(model, unlabeled), config=config), predictions=tmp_path / "test.parquet")
        file = open_prediction_file(tmp_path / "test.parquet", ["sick"])
        assert (file.views, file.shared_views) == (2, split is not None)
        values.append(file.read(["sick"])[1])
    np.testing.assert_allclose(values[0], (values[1] + values[2]) / 2, atol=1e-6)
    assert np.abs(values[1] - values[2]).max() > 1e-6


def test_a_repeated_test_row_is_an_error(model: TrainedModel, unlabeled: ShardSet, tmp_path: Path) -> None:
    with pytest.raises(FoldlineError, match="test split: 10 repeated ids"):
        predict_test(prediction(model, unlabeled, times=2), predictions=tmp_path / "test.parquet")
    assert not (tmp_path / "test.parquet").exists()


def test_the_holdout_is_predicted_alone(model: TrainedModel, train: ShardSet, tmp_path: Path) -> None:
    """Rows of no fold are in the shards, and belong to no out-of-fold predictions."""
    table = read_table(train.folds, FOLDS)
    held_out = table["fold"] == 1
    write_table(table.assign(fold=table["fold"].mask(held_out, -2)), tmp_path / "folds.csv", FOLDS)
    arguments = {"folds": tmp_path / "folds.csv", "predictions": tmp_path / "p.parquet"}
    predict_holdout(prediction(model, train), **arguments)
    ids, _ = open_prediction_file(tmp_path / "p.parquet", ["sick"]).read(["sick"])
    assert ids.to_pylist() == sorted(table.loc[held_out, "id"])
    predict_oof(prediction(model, train), **arguments)
    ids, _ = open_prediction_file(tmp_path / "p.parquet", ["sick"]).read(["sick"])
    assert ids.to_pylist() == sorted(table.loc[table["fold"] == 2, "id"])
    with pytest.raises(FoldlineError, match="no rows in the holdout"):
        predict_holdout(prediction(model, train), **{**arguments, "folds": train.folds})
