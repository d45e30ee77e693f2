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

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "scripts"), str(Path(__file__).resolve().parents[1])]

from fixtures.dicom import dicom_file  # noqa: E402
from foldline.images.options import THUMBNAIL_SIDE, ImageOptions, memory_mb  # noqa: E402
from foldline.planning.image_content import content_of  # noqa: E402
from foldline.planning.image_facts import ImageFacts  # noqa: E402
from foldline.planning.workflow_plan import WorkflowPlan  # noqa: E402
from sharding import OURS, SCRIPTS, run, write_inventory  # noqa: E402

# Of each kind of image: two workers decode some, one after the other.
COPIES = 6
# Of the images of shards, in pixels.
SIDE = 384
SCAN = f"""
import functools, sys
sys.path.insert(0, {str(SCRIPTS)!r})
import scan_images
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
    color = np.asarray(photograph)
    gray, deep = np.ascontiguousarray(color[:, :, 0]), color.astype(np.uint16) * 257
    alpha = np.dstack([color, gray])
    yield "JPEG, 6 MP", _saved(photograph, "JPEG", quality=90)
    yield "JPEG in scans, 6 MP", _saved(photograph, "JPEG", quality=90, progressive=True, subsampling=0)
    yield "JPEG, 24 MP", _saved(photograph.resize((6000, 4000)), "JPEG", quality=90)
    yield "JPEG in scans, 24 MP", _saved(photograph.resize((6000, 4000)), "JPEG", quality=90, progressive=True)
    yield "PNG, 6 MP", _saved(photograph, "PNG", compress_level=1)
    yield "PNG with alpha, 6 MP", _saved(Image.fromarray(alpha), "PNG", compress_level=1)
    yield "PNG of 16 bits with alpha, 6 MP", imagecodecs.png_encode(alpha.astype(np.uint16) * 257, level=1)
    strip = {"compression": "deflate", "rowsperstrip": 2000}
    yield "TIFF, 6 MP", _tiff(color, photometric="rgb")
    yield "TIFF of 16 bits, 6 MP", _tiff(deep, photometric="rgb")
    yield "TIFF of 16 bits in one strip with deflate, 6 MP", _tiff(deep, photometric="rgb", **strip)
    yield "TIFF of 4 pages of 16 bits, 6 MP each", _tiff(np.stack([deep] * 4), photometric="rgb")
    yield (
        "TIFF of 16 bits in one strip with deflate, 24 MP",
        _tiff(np.tile(deep, (2, 2, 1)), photometric="rgb", **strip),
    )
    yield "DICOM of 16 bits, 6 MP", dicom_file(deep[:, :, 0])
    yield "DICOM of 12 bits, 24 MP", dicom_file(np.tile(deep[:, :, 0] >> 4, (2, 2)), BitsStored=12)
    yield "PNG of 8 bits, gray, 150 MP", _saved(Image.new("L", (15_000, 10_000), 9), "PNG", compress_level=1)
    yield "PNG at the limit, 150 MP", _saved(Image.new("RGB", (15_000, 10_000), "red"), "PNG", compress_level=1)


def _saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def _tiff(samples: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **options)
    return stream.getvalue()


def print_memory_of_images() -> None:
    """Scan and shard images of each kind, and print the memory of both beside what the rules request."""
    print("| images | scan MB | mem_mb | ratio | shards MB | mem_mb | ratio |", "|---|" + "---:|" * 6, sep="\n")
    for name, data in large_images():
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            (work / "source").mkdir()
            (work / "source" / f"a.{name.split(maxsplit=1)[0].strip(',').lower()}").write_bytes(data)
            table = write_inventory(work / "source", work, COPIES, ())
            paths = sorted(map(str, (work / "images").iterdir()))
            shard = [str(SCRIPTS), str(table), str(work / "images"), str(work / "records"), str(SIDE)]
            content = content_of(data, ImageOptions(page=1))
            facts = ImageFacts.of(paths[:1], [content], [len(data)], ())
            plan = WorkflowPlan(image_mb={"train": facts.image_mb(ImageOptions(page=1), 1)})
            cells = []
            for cost, side in ((run(SCAN, paths), THUMBNAIL_SIDE), (run(OURS, shard), SIDE)):
                peak = cost.main_mb + 2 * cost.worker_mb
                requested = memory_mb(plan.most_image_mb(["train"], 0, side=side), images=2)
                cells += [f"{peak:.0f}", f"{requested}", f"{requested / peak:.2f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("benchmarks"))
    parser.add_argument("--images", action="store_true")
    arguments = parser.parse_args()
    if arguments.images:
        print_memory_of_images()
    else:
        print(table(rows_by_rule(arguments.folder)))
