"""Model, member and split from the path of a result file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from foldline.errors import FoldlineError

FOLD, REPEAT, FINAL_LABEL = "fold", "-repeat", "final"
# Apart from each other, so that no two members of a model have the seed of one another; there are at most 100 folds.
SEEDS_OF_REPEAT, FINAL_SEED = 1000, 1_000_000


@dataclass(frozen=True, order=True)
class Member:
    """A trained network of a model: the one that was trained without a fold, or `FINAL`.

    Attributes:
        repeat: the repeat of the folds, from 1.
        fold: number of the fold.
    """

    repeat: int
    fold: int

    @classmethod
    def parse(cls, label: str) -> "Member":
        """The member of a label: 3, 3-repeat2 or final.

        Raises:
            ValueError: it is no label.
        """
        if label == FINAL_LABEL:
            return FINAL
        fold, has_repeat, repeat = label.partition(REPEAT)
        number = int(repeat) if has_repeat else 1
        found = cls(number, int(fold))
        if str(found) != label:
            raise ValueError(label)
        return found

    def __str__(self) -> str:
        """The label: 3 for fold 3, 3-repeat2 for fold 3 of the second repeat, and final."""
        if self.is_final:
            return FINAL_LABEL
        return f"{self.fold}{REPEAT}{self.repeat}" if self.repeat > 1 else str(self.fold)

    @property
    def is_final(self) -> bool:
        """Whether it was trained on the rows of all folds."""
        return self == FINAL

    @property
    def held_out(self) -> int | None:
        """The fold that it was not trained on; None for the final one."""
        return None if self.is_final else self.fold

    @property
    def name(self) -> str:
        """Name of its folders and files: fold3, fold3-repeat2 or final."""
        return FINAL_LABEL if self.is_final else f"{FOLD}{self}"

    @property
    def title(self) -> str:
        """What people read: fold 3, fold 3-repeat2 or final."""
        return FINAL_LABEL if self.is_final else f"{FOLD} {self}"

    @property
    def seed(self) -> int:
        """What is added to the seed of the model."""
        return FINAL_SEED if self.is_final else self.fold + SEEDS_OF_REPEAT * (self.repeat - 1)

    def as_json(self) -> dict[str, int | None]:
        """Convert to a mapping; the first repeat is not named, and the final member has no fold."""
        return {"fold": self.held_out} | ({"repeat": self.repeat} if self.repeat > 1 else {})


# Trained on the rows of all folds; it holds none out.
FINAL = Member(0, -1)


def members_of(folds: Iterable[int], repeats: int = 1) -> list[Member]:
    """The members of a model, one for each fold of each repeat, in order."""
    numbers = sorted(folds)
    return [Member(repeat, fold) for repeat in range(1, repeats + 1) for fold in numbers]


def fold_table(repeat: int) -> str:
    """Path of the fold table of a repeat, from 1; the final member (0) has that of the first."""
    return "results/folds.csv" if repeat <= 1 else f"results/folds{REPEAT}{repeat}.csv"


def member_of(path: str | Path) -> Member:
    """Member from the name of a file or folder: fold3, fold3-repeat2, final or fold3.json.

    Raises:
        FoldlineError: the name is not that of a member.
    """
    name = Path(path).stem
    try:
        member = Member.parse(name.removeprefix(FOLD))
        if member.name != name:
            raise ValueError(name)
        return member
    except ValueError:
        raise FoldlineError(f"{path}: {name!r} is not the name of a fold; it must look like fold3") from None


def model_and_member(path: str | Path) -> tuple[str, Member]:
    """Model and member from the path of a file: FOLDER/{model}/{member}/FILE."""
    folder = Path(path).parent
    return folder.parent.name, member_of(folder)


def by_split(paths: Sequence[str | Path]) -> dict[str, list[str | Path]]:
    """Shards of inventories by their split: FOLDER/{split}/FILE."""
    found: dict[str, list[str | Path]] = {}
    for path in paths:
        found.setdefault(Path(path).parent.name, []).append(path)
    return found
