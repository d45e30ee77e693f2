"""What the check tries: the settings of the jobs of a run, from `planning.check_settings`."""

from dataclasses import dataclass

from foldline.dataset.fold_cells import FoldCells
from foldline.dataset.row_weights import RowWeights
from foldline.dataset.scan_config import ScanConfig
from foldline.inference.prediction_config import PredictionConfig
from foldline.io.result_paths import Member
from foldline.splits.class_weights import ClassWeightsConfig
from foldline.splits.folds_config import FoldsConfig
from foldline.tfrecords.shard_config import ShardConfig
from foldline.training.fold_training import FoldSettings


@dataclass(frozen=True)
class FoldGroup:
    """Folds of a model that have the same settings, so that one of them is tried for all.

    Attributes:
        members: the folds, of all repeats.
        settings: settings of the first one.
        final: whether the model is trained on all rows too.
    """

    members: tuple[Member, ...]
    settings: FoldSettings
    final: bool = False

    @property
    def folds(self) -> tuple[int, ...]:
        """Numbers of the folds; those of further repeats are taken to be as large as those of the first."""
        return tuple(member.fold for member in self.members)

    @property
    def name(self) -> str:
        """Name of the training that is tried: "b3 fold 0"."""
        return f"{self.settings.model} {self.settings.member.title}"


@dataclass(frozen=True)
class CheckPlan:
    """Settings of the steps.

    Attributes:
        scans: of the scan of each split; the digests are those of other shards.
        folds: of the folds.
        weights: where the weights of rows are; None if each is 1.
        cells: where the cells are that decide folds; None if folds need no column.
        class_weights: of the class weights.
        shards: of the shards, by image size and split: "224/test".
        groups: of the trainings.
        prediction: of the predictions.
        test_models: which networks predict the test rows, "folds" or "final".
        splits: which share of the views of a test row a network averages, by member; see `view_numbers`.
        jobs: number of jobs of each rule that a run without results has.
        example: name of the example, if that is not on the disk yet; None if the data are there.
        pinned: table of the rows of that example.
    """

    scans: dict[str, ScanConfig]
    folds: FoldsConfig
    weights: RowWeights | None
    cells: FoldCells | None
    class_weights: ClassWeightsConfig
    shards: dict[str, ShardConfig]
    groups: tuple[FoldGroup, ...]
    prediction: PredictionConfig
    test_models: str
    splits: dict[str, tuple[int, int] | None]
    jobs: dict[str, int]
    example: str | None = None
    pinned: str = ""
