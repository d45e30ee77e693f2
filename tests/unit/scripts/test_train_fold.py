"""A fold is trained: its files describe the training, and equal settings give equal weights."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from fixtures.settings import fold_configs
from fixtures.shards import ShardSet, cut_last_record, write_shards
from foldline.dataset.metadata import Encoding, MetadataColumnConfig
from foldline.errors import FoldlineError
from foldline.io.files import digest_of, read_json, sha256_of_file, write_json
from foldline.io.result_paths import Member
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.runtime.devices import Device, use_device
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.step import Step
from foldline.training.checkpoints import Checkpoints
from foldline.training.fold_training import FoldSettings, FoldTraining, open_fold
from foldline.training.history import HISTORY
from foldline.training.trainer import Trainer
from foldline.training.training_config import CheckpointConfig
from PIL import Image
from tensorflow.core.util import event_pb2
from train_fold import Inputs, Outputs, train_fold

pytestmark = pytest.mark.usefixtures("short_lite0")

SETTINGS: dict[str, Any] = {
    "backbone": "efficientnet-lite0",
    "weights": "none",
    "trainable": "upper",
    "metadata_units": [4],
    "epochs": 2,
    "batch_size": 8,
    "schedule": {"warmup_epochs": 0.5, "final_fraction": 0.1},
    "augment": {
        "rotation": [15, 180],
        "brightness": 0.1,
        "contrast": 0.1,
        "coarse_dropout": {"probability": 0.5, "holes": 2},
        "cutmix": {"probability": 0.3},
    },
    "ema_decay": 0.9,
    "ema_warmup": True,
    "normalization": "frozen",
    "optimizer": {"weight_decay": 0.01, "layer_decay": 0.8, "clip_norm": 1.0},
    "seed": 11,
}


@dataclass
class Trained:
    """Files of a trained fold and the data it was trained on."""

    data: ShardSet
    folder: Path


def settings_of(
    fold: int = 1,
    columns: dict[str, MetadataColumnConfig] | None = None,
    checkpoints: str = "none",
    **changes: Any,
) -> FoldSettings:
    """Settings of a fold that saves a checkpoint after each epoch."""
    model_config, training_config = fold_configs(**{**SETTINGS, **changes})
    return FoldSettings(
        model="tiny",
        member=Member(1, fold),
        model_config=model_config,
        training_config=training_config,
        metadata_columns=columns or {},
        class_names=("sick",),
        activation="sigmoid",
        accelerator="cpu",
        checkpoints=CheckpointConfig(checkpoints, seconds=0, share=1),
    )


def run(
    data: ShardSet,
    folder: Path,
    *,
    fold: int = 1,
    columns: dict[str, MetadataColumnConfig] | None = None,
    **changes: Any,
) -> None:
    settings = settings_of(fold, columns, str(folder / "checkpoints"), **changes)
    outputs = Outputs(
        weights=folder / "weights.weights.h5",
        metadata=folder / "metadata.json",
        samples=folder / "samples.png",
        history=folder / "history.csv",
        provenance=folder / "provenance.json",
        events=folder / "events.out.tfevents.foldline",
    )
    built: list[Callable[[], None]] = []
    inputs = Inputs(data.paths, data.manifests, data.folds, data.class_weights)
    train_fold(inputs, outputs, settings, threads=2, job=Step("key", built.append))
    for function in built:
        function()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    data = write_shards(folder / "shards")
    run(data, folder / "first")
    return Trained(data, folder / "first")


def test_the_history_has_a_row_for_each_epoch(trained: Trained) -> None:
    history = read_table(trained.folder / "history.csv", HISTORY, key=("epoch",))
    assert list(history["epoch"]) == [1, 2]
    # 30 rows in batches of 8: 3 of them in the first epoch and 4 in the second.
    assert list(history["images"]) == [24, 32]
    assert history["val_auc"].between(0, 1).all()
    # The first epoch ends with step 2, .033 epochs after the warm-up; the cosine takes 1.233 epochs.
    fallen = (2 / 3.75 - 0.5) / (2 - 1 / 3.75 - 0.5)
    assert history["learning_rate"][0] == pytest.approx(1e-3 * (0.1 + 0.9 * (1 + np.cos(np.pi * fallen)) / 2))


def test_the_provenance_describes_the_training(trained: Trained) -> None:
    provenance = read_json(trained.folder / "provenance.json")
    data = trained.data
    model_config, training_config = fold_configs(**SETTINGS)
    settings = asdict(model_config) | asdict(training_config)
    assert provenance["settings"] == json.loads(json.dumps(settings))
    assert provenance["train_ids_sha256"] == digest_of(data.ids(1, held_out=False))
    assert provenance["validation_ids_sha256"] == digest_of(data.ids(1, held_out=True))
    assert (provenance["train_rows"], provenance["validation_rows"]) == (30, 15)
    assert provenance["weights_sha256"] == sha256_of_file(trained.folder / "weights.weights.h5")
    assert provenance["device"] == "cpu"
    assert (provenance["precision"], provenance["precision_trial"]) == ("float32", {})
    assert provenance["epochs_run"] == provenance["selected_epoch"] == 2
    assert 0 < provenance["trained_parameters"] < provenance["parameters"]
    assert provenance["versions"]["tensorflow"] == tf.__version__
    assert provenance["stages"][0]["shape"] == [32, 32, 3]
    assert sum(stage["parameters"] for stage in provenance["stages"]) == provenance["parameters"]


def test_a_batch_above_the_training_rows_takes_all_of_them(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(trained.data, tmp_path / "all", batch_size=30)
    assert "batch_size" not in caplog.text
    run(trained.data, tmp_path / "more", batch_size=64)
    assert "fold 1: batch_size is 64, but there are 30 training rows: a step trains on 30" in caplog.text
    for name in ("weights.weights.h5", "provenance.json"):
        assert (tmp_path / "more" / name).read_bytes() == (tmp_path / "all" / name).read_bytes(), name


@pytest.mark.parametrize(("rows", "replicas", "size"), [(31, 4, 28), (64, 4, 64), (3, 4, 64), (70, 1, 64)])
def test_devices_share_the_batch_of_a_small_fold(rows: int, replicas: int, size: int) -> None:
    device = Device("gpu", "the test", SimpleNamespace(num_replicas_in_sync=replicas))
    settings = settings_of(batch_size=64)
    assert settings.with_batch_for(rows, device).training_config == replace(settings.training_config, batch_size=size)


def test_frozen_norms_are_those_that_the_training_began_with(trained: Trained) -> None:
    with h5py.File(trained.folder / "weights.weights.h5") as file:
        values: dict[str, np.ndarray] = {}
        file.visititems(lambda name, item: values.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    # Scale, offset, mean and variance of each.
    vectors = {name: value for name, value in values.items() if value.ndim == 1 and "batch_normalization" in name}
    assert len(vectors) > 20
    assert {name for name, value in vectors.items() if len(set(value.tolist())) > 1} == set()


def test_the_samples_are_a_grid(trained: Trained) -> None:
    with Image.open(trained.folder / "samples.png") as opened:
        grid = np.asarray(opened)
    assert grid.shape == (4 * 36 - 4, 8 * 36 - 4, 3)
    first = [grid[:32, 36 * column : 36 * column + 32] for column in range(8)]
    assert all((first[0] != changed).any() for changed in first[1:])


@pytest.mark.parametrize("inputs", [["metadata"], ["image", "metadata"]])
def test_a_model_reads_metadata_and_writes_their_encoding(inputs: list[str], tmp_path: Path) -> None:
    """Rows 3 and 4."""
    data = write_shards(tmp_path / "shards")
    columns = {"site": MetadataColumnConfig("categorical", ("a", "b"))}
    backbone = "efficientnet-lite0" if "image" in inputs else None
    run(data, tmp_path, columns=columns, inputs=inputs, backbone=backbone, epochs=1, trainable="head")
    encoding = Encoding.from_json(read_json(tmp_path / "metadata.json")["columns"])
    assert encoding.width == 3
    with Image.open(tmp_path / "samples.png") as picture:
        assert ("image" in inputs) == (picture.width > 1)


def test_the_events_are_the_history(trained: Trained) -> None:
    history = pd.read_csv(trained.folder / "history.csv")
    values = {}
    for record in tf.data.TFRecordDataset(str(trained.folder / "events.out.tfevents.foldline")):
        event = event_pb2.Event.FromString(record.numpy())
        for value in event.summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            values[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    assert len(values) == 14
    for row in history.to_dict("records"):
        for name in ("auc", "accuracy", "val_auc", "val_accuracy"):
            assert values[name, row["epoch"]] == pytest.approx(row[name])


def test_equal_settings_give_equal_bytes_and_another_seed_does_not(trained: Trained, tmp_path: Path) -> None:
    weights = (trained.folder / "weights.weights.h5").read_bytes()
    run(trained.data, tmp_path / "again")
    assert (tmp_path / "again" / "weights.weights.h5").read_bytes() == weights
    assert read_json(tmp_path / "again" / "provenance.json") == read_json(trained.folder / "provenance.json")
    run(trained.data, tmp_path / "other", seed=12, trainable="head", epochs=1)
    assert (tmp_path / "other" / "weights.weights.h5").read_bytes() != weights


def test_a_fold_with_all_recipe_keys_is_trained(tmp_path: Path) -> None:
    data = write_shards(tmp_path / "shards", size=64)
    recipe: dict[str, Any] = {
        "image_size": 64,
        "sampling": {"share": 0.5, "hardest": 0.5},
        "size_schedule": [{"epochs": 1, "image_size": 48}],
        "prediction_size": 32,
        "accumulate": 2,
        "normalization": "none",
        "swa_epochs": 1,
        "ema_decay": None,
        "ema_warmup": False,
        "augment": {"operations": 1, "rotation": [30], "shift": [0.1], "contrast": 0.3},
    }
    run(data, tmp_path, **recipe)
    history = read_table(tmp_path / "history.csv", HISTORY, key=("epoch",))
    # 10 of 30 rows are positive; 10 and 4 of the others fill three batches of 8.
    assert list(history["images"]) == [24, 24]
    provenance = read_json(tmp_path / "provenance.json")
    assert provenance["settings"]["sampling"] == recipe["sampling"]
    assert provenance["stages"][1]["shape"] == [32, 32, 3]


def losses_with(data: ShardSet, folder: Path, positive: float, negative: float) -> tuple[float, float]:
    """Loss of the training rows and of the held-out rows with class weights, by weights that do not change."""
    folder.mkdir()
    weights = {"name": "sick", "positives": 1, "negatives": 1}
    weights |= {"positive_weight": positive, "negative_weight": negative}
    write_json(folder / "weights.json", {"method": "balanced", "classes": [weights]})
    weighted = replace(data, class_weights=folder / "weights.json")
    run(weighted, folder, trainable="head", epochs=1, learning_rate=1e-12)
    history = read_table(folder / "history.csv", HISTORY, key=("epoch",))
    return history["loss"][0], history["val_loss"][0]


def test_the_class_weights_of_the_fold_weigh_its_loss(trained: Trained, tmp_path: Path) -> None:
    """Row 23: the loss is a weighted sum of the losses of positives and of negatives, in training and validation."""
    parts = [losses_with(trained.data, tmp_path / name, *pair) for name, pair in (("p", (1, 0)), ("n", (0, 1)))]
    both = losses_with(trained.data, tmp_path / "both", 3.0, 0.5)
    expected = [3 * of_positives + 0.5 * of_negatives for of_positives, of_negatives in zip(*parts, strict=True)]
    assert both == pytest.approx(expected)
    assert min(min(part) for part in parts) > 0.01


def fold_training(
    data: ShardSet, fold: int, seed: int, *, columns: dict[str, MetadataColumnConfig] | None = None
) -> FoldTraining:
    """The training of a fold, whose batches and network can be looked at."""
    settings = settings_of(fold, columns, seed=seed, batch_norm_momentum=0.9)
    opened = open_fold(settings, shards=data.paths, manifests=data.manifests, folds=data.folds)
    return FoldTraining(settings, opened, use_device("cpu", threads=1), loss=None, checkpoints=None, threads=1)


def test_weights_order_and_augmentation_depend_on_seed_plus_fold(trained: Trained, tmp_path: Path) -> None:
    """Row 10: fold 1 with seed 11 begins as fold 2 with seed 10 does on the same rows, and not as with seed 11."""
    table = read_table(trained.data.folds, FOLDS)
    table["fold"] = table["fold"].map({0: 0, 1: 2, 2: 1})
    write_table(table, tmp_path / "folds.csv", FOLDS)
    renamed = replace(trained.data, folds=tmp_path / "folds.csv")
    trainings = [fold_training(*given) for given in ((trained.data, 1, 11), (renamed, 2, 10), (renamed, 2, 11))]
    first, same, other = (
        [
            [array.tobytes() for array in training._build_network("float32").get_weights() if array.std() > 0],
            [array.numpy().tobytes() for array in tf.nest.flatten(next(iter(training._batches(0))))],
            training.augmented_samples(),
        ]
        for training in trainings
    )
    assert first == same
    for found, expected in zip(other, first, strict=True):
        assert found != expected
    assert set(first[0]).isdisjoint(other[0])


def test_metadata_are_scaled_by_the_training_rows_of_the_fold(trained: Trained, tmp_path: Path) -> None:
    """Row 4, corrected: the values of held-out rows do not count."""
    table = read_table(trained.data.folds, FOLDS)
    table["age"] = table["fold"].map({0: "10", 1: "90", 2: "30"})
    write_table(table, tmp_path / "folds.csv", FOLDS)
    data = replace(trained.data, folds=tmp_path / "folds.csv")
    columns = {"age": MetadataColumnConfig("numeric")}
    found = [fold_training(data, fold, 1, columns=columns)._data.encoding.columns[0] for fold in (0, 1)]
    assert [(column.mean, column.deviation) for column in found] == [(60, 30), (20, 10)]


def test_the_network_gets_the_momentum_of_the_configuration(trained: Trained) -> None:
    network = fold_training(trained.data, 1, 11)._build_network("float32")
    norms = [layer for layer in network.submodules if isinstance(layer, tf_keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {0.9}


def test_the_precision_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A fold that was interrupted resumes in its precision, whatever is faster now."""
    data = write_shards(tmp_path / "shards")
    tried: list[str] = []

    def measured(trainer: Trainer, *, fastest: str) -> float:
        tried.append(trainer.state.precision.name)
        assert trainer._network.get_layer("conv_head").dtype_policy.name == tried[-1]
        return 2.0 if tried[-1] == fastest else 1.0

    fold = {"precision": "auto", "trainable": "head", "epochs": 1}
    monkeypatch.setattr(Trainer, "images_per_second", partialmethod(measured, fastest="mixed_bfloat16"))
    with monkeypatch.context() as patch:
        # Like a process that is killed before its outputs are built.
        patch.setattr(Checkpoints, "remove", Checkpoints.close)
        run(data, tmp_path, **fold)
    assert tried == ["float32", "mixed_bfloat16"]
    monkeypatch.setattr(Trainer, "images_per_second", partialmethod(measured, fastest="float32"))
    with caplog.at_level(logging.INFO):
        run(data, tmp_path, **fold)
    assert len(tried) == 2
    assert "precision mixed_bfloat16, as before the interruption" in caplog.text
    provenance = read_json(tmp_path / "provenance.json")
    assert provenance["settings"]["precision"] == "auto"
    assert provenance["precision"] == "mixed_bfloat16"
    assert provenance["precision_trial"] == {"float32": 1.0, "mixed_bfloat16": 2.0}


def test_data_that_do_not_fit_are_errors_before_the_training(tmp_path: Path) -> None:
    data = write_shards(tmp_path / "shards")
    with pytest.raises(FoldlineError, match="no rows in fold 7; remove the file"):
        run(data, tmp_path, fold=7)
    with pytest.raises(FoldlineError, match="the model reads 64 px"):
        run(data, tmp_path, image_size=64)
    cut_last_record(data.paths[0])
    with pytest.raises(FoldlineError, match=r"00000-of-00002\.tfrec"):
        run(data, tmp_path)
    assert not (tmp_path / "weights.weights.h5").exists()
