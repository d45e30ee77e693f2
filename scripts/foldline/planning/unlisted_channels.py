"""Refuse image files of channels that `dataset.channels` does not name."""

import posixpath
import re
from collections.abc import Sequence

from foldline.dataset.channels import CHANNEL
from foldline.errors import FoldlineError, listing
from foldline.io import storage
from foldline.planning.dataset_section import ImageTable
from foldline.planning.image_files import ImageFiles
from foldline.planning.image_patterns import IMAGE_SUFFIXES, ImagePattern
from foldline.planning.image_search import Values, as_path, is_ignored, suffix_of

# Two words without a text between them: where one ends cannot be told.
_ADJACENT = re.compile(r"\}\{")


def check_channel_files(
    images: ImageFiles, files: ImageTable, rows: Sequence[Values], channels: Sequence[str], ignored: Sequence[str]
) -> None:
    """Refuse files that the patterns give to a row and a channel which is not in the configuration.

    An id may contain the text between it and the channel; the name of a channel hardly does.

    Args:
        images: lists folders.
        files: root and patterns.
        rows: the rows of the table.
        channels: `dataset.channels`.
        ignored: see `image_search.is_ignored`.

    Raises:
        FoldlineError: names the first of these files.
    """
    unknown = [
        path for pattern in files.patterns for path in _unlisted(images, files.root, pattern, rows, channels, ignored)
    ]
    if unknown:
        raise FoldlineError(
            f"{listing([storage.join(files.root, path) for path in dict.fromkeys(unknown)], limit=3)}: not one of "
            f"dataset.channels ({listing(channels, limit=20)}); add the channel there (models.NAME.channels chooses "
            "the channels that a model reads), or list the files in dataset.ignore, such as ['*_mask.png']"
        )


def _unlisted(
    images: ImageFiles,
    root: str,
    pattern: ImagePattern,
    rows: Sequence[Values],
    channels: Sequence[str],
    ignored: Sequence[str],
) -> list[str]:
    """Paths of such files of one pattern, relative to the root, sorted."""
    if CHANNEL not in pattern.text or pattern.is_in_hdf5 or _ADJACENT.search(pattern.text):
        return []
    expression, groups = pattern.regex(for_channels=True)
    listed, _ = pattern.regex(for_channels=True, channels=channels)
    words = [word for word in groups if word != CHANNEL[1:-1]]
    known = {tuple(_as_listed(row[word]) for word in words) for row in rows}
    folder = pattern.fixed_folder
    # Cells may be paths.
    deep = "/" in pattern.text[len(folder) :] or bool(pattern.columns)
    names = images.file_names(storage.join(root, folder) if folder else root, deep=deep)
    found = []
    for path in sorted(folder + name for name in names):
        match = re.fullmatch(expression, path)
        if (
            match
            and tuple(match[groups[word]] for word in words) in known
            and not re.fullmatch(listed, path)
            and not (pattern.leaves_suffix_open and suffix_of(path) not in IMAGE_SUFFIXES)
            and not is_ignored(path, ignored)
        ):
            found.append(path)
    return found


def _as_listed(cell: str) -> str:
    """A cell as listings of folders have it, if it is a path."""
    path = as_path(cell)
    return posixpath.normpath(path) if "/" in path else path
