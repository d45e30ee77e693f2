"""A split without a table: its rows are the image files that match the path of an image."""

import csv
import glob
import io
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from foldline.dataset.channels import CHANNEL
from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable

ID = "{id}"


def write_listed_table(path: str, dataset: Mapping[str, Any], files: ImageTable) -> None:
    """Write the table of a split from the names of its image files, sorted by id; its metadata are missing.

    A file with the same content is left alone.

    Args:
        path: path or URL of the table.
        dataset: the section of the configuration.
        files: root and pattern of the images.

    Raises:
        FoldlineError: no file matches.
    """
    ids = listed_ids(files)
    if not ids:
        raise FoldlineError(
            f"dataset.test_images: no file matches {storage.join(files.root, files.pattern)}, and dataset.test_table "
            "is null, so these files are the test rows; correct the path or dataset.root, or set dataset.test_images "
            "to null as well if there is no test split"
        )
    columns = dataset["metadata_columns"]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[dataset["id_column"], *columns], *([name, *([""] * len(columns))] for name in ids)])
    storage.write_if_changed(path, text.getvalue().encode())


def listed_ids(files: ImageTable) -> list[str]:
    """Ids of the image files that match the pattern, sorted; an id is no more than one part of a path."""
    pattern = files.pattern if storage.is_url(files.pattern) else str(PurePath(files.pattern))
    wanted = glob.escape(pattern)
    for word in (ID, CHANNEL):
        wanted = wanted.replace(word, "*")
    parts = re.split(r"(\{id\}|\{channel\})", pattern)
    # The second place of a word has what the first one has.
    form, known = "", set[str]()
    for part in parts:
        name = part.strip("{}")
        if part not in (ID, CHANNEL):
            form += re.escape(part)
        else:
            form += f"(?P={name})" if name in known else f"(?P<{name}>[^/]+)"
            known.add(name)
    found = (re.fullmatch(form, _below(files, path)) for path in storage.find_files(files.root, wanted))
    return sorted({match["id"] for match in found if match})


def _below(files: ImageTable, path: str) -> str:
    """Path of a file as the pattern would have it: relative to the root, unless the pattern is absolute."""
    if storage.join(files.root, files.pattern) == files.pattern:
        return path
    return storage.relative(files.root, path)
