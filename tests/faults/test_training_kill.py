"""A fold that is killed again and again goes on each time where it was, and ends in the bytes of an unbroken one."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures.project import REPOSITORY
from fixtures.settings import model_settings
from fixtures.shards import ShardSet, write_shards
from predict_oof import predict_oof

pytestmark = [pytest.mark.faults, pytest.mark.slow]

FOLD = 1
PATIENCE_SECONDS = 900
SETTINGS = model_settings(
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
SCRIPT = """
import json, sys
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
from foldline.step import step
from train_fold import train_fold
job = SimpleNamespace(input=SimpleNamespace(key={key!r}), output=SimpleNamespace(built={built!r}), log=[{log!r}])
with step(job) as done:
    train_fold(key=done.key, when_built=done.when_built, **json.loads({arguments!r}))
"""


class Fold:
    """A fold that is trained by processes of its own, in a folder of its own."""

    def __init__(self, folder: Path, data: ShardSet):
        self.folder, self._data = folder, data
        folder.mkdir()
        (folder / "fold.key").write_text("thekey\n")
        outputs = ("weights.weights.h5", "metadata.json", "samples.png", "history.csv", "provenance.json", "events")
        arguments: dict[str, Any] = {name.partition(".")[0]: str(folder / name) for name in outputs}
        arguments |= {
            "shards": [str(path) for path in data.paths],
            "manifests": [str(path) for path in data.manifests],
            "folds": str(data.folds),
            "class_weights": str(data.class_weights),
            "threads": 2,
            "model": "tiny",
            "fold": FOLD,
            "settings": SETTINGS,
            "metadata_columns": {},
            "class_names": ["sick"],
            "link": "sigmoid",
            "accelerator": "cpu",
            "checkpoints": {"folder": str(folder / "checkpoints"), "seconds": 0, "share": 1},
        }
        paths = {name: str(folder / f"fold.{name}") for name in ("key", "built", "log")}
        self._code = SCRIPT.format(scripts=str(REPOSITORY / "scripts"), arguments=json.dumps(arguments), **paths)

    def start(self) -> subprocess.Popen[bytes]:
        """Start to train; the process says nothing, its log does."""
        return subprocess.Popen([sys.executable, "-c", self._code], stderr=subprocess.DEVNULL)

    def steps(self) -> int:
        """The step of the newest checkpoint; 0 without any."""
        return max((int(path.stem) for path in self.folder.glob("checkpoints/thekey/*.snapshot")), default=0)

    def log(self) -> str:
        """What the last process logged."""
        return (self.folder / "fold.log").read_text()

    def predictions(self) -> bytes:
        """Out-of-fold predictions of the trained model."""
        path = self.folder / "oof.csv"
        predict_oof(
            shards=self._data.paths,
            manifests=self._data.manifests,
            folds=self._data.folds,
            weights=self.folder / "weights.weights.h5",
            metadata=self.folder / "metadata.json",
            predictions=path,
            threads=2,
            model="tiny",
            fold=FOLD,
            settings=SETTINGS,
            class_names=["sick"],
            link="sigmoid",
            views=1,
            batch_size=16,
            accelerator="cpu",
        )
        return path.read_bytes()


def wait_until(happened: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert running.poll() is None, "the training ended before it was interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.0005)


def kill_when(fold: Fold, happened: Callable[[], bool], number: signal.Signals = signal.SIGKILL) -> int:
    """Train until something happens, send a signal then; gives the exit code."""
    running = fold.start()
    try:
        wait_until(happened, running)
        running.send_signal(number)
        return running.wait(PATIENCE_SECONDS)
    finally:
        running.kill()
        running.wait()


def test_a_fold_that_was_killed_five_times_gives_the_predictions_of_an_unbroken_one(tmp_path: Path) -> None:
    data = write_shards(tmp_path / "shards")
    unbroken, broken = Fold(tmp_path / "unbroken", data), Fold(tmp_path / "broken", data)
    assert unbroken.start().wait(PATIENCE_SECONDS) == 0
    assert not (unbroken.folder / "checkpoints" / "thekey").exists()

    # 12 epochs of 30 rows in batches of 8 are 45 steps.
    draw = random.Random(5)
    for at in sorted(draw.sample(range(1, 30), 3)):
        pause = draw.random() * 0.2
        assert kill_when(broken, lambda at=at, pause=pause: broken.steps() >= at and not time.sleep(pause)) == -9
    # While a checkpoint is written.
    kept = broken.steps()
    half_written = lambda: broken.steps() > kept and any(broken.folder.glob("checkpoints/thekey/.*.part"))  # noqa: E731
    assert kill_when(broken, half_written) == -9
    # Asked to leave, it keeps the step it is in.
    kept = broken.steps()
    assert kill_when(broken, lambda: broken.steps() > kept, signal.SIGTERM) == 75
    assert "stopped by SIGTERM; the same command goes on from" in broken.log()
    # The newest generation is damaged.
    newest = max(broken.folder.glob("checkpoints/thekey/*.snapshot"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert not (broken.folder / "fold.built").exists()
    assert broken.start().wait(PATIENCE_SECONDS) == 0
    assert f"{newest}: cut or damaged" in broken.log()
    assert "goes on from step" in broken.log()
    assert not (broken.folder / "checkpoints" / "thekey").exists()

    for name in ("weights.weights.h5", "provenance.json", "samples.png"):
        assert (broken.folder / name).read_bytes() == (unbroken.folder / name).read_bytes()
    assert broken.predictions() == unbroken.predictions()
