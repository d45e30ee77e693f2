"""A fold's settings reach the training as the configuration has them."""

from types import SimpleNamespace

import yaml
from fixtures.example_config import CONFIG_FOLDER, SCHEMA
from fixtures.small_training import small_network
from foldline.dataset.sample_table import Row
from foldline.io.settings import build
from foldline.planning.configuration import complete, with_preset
from foldline.planning.data_index import DataIndex
from foldline.planning.plan import make_plan
from foldline.planning.raw_data import RawData
from foldline.planning.samples import Sample, Samples
from foldline.runtime.devices import Device, use_device
from foldline.runtime.precision import FLOAT32, Precision
from foldline.runtime.tensorflow import tf_keras
from foldline.training.fold_training import FoldSettings
from foldline.training.optimizer import make_optimizer


def melanoma_fold(fold: int) -> FoldSettings:
    """Settings of a fold that a plan of `config/melanoma.yaml` with the preset `seed` hands to train_fold."""
    config = yaml.safe_load((CONFIG_FOLDER / "melanoma.yaml").read_text())
    completed = complete(with_preset({**config, "preset": "seed"}, {}, SCHEMA), SCHEMA)
    metadata = ("50", "male", "torso")
    splits = {
        split: Samples.of(
            Sample(Row(2, f"{split}{number}", "01"[number % 2], f"{split}{number}", metadata), f"digest {number}", 1000)
            for number in range(10)
        )
        for split in ("train", "test")
    }
    tables = {split: f"{split}.csv" for split in splits}
    raw_data = RawData(splits, ["image_name", "target"], True, tables, "sample_submission.csv")
    plan = make_plan(completed, DataIndex.from_raw_data(raw_data))
    arguments = plan.arguments[f"train_fold fold={fold} model=b3"]
    return build(FoldSettings, {**arguments, "model": "b3", "member": {"repeat": 1, "fold": fold}})


def test_the_melanoma_preset_trains_with_the_numbers_of_the_notebook() -> None:
    """Row 10: Adam with 1e-3, 16 images per replica, 15 epochs, 384 px, seed 333.

    `batch_size` counts the images of all replicas together: 128 are 16 for each of the notebook's 8 TPU cores.
    """
    settings = melanoma_fold(0)
    training = settings.training_config
    optimizer = make_optimizer(small_network(), training, Precision(FLOAT32), use_device("cpu", threads=2))
    assert type(optimizer) is tf_keras.optimizers.Adam
    assert (training.learning_rate, training.epochs, training.seed) == (1e-3, 15, 333)
    assert (settings.model_config.image_size, settings.seed) == (384, 333)
    notebook = Device("tpu", "8 cores as in the notebook", SimpleNamespace(num_replicas_in_sync=8))
    notebook.check_batch_size(training.batch_size)
    assert training.batch_size // notebook.replicas == 16


def test_each_fold_has_a_seed_of_its_own() -> None:
    assert [melanoma_fold(fold).seed for fold in (0, 3)] == [333, 336]
