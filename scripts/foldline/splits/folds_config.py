"""Settings of the fold assignment."""

from dataclasses import dataclass

GROUPED, FILES = "grouped", "files"
LEAVE_ONE_GROUP_OUT, COLUMN = "leave_one_group_out", "column"
METHODS = (GROUPED, FILES, LEAVE_ONE_GROUP_OUT, COLUMN)
# Methods that take the fold of each row, and so their number, from the data.
GIVEN = (LEAVE_ONE_GROUP_OUT, COLUMN)


@dataclass(frozen=True)
class FoldsConfig:
    """How folds are assigned; see `folds` in `config/config.schema.yaml`.

    Attributes:
        method: `GROUPED`, which spreads whole groups evenly; `FILES`, which gives each record file a fold;
            `LEAVE_ONE_GROUP_OUT`, which makes a fold of each group; or `COLUMN`, which takes the folds of `column`.
        count: number of folds.
        seed: seed of the assignment.
        stratify_by: metadata columns that are spread evenly over the folds, jointly with the target; `GROUPED` only.
        class_names: (n_classes,).
        group_columns: further columns whose equal values belong together, beside the group of each row.
        column: column of the training table with the fold of each row; None for other methods.
        names: of `GIVEN` methods, the folds as the data call them, in the order of `numbers`, (n_folds,).
        numbers: of `GIVEN` methods, the number of each fold, (n_folds,); empty for 0 to count - 1.
    """

    method: str
    count: int
    seed: int
    stratify_by: tuple[str, ...]
    class_names: tuple[str, ...]
    group_columns: tuple[str, ...] = ()
    column: str | None = None
    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
