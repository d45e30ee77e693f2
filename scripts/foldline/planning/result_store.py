"""Where the results are: on a disk, or in the bucket of Snakemake's default storage provider.

Both tell when a file was written and whether a `built` file holds a key. A bucket is asked once, by one listing: that
of a `built` object tells its checksum, which is enough to compare it with a key.
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
        """When a file was written, in ns since 1970; None where there is none."""
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def set_mtime(self, path: Path, moment: int) -> None:
        """Make Snakemake believe that a file was written at another moment, in ns since 1970."""
        os.utime(path, ns=(moment, moment))

    def holds(self, path: Path, key: str) -> bool:
        """Whether the first line of a file is `key`."""
        try:
            with path.open(encoding="utf-8") as handle:
                return handle.readline().rstrip("\n") == key
        except FileNotFoundError:
            return False


class BucketResults(LocalResults):
    """Results in a bucket; files that stay on the local disk are looked up there.

    Snakemake's storage plugin asks for objects one by one, and an object cannot be given another mtime. So the plugin
    is made to answer from what stands here: each object that was asked for, whether it is there, and its mtime.
    """

    def __init__(self, provider: Any, prefix: str):
        """List the bucket, and make the storage provider answer from that.

        Args:
            provider: Snakemake's default storage provider.
            prefix: URL of the folder of the working directory in the bucket.

        Raises:
            FoldlineError: the bucket cannot be listed.
        """
        self._local_copies = Path(provider.local_prefix)
        self._objects = {self._path(url): facts for url, facts in storage.list_objects(prefix).items()}
        self._mtimes: dict[Path, int | None] = {}
        plugin = provider.get_storage_object_cls()

        class ListedObject(plugin):
            async def inventory(storage_object, cache: Any) -> None:  # noqa: N805
                self._tell(cache)

        provider.get_storage_object_cls = lambda: ListedObject

    def mtime(self, path: Path) -> int | None:
        """See `LocalResults`."""
        if not path.is_relative_to(self._local_copies):
            return super().mtime(path)
        if path not in self._mtimes:
            self._mtimes[path] = self._objects[path].updated_ns if path in self._objects else None
        return self._mtimes[path]

    def set_mtime(self, path: Path, moment: int) -> None:
        """See `LocalResults`; the object itself is left alone."""
        if not path.is_relative_to(self._local_copies):
            super().set_mtime(path, moment)
            return
        self._mtimes[path] = moment

    def holds(self, path: Path, key: str) -> bool:
        """See `LocalResults`; the object has to hold the key and nothing else."""
        if not path.is_relative_to(self._local_copies):
            return super().holds(path, key)
        checksum = base64.b64encode(hashlib.md5(f"{key}\n".encode()).digest()).decode()
        return path in self._objects and self._objects[path].checksum == f"md5Hash:{checksum}"

    def _path(self, url: str) -> Path:
        """Path of the local copy of an object, by which Snakemake knows it."""
        return self._local_copies / url.partition("://")[2]

    def _tell(self, cache: Any) -> None:
        from snakemake_interface_storage_plugins.io import Mtime

        for path, moment in self._mtimes.items():
            cache.exists_in_storage[str(path)] = moment is not None
            if moment is not None:
                cache.mtime[str(path)] = Mtime(storage=moment / SECOND)


def check_reach(root: str, settings: Any) -> None:
    """Refuse a local data set where jobs run on machines that do not see it.

    Args:
        root: `dataset.root` of the configuration.
        settings: Snakemake's settings of storage.

    Raises:
        FoldlineError: the root is a local folder, and no disk is shared for inputs and outputs.
    """
    shared = {str(usage) for usage in settings.shared_fs_usage}
    if "input-output" not in shared and not storage.is_url(root):
        raise FoldlineError(
            f"config: dataset.root is the local folder {root!r}, and jobs run on machines that do not see it "
            "(--shared-fs-usage); copy the data to a bucket and give its gs:// URL"
        )


def results_of(settings: Any, registry: Any) -> LocalResults:
    """The place of the results by Snakemake's settings of storage, and its registry of storage providers.

    Raises:
        FoldlineError: the default storage provider is not gcs, or the bucket cannot be listed.
    """
    if settings.default_storage_provider is None:
        return LocalResults()
    prefix = settings.default_storage_prefix
    if settings.default_storage_provider != "gcs" or not str(prefix).startswith("gs://"):
        raise FoldlineError(
            f"--default-storage-provider {settings.default_storage_provider} --default-storage-prefix {prefix!r}: "
            "results stand on a disk that all jobs see (leave both out), or in a bucket (gcs and gs://BUCKET/FOLDER)"
        )
    return BucketResults(registry.default_storage_provider, prefix)
