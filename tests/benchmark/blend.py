"""Peak memory and CPU time of the blend of many rows, models and classes, beside the same table as one row per cell.

    python tests/benchmark/blend.py [--rows 100000] [--test-rows 20000] [--models 20] [--classes 1] [--folds 5]
        [--no-cells]

`blend_folds` merges prediction files of random probabilities, compares all methods, calibrates, and writes all its
outputs; `evaluate` scores them. The comparison holds the same
out-of-fold predictions as a table with one row per model, id and class, read from CSV files; it stops when it has the
array of all models. Each runs in a process of its own; the last column is what an empty process with the same imports
takes. Two sizes are measured without arguments: 100,000 rows of one class and 20 models, 20,000 of 19 classes and 10.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from foldline.dataset.label_arrays import label_codes  # noqa: E402
from foldline.evaluation.prediction_files import PredictionFile, write_prediction_file  # noqa: E402
from foldline.io.result_paths import Member  # noqa: E402
from foldline.io.tables import FOLDS, write_table  # noqa: E402

BLEND = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from pathlib import Path
from blend_folds import Inputs, Outputs, blend_folds
from foldline.dataset.submission import SubmissionForm
from foldline.evaluation.blending import BlendConfig
folder, classes = Path(sys.argv[1]), tuple(sys.argv[2].split(","))
blend_folds(
    Inputs(
        sorted(folder.glob("*/*/oof.parquet")), sorted(folder.glob("*/*/test.parquet")),
        [folder / "folds.csv"], folder / "sample.csv",
    ),
    Outputs(folder / "oof.parquet", folder / "oof.csv", folder / "submission.csv", folder / "blend.json"),
    BlendConfig("auto", None, "platt", classes, classes, "sigmoid", SubmissionForm("id", classes, "columns"), False),
)
"""
EVALUATE = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from pathlib import Path
from evaluate import evaluate
from foldline.evaluation.scores import EvaluationConfig
folder, classes = Path(sys.argv[1]), tuple(sys.argv[2].split(","))
evaluate(
    oof=folder / "oof.parquet", recipe=folder / "blend.json", folds=folder / "folds.csv",
    metrics=folder / "metrics.json", label_issues=folder / "label_issues.csv",
    config=EvaluationConfig(
        classes, classes, "sigmoid", "best_f1", 0.95, (), False, ("sensitivity 0.9", "specificity 0.9")
    ),
)
"""
CELLS = """
import sys
from pathlib import Path
import pandas as pd
paths = sorted(Path(sys.argv[1]).glob("*/*/oof.csv"))
texts = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths)
types = {"probability": "float64", "fold": "int64", "views": "int64"}
table = pd.concat([text.astype(types) for text in texts], ignore_index=True)
assert not table.duplicated(["model", "id", "class"]).any()
table = table.sort_values(["model", "id", "class"], kind="stable")
models, classes = table["model"].nunique(), table["class"].nunique()
array = table["probability"].to_numpy().reshape(models, -1, classes)
"""
# `ru_maxrss` of a child is at least what its parent had when it started the child.
PEAK = """
from pathlib import Path
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")))
"""
IMPORTS = BLEND.partition("folder, classes")[0]


@dataclass(frozen=True)
class Size:
    """Sizes of a blend."""

    rows: int
    test_rows: int
    models: int
    classes: int
    folds: int
    cells: bool = True


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds of a process, and its largest resident set in MB."""

    cpu: float
    wall: float
    peak_mb: float


def run(code: str, *arguments: str) -> Cost:
    """Run Python code in a new process and measure it."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code + PEAK, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    peak_kb = int(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a run exited with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - started, peak_kb / 1024)


def write_inputs(folder: Path, size: Size) -> list[str]:
    """Write the fold table, the sample submission and all prediction files; gives the names of the classes."""
    random = np.random.default_rng(1)
    names = [f"class{number}" for number in range(size.classes)]
    ids, test_ids = ([f"{kind}_{number:07d}" for number in range(count)] for kind, count in _kinds(size))
    labels = random.random((size.rows, size.classes)) < 0.2
    table = pd.DataFrame({"id": ids, "group": ids, "target": label_codes(labels), "split": "train", "row_weight": 1.0})
    table["fold"] = random.integers(0, size.folds, size.rows)
    write_table(table, folder / "folds.csv", FOLDS)
    write_sample_submission(folder, test_ids, names)
    write_predictions(folder, table, test_ids, names, models=size.models, cells=size.cells)
    return names


def _kinds(size: Size) -> tuple[tuple[str, int], ...]:
    return ("image", size.rows), ("test", size.test_rows)


def write_sample_submission(folder: Path, test_ids: Sequence[str], names: Sequence[str]) -> None:
    """Write the sample submission."""
    cells = ",0" * len(names)
    (folder / "sample.csv").write_text(f"id,{','.join(names)}\n" + "".join(f"{name}{cells}\n" for name in test_ids))


def write_predictions(
    folder: Path, table: pd.DataFrame, test_ids: list[str], names: Sequence[str], *, models: int, cells: bool = False
) -> None:
    """Write random predictions of all models for the rows of a fold table and for test rows."""
    random = np.random.default_rng(2)
    of_fold = {int(fold): list(rows["id"]) for fold, rows in table.groupby("fold")}
    for model in range(models):
        for fold, held_out in of_fold.items():
            for split, some in (("oof", held_out), ("test", test_ids)):
                values = random.random((len(some), len(names)), np.float32)
                path = folder / f"m{model:02d}" / f"fold{fold}" / f"{split}.parquet"
                file = PredictionFile(path, f"m{model:02d}", Member(1, fold), 4)
                write_prediction_file(file, some, values, class_names=names)
                if split == "oof" and cells:
                    _write_cells(path.with_suffix(".csv"), some, values, names, model=f"m{model:02d}", fold=fold)


def _write_cells(
    path: Path, ids: list[str], values: np.ndarray, names: Sequence[str], *, model: str, fold: int
) -> None:
    """Write the same predictions with a row per id and class."""
    cells = pd.DataFrame(
        {"id": np.repeat(ids, len(names)), "class": [*names] * len(ids), "probability": values.ravel()}
    )
    cells.assign(model=model, fold=fold, views=4).to_csv(path, index=False)


def main(sizes: list[Size]) -> None:
    """Print the table."""
    print("| rows | models | classes | | peak MB | CPU s | wall s | peak of a process with the imports, MB |")
    print("|---:|---:|---:|---|---:|---:|---:|---:|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as temporary:
            names = write_inputs(Path(temporary), size)
            imports = run(IMPORTS)
            ours = run(BLEND, temporary, ",".join(names))
            evaluated = run(EVALUATE, temporary, ",".join(names))
            cells = run(CELLS, temporary) if size.cells else None
        title = f"| {size.rows:,} | {size.models} | {size.classes} "
        for name, cost in (("blend_folds", ours), ("evaluate", evaluated), ("a row per cell", cells)):
            if cost is None:
                continue
            idle = f"{imports.peak_mb:.0f}" if cost is ours else ""
            print(f"{title}| {name} | {cost.peak_mb:.0f} | {cost.cpu:.1f} | {cost.wall:.1f} | {idle} |", flush=True)
        if cells is not None:
            print(f"{title}| ratio | {ours.peak_mb / cells.peak_mb:.2f} | {ours.cpu / cells.cpu:.2f} | | |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, default in (("rows", 100_000), ("test-rows", 20_000), ("models", 20), ("classes", 1), ("folds", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--cells", action=argparse.BooleanOptionalAction, default=True, help="measure a row per cell")
    chosen = Size(**vars(parser.parse_args()))
    main([chosen] if len(sys.argv) > 1 else [chosen, Size(20_000, 5_000, 10, 19, 5)])
