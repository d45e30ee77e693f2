"""CPU time of sharding large images: `shard_records` against the usual loop, one after the other.

Run as python tests/benchmark/sharding.py IMAGE_FOLDER [--count 300] [--size 384] [--channels red green blue yellow].
The images of the folder are repeated until there are `count`, each with its own id; with `--channels`, the folder holds
samples of gray files ID_CHANNEL.png. The loop decodes full images with OpenCV, averages over areas, encodes JPEG 95 and
writes with TensorFlow, image by image. Of JPEG files, a third method reads them and decodes them at the reduced scale,
and does no more: no sharder is faster. Each method runs in its own process, once with `count` images and once with a
fifth of them, so that start-up time can be subtracted, in several turns. The output lists images per CPU-second of the
process and its children, the same without start-up (of the least CPU times of all turns), the largest resident set of a
process, and the PSNR in dB against a full decode and area averages without JPEG (mean over the images of the folder).
With `--before COMMIT`, the sharder of that commit and this one run in turns; the output is the ratio of their CPU
times, the median of several pairs, and whether both wrote the same bytes.
"""

import argparse
import io
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

from foldline.dataset.channels import CHANNEL, image_features, image_paths, joint_digest  # noqa: E402
from foldline.io.files import sha256_of_file  # noqa: E402
from foldline.io.tables import INVENTORY, TEXT, write_table  # noqa: E402
from foldline.tfrecords.example_proto import decode_example  # noqa: E402
from foldline.tfrecords.record_files import read_records  # noqa: E402

QUALITY = 95
THREADS = 2
# Of runs before and now, and of all methods.
PAIRS, TURNS = 5, 3

# Its first argument is the folder `scripts`; settings that its code does not know yet are left out.
OURS = f"""
import dataclasses, sys
scripts, inventory, images, records, size, *channels = sys.argv[1:]
sys.path.insert(0, scripts)
from foldline.images.options import ImageOptions
from foldline.tfrecords.shard_config import ShardConfig
from shard_records import Outputs, shard_records
settings = dict(
    root=images, channels=tuple(channels), image_feature="image", aspect="stretch", jpeg_quality={QUALITY},
    metadata_columns=(), locations=inventory, reading=ImageOptions(page=1),
)
known = {{field.name: settings[field.name] for field in dataclasses.fields(ShardConfig) if field.name in settings}}
shard_records(
    inventory=[inventory], outputs=Outputs(records, records + ".json"), split="train", shard="00000-of-00001",
    size=int(size), threads={THREADS}, config=ShardConfig(**known),
)
"""
LOOP = f"""
import sys
import cv2, pandas, tensorflow as tf
inventory, images, records, size, *channels = sys.argv[1:]
kind = cv2.IMREAD_GRAYSCALE if channels else cv2.IMREAD_COLOR
def feature(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
with tf.io.TFRecordWriter(records) as writer:
    for row in pandas.read_csv(inventory, dtype=str).itertuples():
        encoded = {{}}
        for channel in channels or ["image"]:
            image = cv2.imread(images + "/" + row.path.replace("{{channel}}", channel), kind)
            image = cv2.resize(image, (int(size), int(size)), interpolation=cv2.INTER_AREA)
            data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, {QUALITY}))[1].tobytes()
            encoded[channel] = feature(data)
        features = {{**encoded, "image_name": feature(row.id.encode()), "patient_id": feature(row.group.encode()),
                    "target": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(row.target)]))}}
        writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
"""
DECODE = """
import sys
import pandas, simplejpeg
inventory, images, records, size, *channels = sys.argv[1:]
for row in pandas.read_csv(inventory, dtype=str).itertuples():
    with open(images + "/" + row.path, "rb") as file:
        simplejpeg.decode_jpeg(file.read(), "RGB", min_height=int(size), min_width=int(size))
"""


@dataclass(frozen=True)
class Cost:
    """Cost of a run: CPU seconds with all children, wall seconds, largest resident set of its processes in MB."""

    cpu: float
    wall: float
    main_mb: float
    worker_mb: float


def run(code: str, arguments: list[str]) -> Cost:
    """Run Python code in a new process and measure it and its children."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    peaks: dict[int, int] = {}
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode:
        raise SystemExit(f"a run exited with {process.returncode}")
    main = peaks.pop(process.pid)
    return Cost(
        usage.ru_utime + usage.ru_stime, time.monotonic() - started, main / 1e6, max(peaks.values(), default=0) / 1e6
    )


def _watch(pid: int, peaks: dict[int, int]) -> None:
    """Record the largest resident set in bytes of each process of a tree until its root exits."""
    try:
        root = psutil.Process(pid)
        while root.status() != psutil.STATUS_ZOMBIE:
            for process in (root, *root.children(recursive=True)):
                try:
                    peaks[process.pid] = max(peaks.get(process.pid, 0), process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        return


def samples_of(folder: Path, channels: Sequence[str]) -> list[list[Path]]:
    """Sorted files of each sample of a folder: one, or one for each channel."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if not channels:
        return [[path] for path in files]
    names = sorted({path.stem.rpartition("_")[0] for path in files})
    return [[folder / f"{name}_{channel}.png" for channel in channels] for name in names]


def write_inventory(folder: Path, work: Path, count: int, channels: Sequence[str]) -> Path:
    """Repeat the samples of a folder until there are `count` ids in `work`; return the inventory table."""
    samples = samples_of(folder, channels)
    (work / "images").mkdir(exist_ok=True)
    digests = {files[0]: joint_digest([sha256_of_file(path) for path in files]) for files in samples}
    rows = []
    for number, files in zip(range(count), itertools.cycle(samples), strict=False):
        name = f"{number:05d}"
        path = f"{name}_{CHANNEL}.png" if channels else name + files[0].suffix
        for name_of_link, file in zip(image_paths(path, channels), files, strict=True):
            if not (work / "images" / name_of_link).exists():
                (work / "images" / name_of_link).symlink_to(file.resolve())
        size = sum(file.stat().st_size for file in files)
        known = {"id": name, "target": "0", "group": name, "path": path, "bytes": size, "sha256": digests[files[0]]}
        rows.append({column: known.get(column, "" if kind == TEXT else 0) for column, kind in INVENTORY.items()})
    table = work / f"inventory{count}.csv"
    kinds = {name: kind for name, kind in INVENTORY.items() if kind != TEXT}
    write_table(pd.DataFrame(rows).astype(kinds), table, INVENTORY)
    return table


def similarity(records: Path, images: Path, size: int, distinct: int, channels: Sequence[str]) -> tuple[float, float]:
    """Mean and least PSNR in dB of the first `distinct` ids against full decode and area average."""
    decibels = []
    for data in read_records(records):
        features = decode_example(data)
        name = features["image_name"][0].decode()
        if int(name[:5]) >= distinct:
            continue
        for feature in image_features(channels):
            kind = cv2.IMREAD_GRAYSCALE if channels else cv2.IMREAD_COLOR
            source = cv2.imread(str(next(images.glob(f"{name}_{feature}.png" if channels else f"{name}.*"))), kind)
            wanted = cv2.resize(source.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
            found = cv2.imdecode(np.frombuffer(features[feature][0], np.uint8), kind)
            decibels.append(10 * np.log10(255**2 / np.mean((wanted - found) ** 2)))
    return float(np.mean(decibels)), float(np.min(decibels))


def compare(folder: Path, count: int, size: int, channels: Sequence[str]) -> None:
    """Run all methods in turns and print their costs."""
    work = Path(tempfile.mkdtemp(prefix="foldline-sharding-"))
    methods = {"loop": LOOP, "shard_records": OURS}
    if all(files[0].suffix in (".jpg", ".jpeg") for files in samples_of(folder, channels)):
        methods["decode alone"] = DECODE
    try:
        few = max(1, count // 5)
        tables = {number: write_inventory(folder, work, number, channels) for number in (few, count)}
        costs: dict[tuple[str, int], list[Cost]] = {}
        for _ in range(TURNS):
            for (name, code), number in itertools.product(methods.items(), tables):
                arguments = [str(tables[number]), str(work / "images"), str(work / name), str(size), *channels]
                cost = run(code, [str(SCRIPTS), *arguments] if code is OURS else arguments)
                costs.setdefault((name, number), []).append(cost)
        rates = {}
        for name in methods:
            short, long = (min(costs[name, number], key=lambda cost: cost.cpu) for number in (few, count))
            rates[name] = count / long.cpu, (count - few) / (long.cpu - short.cpu)
            print(
                f"{name:14} {rates[name][0]:6.1f} images per CPU-second, {rates[name][1]:6.1f} without start-up; "
                f"{long.cpu:.1f} s CPU, {long.wall:.1f} s wall; main process {long.main_mb:.0f} MB, "
                f"worker {long.worker_mb:.0f} MB"
            )
        distinct = min(count, len(samples_of(folder, channels)))
        for name in ("loop", "shard_records"):
            mean, least = similarity(work / name, work / "images", size, distinct, channels)
            print(f"{name:14} {mean:.2f} dB, at least {least:.2f} dB")
        for name in methods.keys() - {"shard_records"}:
            ratios = [ours / other for ours, other in zip(rates["shard_records"], rates[name], strict=True)]
            print(f"shard_records / {name}: {ratios[0]:.2f} per CPU-second, {ratios[1]:.2f} without start-up")
    finally:
        shutil.rmtree(work)


def compare_with(commit: str, folder: Path, count: int, size: int, channels: Sequence[str]) -> None:
    """Run the sharder of another commit and this one in turns, and print how many times as fast this one is."""
    work = Path(tempfile.mkdtemp(prefix="foldline-sharding-"))
    try:
        archive = subprocess.run(
            ["git", "archive", commit, "scripts"], cwd=SCRIPTS.parent, capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extractall(work, filter="data")
        few = max(1, count // 5)
        tables = {number: write_inventory(folder, work, number, channels) for number in (few, count)}
        whole, alone, written = [], [], set()
        for pair in range(PAIRS):
            cpu = {}
            for scripts in (work / "scripts", SCRIPTS)[:: 1 if pair % 2 else -1]:
                for number, table in tables.items():
                    arguments = [scripts, table, work / "images", work / "records", size, *channels]
                    cpu[scripts, number] = run(OURS, [str(argument) for argument in arguments]).cpu
                    written.add((number, sha256_of_file(work / "records")))
            before, now = ([cpu[scripts, few], cpu[scripts, count]] for scripts in (work / "scripts", SCRIPTS))
            whole.append(before[1] / now[1])
            alone.append((before[1] - before[0]) / (now[1] - now[0]))
            print(
                f"{commit} {before[1]:.1f} s CPU, now {now[1]:.1f} s: {whole[-1]:.3f}, {alone[-1]:.3f} without start-up"
            )
        print(
            f"{folder} at {size}, {count} images, median of {PAIRS} pairs: {statistics.median(whole):.3f} times "
            f"as fast as {commit}, {statistics.median(alone):.3f} without start-up; "
            f"{'the same bytes' if len(written) == len(tables) else 'other bytes'}"
        )
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--channels", nargs="+", default=[])
    parser.add_argument("--before", metavar="COMMIT")
    arguments = parser.parse_args()
    chosen = (arguments.folder, arguments.count, arguments.size, arguments.channels)
    if arguments.before:
        compare_with(arguments.before, *chosen)
    else:
        compare(*chosen)
