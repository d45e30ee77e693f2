"""Write the embedded example as a user would provide data: three tables and a folder of images.

Inputs: pinned, the table of the example's rows and digests.
Outputs: train, test, submission (CSV tables) and, beside them, images/ID.png: the unchanged photographs of the package
    `elpv-dataset` (Buerhop-Lutz et al., 2018; Deitsch et al., 2019 and 2021; CC BY-NC-SA 4.0).
Parameters: example, the name of the example.

A photograph has label 1 if the probability of a defect is above one half. The test split is a fifth of the photographs
of each probability and type, chosen by id hash; its labels are left out. One module was photographed twice, moved by
about ten pixels: these photographs are all in the training split, and the column `cell` says which show the same cell.
"""

import csv
import hashlib
import importlib.util
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from foldline.dataset.id_hash import id_hash
from foldline.errors import FoldlineError
from foldline.io.files import atomic_write
from foldline.step import step

logger = logging.getLogger(__name__)

EXAMPLE = "elpv"
DEFECT_PROBABILITY = 0.5
TEST_SHARE = 0.2
# Numbers of the first photographs of a module that was photographed twice, and what is added for the second ones.
TWICE, SECOND = range(1735, 1785), 542


@dataclass(frozen=True)
class Outputs:
    """Tables that the step writes; the images are in the folder `images` beside `train`."""

    train: str | Path
    test: str | Path
    submission: str | Path


class Cell(NamedTuple):
    """A row of the pinned table as texts; the target is "" in the test split, bytes and SHA-256 are of the PNG.

    `cell` is the id of the first photograph of the same cell.
    """

    split: str
    id: str
    cell: str
    target: str
    cell_type: str
    bytes: str
    sha256: str


def example_data(*, pinned: str | Path, outputs: Outputs, example: str) -> None:
    """Write the tables and copy the photographs, after comparing them with the pinned digests.

    Args:
        pinned: table of the expected rows and digests.
        outputs: the tables to write.
        example: name of the example; "elpv" is the only one.

    Raises:
        FoldlineError: the package is not installed, or its data differ from the pinned table.
    """
    if example != EXAMPLE:
        raise FoldlineError(f"dataset.example is {example!r}; the only example is {EXAMPLE}")
    package = package_folder()
    cells = cells_of(package)
    with Path(pinned).open(newline="", encoding="utf-8") as handle:
        expected = [Cell(*(row[name] for name in Cell._fields)) for row in csv.DictReader(handle)]
    if cells != expected:
        raise FoldlineError(f"the data of the package elpv-dataset differ from {pinned}; install the locked version")
    images = Path(outputs.train).parent / "images"
    for cell in cells:
        with atomic_write(images / f"{cell.id}.png") as handle:
            handle.write((package / "images" / f"{cell.id}.png").read_bytes())
    train = [cell for cell in cells if cell.split == "train"]
    test = [cell for cell in cells if cell.split == "test"]
    columns = ("image_name", "cell", "cell_type", "target")
    _write_table(outputs.train, columns, [(cell.id, cell.cell, cell.cell_type, cell.target) for cell in train])
    _write_table(outputs.test, columns[:3], [(cell.id, cell.cell, cell.cell_type) for cell in test])
    _write_table(outputs.submission, ("image_name", "target"), [(cell.id, "0") for cell in test])
    logger.info("wrote %d training and %d test photographs", len(train), len(test))


def package_folder() -> Path:
    """Folder of labels.csv and images/ of the installed package."""
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or spec.origin is None:
        raise FoldlineError(
            "the package elpv-dataset is not installed; install it in the version of envs/requirements.lock"
        )
    return Path(spec.origin).parent / "data"


def labels_of(package: Path) -> list[tuple[str, str, float]]:
    """Id, cell type and probability of a defect of every photograph, test split included, sorted by id."""
    lines = (package / "labels.csv").read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if line.strip()]
    return sorted((Path(path).stem, kind, float(probability)) for path, probability, kind in fields)


def held_out_ids(labels: Sequence[tuple[str, str, float]]) -> set[str]:
    """Ids of the test split: of each probability and type a fifth, in the order of the id hash.

    Photographs of the module that was photographed twice are left out, but count for the size of the split.
    """
    second_of = photographed_twice()
    twice = {*second_of, *second_of.values()}
    strata = defaultdict(list)
    for name, kind, probability in labels:
        strata[kind, probability].append(name)
    return {
        name
        for names in strata.values()
        for name in sorted(set(names) - twice, key=id_hash)[: round(TEST_SHARE * len(names))]
    }


def photographed_twice() -> dict[str, str]:
    """The first and the second photograph of each cell that was photographed twice."""
    return {f"cell{number:04d}": f"cell{number + SECOND:04d}" for number in TWICE}


def cells_of(package: Path) -> list[Cell]:
    """All photographs, the training split first, each split sorted by id."""
    labels = labels_of(package)
    test = held_out_ids(labels)
    first_of = {second: first for first, second in photographed_twice().items()}
    cells = []
    for name, kind, probability in labels:
        content = (package / "images" / f"{name}.png").read_bytes()
        split, target = ("test", "") if name in test else ("train", str(int(probability > DEFECT_PROBABILITY)))
        digest = hashlib.sha256(content).hexdigest()
        cells.append(Cell(split, name, first_of.get(name, name), target, kind, str(len(content)), digest))
    return sorted(cells, key=lambda cell: (cell.split == "test", cell.id))


def _write_table(path: str | Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with atomic_write(path, mode="w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    with step(snakemake):
        example_data(
            pinned=snakemake.input.pinned,
            outputs=Outputs(
                train=snakemake.output.train, test=snakemake.output.test, submission=snakemake.output.submission
            ),
            **snakemake.params.settings,
        )
