"""Settings of the fold assignment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

GROUPED, FILES = "grouped", "files"
LEAVE_ONE_GROUP_OUT, COLUMN, TABLE, TIME = "leave_one_group_out", "column", "table", "time"
METHODS = (GROUPED, FILES, LEAVE_ONE_GROUP_OUT, COLUMN, TABLE, TIME)
# Methods that take the folds of rows, and so their number, from the data; with `TABLE`, rows may be new.
GIVEN = (LEAVE_ONE_GROUP_OUT, COLUMN, TABLE)


@dataclass(frozen=True)
class HoldoutConfig:
    """Rows that no model is trained on; see `folds.holdout` in `config/config.schema.yaml`.

    Attributes:
        share: share of the rows, whole groups, in [0, 1); 0 if `column` says which rows, or if there are none.
        column: column of the training table; None if `share` says how many rows.
        values: values of the column whose rows are held out.
    """

    share: float = 0.0
    column: str | None = None
    values: tuple[str, ...] = ()

    @property
    def is_used(self) -> bool:
        """Whether there is a holdout."""
        return self.share > 0 or self.column is not None


@dataclass(frozen=True)
class RepeatConfig:
    """How the folds of further repeats are assigned; see `FoldsConfig`.

    Attributes:
        count: number of folds.
        seed: seed of the first repeat; the second has the next one, and so on.
        stratify_by: metadata columns that are spread evenly.
        class_names: (n_classes,).
    """

    count: int
    seed: int
    stratify_by: tuple[str, ...]
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class FoldsConfig:
    """How folds are assigned; see `folds` in `config/config.schema.yaml`.

    Attributes:
        method: `GROUPED`, which spreads whole groups evenly; `FILES`, which gives each record file a fold;
            `LEAVE_ONE_GROUP_OUT`, which makes a fold of each group; `COLUMN`, which takes the folds of `column`;
            `TABLE`, which takes the folds of an old fold table, and spreads new groups as `GROUPED` does; or `TIME`,
            which holds out periods of `column`.
        count: number of folds.
        seed: seed of the assignment.
        stratify_by: metadata columns that are spread evenly over the folds, jointly with the target, where folds are
            assigned.
        class_names: (n_classes,).
        group_columns: further columns whose equal values belong together, beside the group of each row.
        column: column with the fold or the time of each row, in the training table or in `table`; None for other
            methods.
        table: the old fold table; None for other methods.
        gap: time between the rows that a fold is trained on and its period, in units of `column` or days; `TIME` only.
        holdout: rows that no model is trained on.
        leak_policy: what happens to duplicates, see `leak_policy.Policy`.
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
    gap: float = 0.0
    holdout: HoldoutConfig = HoldoutConfig()
    leak_policy: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
