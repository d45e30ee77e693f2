"""Files that appear whole or not at all, and digests of what is in them."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def atomic_write(path: str | Path, *, mode: str = "wb", sync: bool = True, **open_options: Any) -> Iterator[IO[Any]]:
    """Open a file aside of `path`; flush, sync and rename it to `path` on success, remove it on failure.

    Args:
        path: where the finished file appears; missing parent folders are made.
        mode: "wb" or "w".
        sync: wait until the disk has it; without, it may be gone or empty after a failure of the power.
        **open_options: handed to `open` (`encoding`, `newline`).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open(mode, **open_options) as handle:
            yield handle
            handle.flush()
            if sync:
                os.fsync(handle.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as JSON with sorted keys; NaN and infinity are refused (they are not JSON)."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    with atomic_write(path, mode="w", encoding="utf-8") as handle:
        handle.write(text + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def sha256_of_file(path: str | Path) -> str:
    """Hex SHA-256 of the bytes of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def digest_of(content: Any) -> str:
    """Hex SHA-256 of a JSON-able value; equal values give equal digests on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
