"""A trial does two steps of a training as it is, on a few rows that are repeated, and measures them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.settings import fold_configs
from fixtures.shards import ShardSet, write_shards
from foldline.errors import FoldlineError
from foldline.inference.prediction_config import PredictionConfig
from foldline.io.files import read_json
from foldline.io.result_paths import Member
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import open_shards
from foldline.training.checkpoints import Checkpoints
from foldline.training.fold_training import FoldSettings, open_fold
from foldline.training.losses import Loss, make_loss
from foldline.training.schedules import make_schedule
from foldline.training.training_config import CheckpointConfig
from foldline.training.trial import CURVE_POINTS, FoldTrial, Trial
from PIL import Image

pytestmark = pytest.mark.usefixtures("short_lite0")

MODEL: dict[str, Any] = {
    "backbone": "efficientnet-lite0",
    "weights": "none",
    "trainable": "head",
    "epochs": 3,
    # More than the 30 training rows of the shards.
    "batch_size": 40,
    "schedule": {"warmup_epochs": 1},
    "augment": {"rotation": [15], "mixup": {"probability": 0.5}},
    "select_epoch": "best",
}
ROWS = 4000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return write_shards(tmp_path_factory.mktemp("trial"))


def try_out(data: ShardSet, folder: Path, *, loss: Loss | None = None, **changes: Any) -> Trial:
    model_config, training_config = fold_configs(**{**MODEL, **changes})
    settings = FoldSettings(
        model="tiny",
        member=Member(1, 1),
        model_config=model_config,
        training_config=training_config,
        metadata_columns={},
        class_names=("sick",),
        activation="sigmoid",
        accelerator="cpu",
        checkpoints=CheckpointConfig(str(folder / "checkpoints"), seconds=600, share=1),
    )
    weights = read_json(data.class_weights)["classes"]
    trial = FoldTrial(
        settings,
        open_fold(settings, shards=data.paths, manifests=data.manifests, folds=data.folds),
        use_device("cpu", threads=1),
        loss=loss or make_loss(training_config.loss, weights, activation="sigmoid"),
        checkpoints=Checkpoints(settings.checkpoints, "trial", "0" * 64),
        threads=1,
    )
    predicted = open_shards(data.paths, data.manifests, image_size=32)
    return trial.try_out(predicted, PredictionConfig(views=2, batch_size=16), rows=ROWS, folder=folder)


@pytest.fixture(scope="module")
def tried(data: ShardSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Path]:
    folder = tmp_path_factory.mktemp("tried")
    return try_out(data, folder), folder


def test_a_trial_measures_steps_and_files(tried: tuple[Trial, Path]) -> None:
    trial, folder = tried
    speed = trial.speed
    assert len(trial.losses) == 2
    assert np.isfinite(trial.losses).all()
    assert min(speed.step, speed.batch, speed.predict, speed.start) > 0
    assert speed.predict_start >= 0
    assert speed.weights == (folder / "weights.weights.h5").stat().st_size
    # Two generations, each with the weights of the best epoch.
    (snapshot,) = (folder / "checkpoints").rglob("*.snapshot")
    assert speed.checkpoints == 2 * snapshot.stat().st_size
    assert snapshot.stat().st_size > 2 * 4 * trial.parameters
    assert speed.predictions == (folder / "predictions.parquet").stat().st_size / 45
    assert trial.precision == "float32"
    assert Image.open(io.BytesIO(trial.samples)).width > 8 * 32


def test_the_learning_rates_are_those_of_all_rows(tried: tuple[Trial, Path]) -> None:
    trial = tried[0]
    config = fold_configs(**MODEL)[1]
    schedule = make_schedule(config.schedule, learning_rate=config.learning_rate, epochs=3, steps_per_epoch=100)
    steps = [round(epoch * 100) for epoch, _ in trial.curve]
    assert steps[0] == 0
    assert steps[-1] == 299
    assert len(steps) == CURVE_POINTS
    assert [rate for _, rate in trial.curve] == pytest.approx([schedule.rate(step) for step in steps])


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (float("nan"), r"is not finite in step 0 .*lower learning_rate"),
        (0.0, r"is 0 in every step .*nothing is learned"),
    ],
    ids=["nan", "zero"],
)
def test_a_loss_that_cannot_be_learned_is_refused(factor: float, message: str, data: ShardSet, tmp_path: Path) -> None:
    def broken(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(logits, axis=1) * factor

    with pytest.raises(FoldlineError, match=f"tiny fold 1: the loss {message}"):
        try_out(data, tmp_path, loss=broken)
