"""Settings of the fold assignment."""

from dataclasses import dataclass

GROUPED, FILES = "grouped", "files"
LEAVE_ONE_GROUP_OUT, COLUMN, TABLE = "leave_one_group_out", "column", "table"
METHODS = (GROUPED, FILES, LEAVE_ONE_GROUP_OUT, COLUMN, TABLE)
# Methods that take the folds of rows, and so their number, from the data; with `TABLE`, rows may be new.
GIVEN = (LEAVE_ONE_GROUP_OUT, COLUMN, TABLE)


@dataclass(frozen=True)
class FoldsConfig:
    """How folds are assigned; see `folds` in `config/config.schema.yaml`.

    Attributes:
        method: `GROUPED`, which spreads whole groups evenly; `FILES`, which gives each record file a fold;
            `LEAVE_ONE_GROUP_OUT`, which makes a fold of each group; `COLUMN`, which takes the folds of `column`; or
            `TABLE`, which takes the folds of an old fold table, and spreads new groups as `GROUPED` does.
        count: number of folds.
        seed: seed of the assignment.
        stratify_by: metadata columns that are spread evenly over the folds, jointly with the target, where folds are
            assigned.
        class_names: (n_classes,).
        group_columns: further columns whose equal values belong together, beside the group of each row.
        column: column with the fold of each row, in the training table or in `table`; None for other methods.
        table: the old fold table; None for other methods.
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
    table: str | None = None
    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
