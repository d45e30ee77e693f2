"""A fold that is killed again and again resumes each time, and its results are those of an unbroken one."""

import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from fixtures.settings import fold_configs
from fixtures.shards import write_shards
from fixtures.training import PATIENCE_SECONDS, Fold, kill_when

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CONFIGS = fold_configs(
    backbone="efficientnet-lite0",
    weights="none",
    trainable="head",
    epochs=12,
    batch_size=8,
    select_epoch="best",
    early_stopping={"patience": 11},
    schedule={"name": "plateau", "patience": 2},
    hidden=[{"units": 8, "dropout": 0.3}],
    augment={"rotation": [15, 180], "brightness": 0.1, "cutmix": {"probability": 0.3}},
    ema_decay=0.9,
    seed=11,
)


@pytest.mark.usefixtures("short_lite0")
def test_a_fold_killed_three_times_gives_the_results_of_an_unbroken_one(tmp_path: Path) -> None:
    data = write_shards(tmp_path / "shards")
    unbroken, broken = (Fold(tmp_path / name, data, CONFIGS, short=True) for name in ("unbroken", "broken"))
    assert unbroken.start().wait(PATIENCE_SECONDS) == 0
    assert not (unbroken.folder / "checkpoints" / "tiny.fold1.thekey").exists()

    # 12 epochs of 30 rows in batches of 8 are 45 steps.
    draw = random.Random(5)
    at, pause = draw.randrange(1, 30), draw.random() * 0.2
    assert kill_when(broken, lambda: broken.steps() >= at and not time.sleep(pause)) == -9
    # While a checkpoint is written.
    saved = broken.steps()
    half_written = lambda: broken.steps() > saved and any(broken.folder.glob("checkpoints/tiny.fold1.thekey/.*.part"))  # noqa: E731
    assert kill_when(broken, half_written) == -9
    # A stop request: it saves the step it is in.
    saved = broken.steps()
    assert kill_when(broken, lambda: broken.steps() > saved, signal.SIGTERM) == 75
    assert "stopped by SIGTERM; run the same command again to resume from" in broken.log()
    # The newest generation is corrupt.
    newest = max(broken.folder.glob("checkpoints/tiny.fold1.thekey/*.snapshot"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert not (broken.folder / "fold.built").exists()
    assert broken.start().wait(PATIENCE_SECONDS) == 0
    assert f"{newest}: truncated or corrupt" in broken.log()
    assert "resuming from the checkpoint at step" in broken.log()
    assert not (broken.folder / "checkpoints" / "tiny.fold1.thekey").exists()

    # The history shows every epoch; the weights may be those of an early one.
    histories = [pd.read_csv(fold.folder / "history.csv").drop(columns="seconds") for fold in (unbroken, broken)]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    for name in ("weights.weights.h5", "provenance.json", "samples.png"):
        assert (broken.folder / name).read_bytes() == (unbroken.folder / name).read_bytes()
    assert broken.predictions() == unbroken.predictions()
