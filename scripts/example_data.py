"""Write the embedded example as a user would bring data of their own: three tables and a folder of images.

Inputs: the pinned table of the example's rows and digests.
Outputs: train.csv, test.csv, sample_submission.csv and, beside them, images/ID.png, byte for byte the photographs of
    the package `elpv-dataset` (Buerhop-Lutz et al., 2018; Deitsch et al., 2019 and 2021; CC BY-NC-SA 4.0).
Parameters: example.

A cell is labeled 1 when its probability of a defect is above one half. A fifth of the cells of each stated probability
and type, chosen by the hash of their ids, is the test split; its labels are left out.
"""

import csv
import hashlib
import importlib.util
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from foldline.dataset.id_hash import id_hash
from foldline.errors import FoldlineError
from foldline.io.files import atomic_write
from foldline.step import step

logger = logging.getLogger(__name__)

PINNED_COLUMNS = ("split", "id", "target", "cell_type", "bytes", "sha256")
DEFECT_PROBABILITY = 0.5
TEST_SHARE = 0.2


def example_data(
    *, pinned: str | Path, train: str | Path, test: str | Path, submission: str | Path, example: str
) -> None:
    """Copy the photographs beside the tables, write the tables, and compare all with the pinned digests.

    Raises:
        FoldlineError: the package is not installed, or holds other data than the pinned table says.
    """
    if example != "elpv":
        raise FoldlineError(f"dataset.example is {example!r}; the only example is elpv")
    package = package_folder()
    images = Path(train).parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    rows = rows_of(package)
    with Path(pinned).open(newline="", encoding="utf-8") as handle:
        expected = [tuple(cells[name] for name in PINNED_COLUMNS) for cells in csv.DictReader(handle)]
    if rows != expected:
        raise FoldlineError(f"the package elpv-dataset holds other data than {pinned} says; install the locked version")
    for _, name, *_ in rows:
        with atomic_write(images / f"{name}.png") as handle:
            handle.write((package / "images" / f"{name}.png").read_bytes())
    chosen = {split: [row for row in rows if row[0] == split] for split in ("train", "test")}
    _write(train, ("image_name", "cell_type", "target"), [(row[1], row[3], row[2]) for row in chosen["train"]])
    _write(test, ("image_name", "cell_type"), [(row[1], row[3]) for row in chosen["test"]])
    _write(submission, ("image_name", "target"), [(row[1], "0") for row in chosen["test"]])
    logger.info("wrote %d training and %d test photographs", len(chosen["train"]), len(chosen["test"]))


def package_folder() -> Path:
    """Folder of labels.csv and images/ of the installed package."""
    found = importlib.util.find_spec("elpv_dataset")
    if found is None or found.origin is None:
        raise FoldlineError("the package elpv-dataset is not installed; it is in envs/requirements.lock")
    return Path(found.origin).parent / "data"


def labels_of(package: Path) -> list[tuple[str, str, float]]:
    """Id, cell type and probability of a defect of every photograph, the held-out ones too, sorted by id."""
    lines = (package / "labels.csv").read_text(encoding="utf-8").splitlines()
    cells = [line.split() for line in lines if line.strip()]
    return sorted((Path(path).stem, kind, float(probability)) for path, probability, kind in cells)


def held_out(labels: Sequence[tuple[str, str, float]]) -> set[str]:
    """Ids of the test split: of each probability and type the first fifth in the order of `rows.id_hash`."""
    strata = defaultdict(list)
    for name, kind, probability in labels:
        strata[kind, probability].append(name)
    return {name for names in strata.values() for name in sorted(names, key=id_hash)[: round(TEST_SHARE * len(names))]}


def rows_of(package: Path) -> list[tuple[str, ...]]:
    """One tuple of texts in the order of `PINNED_COLUMNS` for every photograph; labels of test rows are ""."""
    labels = labels_of(package)
    test = held_out(labels)
    rows = []
    for name, kind, probability in labels:
        content = (package / "images" / f"{name}.png").read_bytes()
        split, target = ("test", "") if name in test else ("train", str(int(probability > DEFECT_PROBABILITY)))
        rows.append((split, name, target, kind, str(len(content)), hashlib.sha256(content).hexdigest()))
    return sorted(rows, key=lambda row: (row[0] == "test", row[1]))


def _write(path: str | Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    with step(snakemake):
        example_data(
            pinned=snakemake.input.pinned,
            train=snakemake.output.train,
            test=snakemake.output.test,
            submission=snakemake.output.submission,
            **snakemake.params.settings,
        )
