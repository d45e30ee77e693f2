"""Where the results are: on a disk, or in the bucket of Snakemake's default storage provider.

Both know when a file was written and whether a `built` file holds a key. A bucket is listed once; the checksum of a
`built` object in the listing is enough to compare it with a key.
"""

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError
from foldline.io import storage

SECOND = 1_000_000_000


class LocalResults:
    """Results on a disk."""

    def mtime(self, path: Path) -> int | None:
        """Mtime of a file in ns since 1970; None if the file does not exist."""
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def set_mtime(self, path: Path, mtime: int) -> None:
        """Set the mtime of a file, in ns since 1970, as Snakemake sees it."""
        os.utime(path, ns=(mtime, mtime))

    def holds(self, path: Path, key: str) -> bool:
        """Whether the first line of a file is `key`; False if the file does not exist."""
        try:
            with path.open(encoding="utf-8") as handle:
                return handle.readline().rstrip("\n") == key
        except FileNotFoundError:
            return False


class BucketResults(LocalResults):
    """Results in a bucket; files that stay on the local disk are looked up there.

    Snakemake's storage plugin requests objects one by one, and the mtime of an object cannot be set. So this class
    makes the plugin answer from the listing: for each object that was looked up, whether it exists and its mtime.
    """

    def __init__(self, provider: Any, prefix: str) -> None:
        """List the bucket, and make the storage provider answer from the listing.

        Args:
            provider: Snakemake's default storage provider.
            prefix: URL of the folder in the bucket that holds the working directory.

        Raises:
            FoldlineError: the bucket cannot be listed.
        """
        self._local_copies = Path(provider.local_prefix)
        self._objects = {self._local_copy(url): facts for url, facts in storage.list_objects(prefix).items()}
        self._mtimes: dict[Path, int | None] = {}
        plugin: type = provider.get_storage_object_cls()

        async def inventory(storage_object: object, cache: Any) -> None:
            self._fill(cache)

        listed_object = type("ListedObject", (plugin,), {"inventory": inventory})
        provider.get_storage_object_cls = lambda: listed_object

    def mtime(self, path: Path) -> int | None:
        """See `LocalResults`."""
        if not path.is_relative_to(self._local_copies):
            return super().mtime(path)
        if path not in self._mtimes:
            self._mtimes[path] = self._objects[path].updated_ns if path in self._objects else None
        return self._mtimes[path]

    def set_mtime(self, path: Path, mtime: int) -> None:
        """See `LocalResults`; the object itself does not change."""
        if path.is_relative_to(self._local_copies):
            self._mtimes[path] = mtime
        else:
            super().set_mtime(path, mtime)

    def holds(self, path: Path, key: str) -> bool:
        """See `LocalResults`; the object has to hold the key and nothing else."""
        if not path.is_relative_to(self._local_copies):
            return super().holds(path, key)
        checksum = base64.b64encode(hashlib.md5(f"{key}\n".encode()).digest()).decode()
        return path in self._objects and self._objects[path].checksum == f"md5Hash:{checksum}"

    def _local_copy(self, url: str) -> Path:
        """Path of the local copy of an object, which Snakemake uses as its name."""
        return self._local_copies / url.partition("://")[2]

    def _fill(self, cache: Any) -> None:
        """Fill Snakemake's cache of what exists and when it was written."""
        from snakemake_interface_storage_plugins.io import Mtime

        for path, mtime in self._mtimes.items():
            cache.exists_in_storage[str(path)] = mtime is not None
            if mtime is not None:
                cache.mtime[str(path)] = Mtime(storage=mtime / SECOND)


def check_data_is_visible(root: str, settings: Any) -> None:
    """Refuse a local data set if jobs run on machines that do not see it.

    Args:
        root: `dataset.root` of the configuration.
        settings: Snakemake's storage settings.

    Raises:
        FoldlineError: the root is a local folder, and no disk is shared for inputs and outputs.
    """
    shared = {str(usage) for usage in settings.shared_fs_usage}
    if "input-output" not in shared and not storage.is_url(root):
        raise FoldlineError(
            f"config: dataset.root is the local folder {root!r}, but jobs run on machines that do not see it "
            "(--shared-fs-usage); copy the data to a bucket and set dataset.root to its URL (gs://BUCKET/FOLDER)"
        )


def open_results(settings: Any, registry: Any) -> LocalResults:
    """Open the store of the results.

    Args:
        settings: Snakemake's storage settings.
        registry: Snakemake's registry of storage providers.

    Raises:
        FoldlineError: the default storage provider is not gcs, or the bucket cannot be listed.
    """
    if settings.default_storage_provider is None:
        return LocalResults()
    prefix = settings.default_storage_prefix
    if settings.default_storage_provider != "gcs" or not str(prefix).startswith("gs://"):
        raise FoldlineError(
            f"--default-storage-provider {settings.default_storage_provider} --default-storage-prefix {prefix}: "
            "results can be on a disk that all jobs see (leave out both options) or in a bucket (gcs and "
            "gs://BUCKET/FOLDER)"
        )
    return BucketResults(registry.default_storage_provider, prefix)
