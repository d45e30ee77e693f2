"""Digests of rows of a table and their images, as planning and the scan compute them. Standard library only."""

import hashlib
from collections.abc import Iterable, Sequence

ROW_DIGEST_BYTES = 16


def row_digests(columns: Sequence[Sequence[str]]) -> list[bytes]:
    """Digest of each row, (n_rows,) of `ROW_DIGEST_BYTES` bytes.

    Args:
        columns: (n_columns,)(n_rows,), texts without NUL: the ids, the label codes, the groups, each metadata column,
            and `channels.joint_digest` of the images.
    """
    # No cell has a NUL, so different rows of as many columns never give one text.
    texts = map("\0".join, zip(*columns, strict=True))
    return [hashlib.blake2b(text.encode(), digest_size=ROW_DIGEST_BYTES).digest() for text in texts]


def rows_digest(digests: Iterable[bytes]) -> str:
    """Hex digest of rows in any order, from the digest of each."""
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()
