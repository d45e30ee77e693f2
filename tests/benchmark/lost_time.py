"""Seconds of training that a kill costs with the default `checkpoints`: repeated work, and the restart.

    python tests/benchmark/lost_time.py [--kills 5] [--image-size 224] [--batch-size 16]

EfficientNet-Lite0 is trained whole on 160 images by processes that are killed (SIGKILL) 20 to 60 s after they began to
train. Repeated work is all work since the last checkpoint; the restart ends when the next process has resumed.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / name) for name in ("tests", "workflow", "scripts")]

from fixtures.settings import fold_configs  # noqa: E402
from fixtures.shards import write_shards  # noqa: E402
from fixtures.training import FOLD, Fold, wait_until  # noqa: E402

DEFAULT = {"seconds": 60, "share": 0.01}


def main(folder: Path, *, kills: int, image_size: int, batch_size: int) -> None:
    """Print the table."""
    configs = fold_configs(
        backbone="efficientnet-lite0", weights="none", image_size=image_size, batch_size=batch_size, epochs=10_000
    )
    fold = Fold(folder / "fold", write_shards(folder / "shards", rows=240, size=image_size), configs, **DEFAULT)
    draw = random.Random(1)
    print("| kill | restart, s | trained, s | repeated, s |\n|---:|---:|---:|---:|")
    for kill in range(kills):
        # Of the previous process.
        (fold.folder / "fold.log").unlink(missing_ok=True)
        start = time.monotonic()
        running = fold.start()
        wait_until(lambda: fold.steps() > 0 and (not kill or "resuming from the checkpoint" in fold.log()), running)  # noqa: B023
        began = time.monotonic()
        time.sleep(draw.uniform(20, 60))
        running.kill()
        running.wait()
        newest = max(fold.folder.glob(f"checkpoints/tiny.fold{FOLD}.thekey/*.snapshot"))
        trained, repeated = time.monotonic() - began, time.time() - newest.stat().st_mtime
        restart = f"{began - start:.1f}" if kill else ""
        print(f"| {kill + 1} | {restart} | {trained:.1f} | {repeated:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("kills", 5), ("image-size", 224), ("batch-size", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary), **vars(parser.parse_args()))
