"""The folder of the data, which must exist before anything in it is looked for."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.planning.dataset_section import image_patterns, record_patterns
from foldline.planning.dataset_splits import TRAIN


def check_root(dataset: Mapping[str, Any]) -> None:
    """Refuse a `dataset.root` that does not exist, of which every table and image would be missing.

    Args:
        dataset: the section of the configuration.

    Raises:
        FoldlineError: the root is not a folder on a disk, and the training split has a path relative to it.
    """
    root = dataset["root"]
    images = [pattern.text for pattern in image_patterns(dataset, TRAIN)]
    tables = [] if dataset["class_folders"] is not None or dataset["train_records"] else [dataset["train_table"]]
    paths = [*tables, *images, *(record_patterns(dataset, TRAIN) or [])]
    if storage.is_url(root) or Path(root).is_dir() or all(storage.join(root, path) == path for path in paths):
        return
    if Path(root).exists():
        raise FoldlineError(f"config: dataset.root is {root!r}, which is a file; set it to the folder with the data")
    parent = Path(root).absolute().parent
    others = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
    close = get_close_matches(Path(root).name, others, 1)
    hint = f"; did you mean {parent / close[0]}?" if close else ""
    raise FoldlineError(
        f"config: dataset.root is {root!r}, but there is no such folder; correct the path, which is absolute or starts "
        f"at the working directory {Path.cwd()}{hint}"
    )
