"""Settings of the fold assignment."""

from dataclasses import dataclass

GROUPED, FILES = "grouped", "files"
METHODS = (GROUPED, FILES)


@dataclass(frozen=True)
class FoldsConfig:
    """How folds are assigned; see `folds` in `config/config.schema.yaml`.

    Attributes:
        method: `GROUPED`, which spreads whole groups evenly, or `FILES`, which gives each record file a fold.
        count: number of folds.
        seed: seed of the assignment.
        stratify_by: metadata columns that are spread evenly over the folds, jointly with the target; `GROUPED` only.
        class_names: (n_classes,).
    """

    method: str
    count: int
    seed: int
    stratify_by: tuple[str, ...]
    class_names: tuple[str, ...]
