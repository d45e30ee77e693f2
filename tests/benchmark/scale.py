"""CPU time and peak memory of the steps that hold all rows of a data set, at a hundred thousand and a million rows.

    python tests/benchmark/scale.py [--rows 100000 1000000] [--classes 1 7] [--models 20] [--folds 5]
        [--steps make_folds audit_leaks blend_folds evaluate] [--hashes HASHES.NPY] [--thumbnail-bytes 8000]

The steps run as in the workflow, each in a process of its own that reads and writes all its tables: inventories and
thumbnails as `scan_images` writes them, and random predictions of the folds that `make_folds` has assigned. The audit
is that by hashes, without embeddings. A tenth as many test rows come on top. Groups have about 4 rows; 1 % of the
images are copies of a file, 1 % near copies. Hashes are random, as those of dermoscopy images almost are; with
--hashes, they are given ones, uint8 (n, 32), a quarter of whose bits is drawn again. `planning.py` measures dry runs.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from blend import BLEND, EVALUATE, run, write_predictions, write_sample_submission  # noqa: E402
from foldline.dataset.id_hash import shard_index, shard_name  # noqa: E402
from foldline.dataset.label_arrays import label_codes  # noqa: E402
from foldline.io.tables import FOLDS, INVENTORY, LEAKS, TEXT, read_table, write_table  # noqa: E402
from foldline.io.thumbnails import write_thumbnails  # noqa: E402
from foldline.planning.configuration import complete, read_schema  # noqa: E402
from foldline.planning.leak_plan import audit_settings  # noqa: E402

SCHEMA = SCRIPTS.parent / "config" / "config.schema.yaml"
STEPS = ("make_folds", "audit_leaks", "blend_folds", "evaluate")
ROWS_PER_SHARD, ROWS_PER_GROUP = 4096, 4
COPIES, NEAR_COPIES, FLIPPED_BITS = 0.01, 0.01, 6
# The share of each further class is this part of the one before it.
SHARE = 1 / 3
FOLDS_STEP = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from pathlib import Path
from make_folds import Inputs, make_folds
from foldline.splits.folds_config import FoldsConfig
folder, classes, count = Path(sys.argv[1]), tuple(sys.argv[2].split(",")), int(sys.argv[3])
make_folds(
    Inputs(sorted((folder / "inventory" / "train").iterdir()), folder / "leaks" / "train.parquet", {{}}, ()),
    folder / "folds.csv", FoldsConfig("grouped", count, 0, (), classes), dropped=folder / "dropped.csv",
)
"""
AUDIT_STEP = f"""
import json, sys
sys.path.insert(0, {str(SCRIPTS)!r})
from pathlib import Path
from audit_leaks import Inputs, audit_leaks
from foldline.io.settings import build
from foldline.splits.duplicates import LeakConfig
folder, split, settings = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
tables = {{
    kind: {{of.name: sorted(of.iterdir()) for of in (folder / kind).iterdir()}} for kind in ("inventory", "thumbnails")
}}
others = [] if split == "train" else ["train"]
audit_leaks(
    Inputs(
        tables["inventory"][split],
        {{name: tables["inventory"][name] for name in others}},
        {{name: tables["thumbnails"][name] for name in [*others, split]}},
        {{}},
    ),
    folder / "leaks" / f"{{split}}.parquet", folder / "leaks" / f"{{split}}.csv",
    split=split, config=build(LeakConfig, settings),
)
"""


@dataclass(frozen=True)
class Data:
    """What is made up."""

    rows: int
    classes: tuple[str, ...]
    given_hashes: np.ndarray | None
    thumbnail_bytes: int


def write_inventories(folder: Path, data: Data, random: np.random.Generator) -> None:
    """Write the inventories and the thumbnails of both splits."""
    count = data.rows + data.rows // 10
    sha256, hashes = random.integers(0, 256, (count, 32), np.uint8), _hashes(count, data.given_hashes, random)
    pictures = np.arange(count)
    for share, flipped in ((COPIES, 0), (NEAR_COPIES, FLIPPED_BITS)):
        copies = np.flatnonzero(random.random(count) < share)
        sources = random.integers(0, copies + 1)
        hashes[copies], pictures[copies] = hashes[sources], pictures[sources]
        if flipped:
            bits = random.integers(1, 256, (len(copies), flipped))
            masks = (128 >> bits % 8).astype(np.uint8)
            np.bitwise_xor.at(hashes, (np.repeat(copies, flipped), bits.ravel() // 8), masks.ravel())
        else:
            sha256[copies] = sha256[sources]
    table = pd.DataFrame(
        {
            "id": [f"image{number:08d}" for number in range(count)],
            "target": _codes(count, data, random),
            "group": [f"patient{number:08d}" for number in random.integers(0, count // ROWS_PER_GROUP, count)],
            "path": [f"images/image{number:08d}.jpg" for number in range(count)],
            "bytes": random.integers(100_000, 200_000, count),
            "width": 600,
            "height": 450,
            "perceptual_hash": _hexadecimal(hashes),
            "contrast": 40.0,
        }
    )
    digests = dict.fromkeys(("sha256", "pixels_sha256"), _hexadecimal(sha256))
    table = table.assign(**digests)
    table = table.assign(**{name: "" if INVENTORY[name] == TEXT else 0.0 for name in INVENTORY if name not in table})
    table.loc[data.rows :, "target"] = ""
    jpegs, padding = _jpegs(random), random.bytes(data.thumbnail_bytes + count)
    for split, rows in (("train", table[: data.rows]), ("test", table[data.rows :])):
        n_shards = 1 << max(0, (len(rows) // ROWS_PER_SHARD).bit_length() - 1)
        shards = np.array([shard_index(name, n_shards) for name in rows["id"]])
        for shard in range(n_shards):
            of_shard, name = rows[shards == shard], f"{shard_name(shard, n_shards)}.parquet"
            write_table(of_shard, folder / "inventory" / split / name, INVENTORY)
            thumbnails = {}
            for number, row in zip(of_shard.index, of_shard["id"], strict=True):
                jpeg = jpegs[pictures[number] % len(jpegs)]
                thumbnails[row] = [jpeg + padding[number : number + max(0, data.thumbnail_bytes - len(jpeg))]]
            write_thumbnails(thumbnails, folder / "thumbnails" / split / name)


def _hashes(count: int, given: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
    """Perceptual hashes, uint8 (count, 32); the first bit is always 0."""
    hashes = random.integers(0, 256, (count, 32), np.uint8)
    if given is not None:
        drawn = random.integers(0, 256, hashes.shape, np.uint8) & random.integers(0, 256, hashes.shape, np.uint8)
        hashes = given[random.integers(0, len(given), count)] ^ drawn & random.integers(0, 256, hashes.shape, np.uint8)
    hashes[:, 0] &= 127
    return hashes


def _hexadecimal(values: np.ndarray) -> list[str]:
    text, width = values.tobytes().hex(), 2 * values.shape[1]
    return [text[start : start + width] for start in range(0, len(text), width)]


def _codes(count: int, data: Data, random: np.random.Generator) -> list[str]:
    """Label codes: one class in 50 rows, or exactly one of several classes of falling size."""
    if len(data.classes) == 1:
        return label_codes(random.random((count, 1)) < 1 / 50)
    shares = SHARE ** np.arange(len(data.classes))
    chosen = random.choice(len(data.classes), count, p=shares / shares.sum())
    return [np.binary_repr(1 << number, len(data.classes)) for number in chosen]


def _jpegs(random: np.random.Generator) -> list[bytes]:
    """Pictures with contrast."""
    coarse = random.integers(0, 256, (200, 12, 16, 3), np.uint8)
    return [cv2.imencode(".jpg", cv2.resize(pixels, (160, 120)))[1].tobytes() for pixels in coarse]


def leak_settings(split: str) -> str:
    """The default settings of the audit as JSON, without the search for cropped copies, which large sets do not get."""
    dataset = {"root": "data", "id_column": "id", "target_column": "target"}
    config = complete({"dataset": dataset, "models": {"m": {"image_size": 32}}}, read_schema(SCHEMA))
    return json.dumps({**audit_settings(config["leaks"], split), "full_search_up_to": 0})


def measure(folder: Path, data: Data, options: argparse.Namespace) -> None:
    """Print a row of the table for each step."""
    random, classes = np.random.default_rng(1), ",".join(data.classes)
    write_inventories(folder, data, random)
    (folder / "leaks").mkdir()

    def report(name: str, code: str, *arguments: str) -> None:
        cost = run(code, str(folder), *arguments)
        print(
            f"| {data.rows:,} | {len(data.classes)} | {name} | {cost.cpu:.1f} | {cost.wall:.1f} | {cost.peak_mb:.0f} |",
            flush=True,
        )

    if "audit_leaks" in options.steps:
        report("audit_leaks train", AUDIT_STEP, "train", leak_settings("train"))
        report("audit_leaks test", AUDIT_STEP, "test", leak_settings("test"))
    else:
        write_table(pd.DataFrame({name: [] for name in LEAKS}), folder / "leaks" / "train.parquet", LEAKS)
    report("make_folds", FOLDS_STEP, classes, str(options.folds))
    if {"blend_folds", "evaluate"} & {*options.steps}:
        table = read_table(folder / "folds.csv", FOLDS)
        test_ids = [f"image{number:08d}" for number in range(data.rows, data.rows + data.rows // 10)]
        write_sample_submission(folder, test_ids, data.classes)
        write_predictions(folder, table, test_ids, data.classes, models=options.models)
        report("blend_folds", BLEND, classes)
    if "evaluate" in options.steps:
        report("evaluate", EVALUATE, classes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--classes", type=int, nargs="+", default=[1, 7])
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--hashes", type=Path)
    parser.add_argument("--thumbnail-bytes", type=int, default=8000)
    options = parser.parse_args()
    given = None if options.hashes is None else np.load(options.hashes)
    print("| rows | classes | step | CPU s | wall s | peak MB |\n|---:|---:|---|---:|---:|---:|")
    for rows in options.rows:
        for n_classes in options.classes:
            names = tuple(f"class{number}" for number in range(n_classes))
            with tempfile.TemporaryDirectory() as temporary:
                measure(Path(temporary), Data(rows, names, given, options.thumbnail_bytes), options)


if __name__ == "__main__":
    main()
