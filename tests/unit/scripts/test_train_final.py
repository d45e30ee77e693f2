"""The final model is trained on the rows of all folds, for as many epochs as the folds selected."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.settings import fold_configs
from fixtures.shards import ShardSet, write_shards
from foldline.io.files import digest_of, read_json, write_json
from foldline.io.result_paths import FINAL
from foldline.io.tables import FOLDS, read_table, write_table
from foldline.step import Step
from foldline.training.fold_training import FoldSettings
from foldline.training.history import HISTORY_OF_FINAL
from foldline.training.schedules import make_schedule
from foldline.training.training_config import CheckpointConfig
from train_final import train_final
from train_fold import Inputs, Outputs

pytestmark = pytest.mark.usefixtures("short_lite0")

SELECTED = {"fold0": 1, "fold1": 4, "fold0-repeat2": 2}
MODEL, TRAINING = fold_configs(
    backbone="efficientnet-lite0",
    weights="none",
    trainable="head",
    epochs=5,
    batch_size=8,
    schedule={"name": "cosine"},
    select_epoch="best",
    early_stopping={"patience": 1, "min_delta": 1.0},
    seed=11,
)

SETTINGS = FoldSettings(
    model="a",
    member=FINAL,
    model_config=MODEL,
    training_config=TRAINING,
    metadata_columns={},
    class_names=("sick",),
    activation="sigmoid",
    accelerator="cpu",
    checkpoints=CheckpointConfig("none", seconds=600, share=1),
)


def run(data: ShardSet, folder: Path) -> None:
    """Train the final model."""
    provenances = [folder / "a" / name / "provenance.json" for name in SELECTED]
    for path in provenances:
        write_json(path, {"selected_epoch": SELECTED[path.parent.name]})
    checkpoints = CheckpointConfig(str(folder / "checkpoints"), seconds=600, share=1)
    settings = replace(SETTINGS, checkpoints=checkpoints)
    outputs = Outputs(
        weights=folder / "weights.weights.h5",
        metadata=folder / "metadata.json",
        samples=None,
        history=folder / "history.csv",
        provenance=folder / "provenance.json",
        events=folder / "events",
    )
    built: list[Callable[[], None]] = []
    inputs = Inputs(data.paths, data.manifests, data.folds, data.class_weights)
    train_final(inputs, outputs, settings, provenances=provenances, threads=1, job=Step("key", built.append))
    for function in built:
        function()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    """Shards of 45 rows: 15 of each of two folds, and 15 of the holdout."""
    data = write_shards(tmp_path_factory.mktemp("shards"))
    table = read_table(data.folds, FOLDS)
    table.loc[table["fold"] == 2, "fold"] = -2
    path = data.folds.with_name("with_holdout.csv")
    write_table(table, path, FOLDS)
    return replace(data, folds=path)


@pytest.fixture(scope="module")
def folder(data: ShardSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the final model."""
    folder = tmp_path_factory.mktemp("final")
    run(data, folder)
    return folder


def test_all_rows_but_the_holdout_are_trained_on(data: ShardSet, folder: Path) -> None:
    provenance = read_json(folder / "provenance.json")
    assert provenance["train_ids_sha256"] == digest_of(data.ids(2, held_out=False))
    assert (provenance["train_rows"], provenance["validation_rows"], provenance["fold"]) == (30, 0, None)


def test_it_ends_after_the_median_of_the_selected_epochs_at_the_rates_of_the_folds(folder: Path) -> None:
    """Nothing stops it before, although the settings stop folds early."""
    history = read_table(folder / "history.csv", HISTORY_OF_FINAL, key=("epoch",))
    assert not {"val_loss", "val_auc"} & set(history)
    assert list(history["epoch"]) == [1, 2]
    assert list(history["images"]) == [24, 32]
    rates = make_schedule(TRAINING.schedule, learning_rate=1e-3, epochs=5, steps_per_epoch=30 / 8)
    assert history["learning_rate"].tolist() == [rates.rate(2), rates.rate(6)]
    provenance = read_json(folder / "provenance.json")
    assert provenance["epochs_of_folds"] == {"0": 1, "1": 4, "0-repeat2": 2}
    assert provenance["epochs_run"] == provenance["selected_epoch"] == 2


def test_equal_rows_give_equal_weights(data: ShardSet, folder: Path, tmp_path: Path) -> None:
    run(data, tmp_path)
    names = ("weights.weights.h5", "events")
    assert (tmp_path / names[0]).read_bytes() == (folder / names[0]).read_bytes()
    assert all((tmp_path / name).stat().st_size for name in names)


def test_a_median_between_two_epochs_is_rounded_up() -> None:
    for epochs, last in (([3], 3), ([1, 9, 4], 4), ([1, 2], 2), ([10, 4, 7, 20], 9), ([], None)):
        of_folds = {str(fold): epoch for fold, epoch in enumerate(epochs)}
        assert replace(SETTINGS, epochs_of_folds=of_folds).last_epoch == last
