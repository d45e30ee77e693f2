"""Wall time of a shard whose images are on slow storage: read one after the other, and in parallel.

Run as python tests/benchmark/slow_storage.py IMAGE_FOLDER [--count 64] [--size 224] [--delay 50]. Each read of an image
waits for DELAY ms more, as a network disk or a bucket may. One process makes the shard, with and without threads that
read ahead, and from the disk without delay. Prints the seconds of each, and whether all wrote the same bytes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path[:0] = [str(SCRIPTS), str(Path(__file__).resolve().parent)]

from foldline.io import read_ahead  # noqa: E402
from foldline.io.files import sha256_of_file  # noqa: E402
from foldline.tfrecords import image_reading  # noqa: E402
from foldline.tfrecords.shard_config import ShardConfig  # noqa: E402
from shard_records import Outputs, shard_records  # noqa: E402
from sharding import QUALITY, write_inventory  # noqa: E402


def seconds(work: Path, inventory: Path, size: int, *, delay: float, readers: int) -> float:
    """Wall time of one shard; each read takes `delay` seconds more, and `readers` of them run at a time."""
    read = image_reading.read

    def slow_read(path: str) -> bytes:
        time.sleep(delay)
        return read(path)

    image_reading.read, read_ahead.READERS = slow_read if delay else read, readers
    read_ahead.WAIT_SECONDS = 0.005 if readers > 1 else float("inf")
    config = ShardConfig(str(work / "images"), (), "image", "stretch", QUALITY, (), locations=str(inventory))
    outputs = Outputs(work / "records", work / "records.json")
    started = time.monotonic()
    try:
        shard_records(
            inventory=[inventory],
            outputs=outputs,
            split="train",
            shard="00000-of-00001",
            size=size,
            config=config,
            threads=1,
        )
    finally:
        image_reading.read = read
    return time.monotonic() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--delay", type=float, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="foldline-slow-") as folder:
        table = write_inventory(arguments.folder, Path(folder), arguments.count, [])
        digests = set()
        for words, delay, readers in (("disk", 0, 1), ("slow", arguments.delay, 1), ("slow", arguments.delay, 8)):
            took = seconds(Path(folder), table, arguments.size, delay=delay / 1000, readers=readers)
            digests.add(sha256_of_file(Path(folder) / "records"))
            print(f"{words}, {readers} at a time: {took:.2f} s")
        print("the same bytes" if len(digests) == 1 else "other bytes")
