"""The rows of a run, the few that the check tries, and what it measured of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from foldline.dataset.sample_table import Row
from foldline.dataset.scan_config import ScanConfig
from foldline.tfrecords.shard_config import ShardConfig
from foldline.training.trial import Trial

# Name of the only shard of each split.
SHARD = "00000-of-00001"


@dataclass(frozen=True)
class Data:
    """The rows of a run.

    Attributes:
        scans: settings of the scan of each split.
        shards: settings of the shards, by image size and split: "224/test".
        rows: rows of each split.
        folds: fold table, without what duplicates would change.
        path: file of that table.
    """

    scans: Mapping[str, ScanConfig]
    shards: Mapping[str, ShardConfig]
    rows: Mapping[str, Sequence[Row]]
    folds: pd.DataFrame
    path: Path


@dataclass(frozen=True)
class Sample:
    """A few rows as shards.

    Attributes:
        folder: holds SIZE/SPLIT/SHARD.tfrec and .json.
        labeled: train and external rows, of the fold table.
        splits: splits that have shards.
        scan_seconds: time to read a row of each split.
        shard_costs: seconds and bytes of a record, by image size and split: "224/test".
        warnings: what looks wrong in the images, in lines.
    """

    folder: Path
    labeled: pd.DataFrame
    splits: Sequence[str]
    scan_seconds: Mapping[str, float]
    shard_costs: Mapping[str, tuple[float, float]]
    warnings: Sequence[str] = ()

    def files(self, size: int, splits: Sequence[str]) -> tuple[list[Path], list[Path]]:
        """Shards and manifests of some splits."""
        stems = [self.folder / str(size) / split / SHARD for split in splits]
        return [stem.with_suffix(".tfrec") for stem in stems], [stem.with_suffix(".json") for stem in stems]


@dataclass(frozen=True)
class Tried:
    """What was measured.

    Attributes:
        trials: of each group of the plan: what was measured, or why its folds cannot be trained.
        overlapping: see `estimate.model_costs`.
        machine: name and device of the machine.
        imports: seconds that a job takes before it starts.
    """

    trials: Sequence[Trial | str]
    overlapping: bool
    machine: str
    imports: float
