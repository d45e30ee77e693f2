"""Peak memory, CPU and wall time of every rule, from the benchmark files of a run; or memory of large images.

Run as python tests/benchmark/peak_memory.py [FOLDER] or python tests/benchmark/peak_memory.py --images.
Prints one row per rule: jobs, the largest resident set of a job (MB, children included), and medians of CPU and wall
seconds. With --images, it makes large images of several kinds, scans and shards some of each with two workers, and
prints the resident sets of the three processes together beside what the rules request (`mem_mb`).
"""

import argparse
import csv
import io
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.images.headers import read_header
from foldline.images.options import ImageOptions, decoded_mb, memory_mb
from sharding import OURS, SCRIPTS, run, write_inventory

# Of each kind of image: two workers decode some, one after the other.
COPIES = 6
SCAN = f"""
import functools, sys
sys.path.insert(0, {str(SCRIPTS)!r})
from foldline.images.options import ImageOptions
from foldline.io.workers import ordered_map
from foldline.tfrecords.image_sources import scan_sample
scan = functools.partial(scan_sample, image_feature="image", gray=False, reading=ImageOptions(page=1))
assert not any(found.cells["problem"] for found in ordered_map(scan, [[path] for path in sys.argv[1:]], workers=2))
"""


def rows_by_rule(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Benchmark rows of all jobs in a folder, by rule."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        with path.open(newline="", encoding="utf-8") as handle:
            rows[path.relative_to(folder).parts[0].removesuffix(".tsv")].extend(csv.DictReader(handle, delimiter="\t"))
    return rows


def table(rows: dict[str, list[dict[str, str]]]) -> str:
    """Markdown table of the rules; values that were not measured (jobs shorter than the sampling) are left out."""
    lines = ["| rule | jobs | peak MB | CPU s | wall s |", "|---|---:|---:|---:|---:|"]
    for rule, jobs in rows.items():
        peak = max(_numbers(jobs, "max_rss"), default=float("nan"))
        cpu, wall = (statistics.median(_numbers(jobs, name) or [float("nan")]) for name in ("cpu_time", "s"))
        lines.append(f"| `{rule}` | {len(jobs)} | {peak:.0f} | {cpu:.1f} | {wall:.1f} |")
    return "\n".join(lines)


def _numbers(jobs: list[dict[str, str]], name: str) -> list[float]:
    return [float(job[name]) for job in jobs if job[name] not in ("NA", "-", "")]


def large_images() -> Iterator[tuple[str, bytes]]:
    """Name and file of each kind."""
    random = np.random.default_rng(1)
    coarse = Image.fromarray(random.integers(0, 256, (200, 300, 3), dtype=np.uint8))
    photograph = coarse.resize((3000, 2000), Image.Resampling.BICUBIC)
    deep = np.asarray(photograph).astype(np.uint16) * 257
    yield "JPEG, 6 MP", _saved(photograph, "JPEG", quality=90)
    yield "JPEG in scans, 6 MP", _saved(photograph, "JPEG", quality=90, progressive=True, subsampling=0)
    yield "PNG, 6 MP", _saved(photograph, "PNG", compress_level=1)
    for name, pages, options in (
        ("TIFF of 16 bits, 6 MP", deep, {}),
        ("TIFF of 16 bits in one strip with deflate, 6 MP", deep, {"compression": "deflate", "rowsperstrip": 2000}),
        ("TIFF of 4 pages of 16 bits, 6 MP each", np.stack([deep] * 4), {}),
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, pages, metadata=None, photometric="rgb", **options)
        yield name, stream.getvalue()
    yield "PNG at the limit, 150 MP", _saved(Image.new("RGB", (15_000, 10_000), "red"), "PNG", compress_level=1)


def _saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def print_memory_of_images() -> None:
    """Scan and shard images of each kind, and print the memory of both beside what the rules request."""
    print("| images | scan MB | shards MB | mem_mb | mem_mb / peak |", "|---|---:|---:|---:|---:|", sep="\n")
    for name, data in large_images():
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "source").mkdir()
            (work / "source" / f"a.{name.split(maxsplit=1)[0].strip(',').lower()}").write_bytes(data)
            table = write_inventory(work / "source", work, COPIES, ())
            paths = sorted(map(str, (work / "images").iterdir()))
            shard = [str(SCRIPTS), str(table), str(work / "images"), str(work / "records"), "384"]
            peaks = [cost.main_mb + 2 * cost.worker_mb for cost in (run(SCAN, paths), run(OURS, shard))]
        header = read_header(data, ImageOptions(page=1))
        needed = decoded_mb(header.format, len(data), header.width * header.height)
        requested = memory_mb(min(ImageOptions().most_mb, needed), images=2)
        print(f"| {name} | {peaks[0]:.0f} | {peaks[1]:.0f} | {requested} | {requested / max(peaks):.2f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("benchmarks"))
    parser.add_argument("--images", action="store_true")
    arguments = parser.parse_args()
    if arguments.images:
        print_memory_of_images()
    else:
        print(table(rows_by_rule(arguments.folder)))
