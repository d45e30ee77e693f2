"""The example while it is not written yet: its rows and digests come from a table of the repository."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foldline.dataset.sample_table import Row
from foldline.errors import FoldlineError, listing
from foldline.planning.dataset_section import group_columns
from foldline.planning.samples import Sample, Samples


def example_is_written(dataset: Mapping[str, Any], pinned: Path) -> bool:
    """Whether all files of the example are on disk."""
    root = Path(dataset["root"])
    tables = filter(None, (dataset["train_table"], dataset["test_table"], dataset["sample_submission"]))
    if not all((root / table).is_file() for table in tables):
        return False
    with pinned.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    patterns = {split: dataset[f"{split}_images"] for split in ("train", "test")}
    return all((root / patterns[row["split"]].replace("{id}", row["id"])).is_file() for row in rows)


def pinned_splits(dataset: Mapping[str, Any], pinned: Path) -> dict[str, Samples]:
    """The samples of "train" and "test", from the table of their rows and digests.

    Raises:
        FoldlineError: the table has no such column.
    """
    with pinned.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        needed = [*dataset["metadata_columns"], *group_columns(dataset)]
        missing = [name for name in needed if name not in (reader.fieldnames or [])]
        if missing:
            raise FoldlineError(
                f"config: dataset.example is {dataset['example']!r}, which has no column {listing(missing)}; remove it "
                "from dataset.metadata_columns or dataset.group_column"
            )
        splits: dict[str, list[Sample]] = {"train": [], "test": []}
        for line, cells in enumerate(reader, start=2):
            group_column = next(iter(group_columns(dataset)), None) if cells["split"] == "train" else None
            metadata = tuple(cells[name] for name in dataset["metadata_columns"])
            row = Row(line, cells["id"], cells["target"], cells[group_column or "id"], metadata)
            splits[cells["split"]].append(Sample(row, cells["sha256"], int(cells["bytes"])))
    return {split: Samples.of(samples) for split, samples in splits.items()}
