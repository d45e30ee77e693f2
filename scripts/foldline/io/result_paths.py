"""Model, fold and split from the path of a result file."""

from collections.abc import Sequence
from pathlib import Path

from foldline.errors import FoldlineError


def fold_of(path: str | Path) -> int:
    """Fold from the name of a file or folder: fold3 or fold3.json is 3.

    Raises:
        FoldlineError: the name is not that of a fold.
    """
    name = Path(path).stem
    if not name.startswith("fold") or not name[4:].isdecimal():
        raise FoldlineError(f"{path}: {name!r} is not the name of a fold; it must look like fold3")
    return int(name[4:])


def model_and_fold(path: str | Path) -> tuple[str, int]:
    """Model and fold from the path of a file: FOLDER/{model}/fold{fold}/FILE."""
    folder = Path(path).parent
    return folder.parent.name, fold_of(folder)


def by_split(paths: Sequence[str | Path]) -> dict[str, list[str | Path]]:
    """Shards of inventories by their split: FOLDER/{split}/FILE."""
    found: dict[str, list[str | Path]] = {}
    for path in paths:
        found.setdefault(Path(path).parent.name, []).append(path)
    return found
