"""Digest of rows of a table and their images, as planning and the scan compute it. Standard library only."""

from collections.abc import Iterable, Sequence

from foldline.io.files import digest_of


def rows_digest(rows: Iterable[Sequence[str]]) -> str:
    """Hex digest of rows in any order.

    Args:
        rows: for each row its id, label code, group, metadata cells, and `channels.joint_digest` of its images.
    """
    return digest_of(sorted(map(list, rows)))
