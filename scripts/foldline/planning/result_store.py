"""Where the results are: on a disk, or in the bucket of Snakemake's default storage provider.

Both know when a file was written, and whether the outputs of a job are those that its record (`io.build_record`) tells.
On a disk, outputs that nobody can have touched since the record are not read; others are digested once. A bucket is
listed once; the checksums in the listing are enough.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldline.errors import FoldlineError
from foldline.io import storage
from foldline.io.build_record import BuildRecord, md5_of_file
from foldline.planning.file_digests import load_digests, save_digests, status_of

SECOND = 1_000_000_000


class LocalResults:
    """Results on a disk.

    Attributes:
        on_disk: whether outputs stay on the disk where jobs write them.
        read_only: whether their mtimes must not be set, because another run works with them.
    """

    on_disk = True

    def __init__(self, digests: Path, *, read_only: bool = False) -> None:
        """Prepare to look results up.

        Args:
            digests: file of known digests of outputs, read and updated.
            read_only: see the attribute.
        """
        self._path, self._digests, self.read_only = digests, load_digests(digests, md5_of_file), read_only

    def mtime(self, path: Path) -> int | None:
        """Mtime of a file in ns since 1970; None if the file does not exist."""
        status = status_of(path)
        return status and status[1]

    def set_mtime(self, path: Path, mtime: int) -> None:
        """Set the mtime of a file, in ns since 1970, as Snakemake sees it; does nothing if results are read-only."""
        if not self.read_only:
            os.utime(path, ns=(mtime, mtime))

    def unrecorded(self, built: Path, outputs: Sequence[Path], key: str) -> list[str] | None:
        """Compare the outputs of a job with its record.

        Args:
            built: the record.
            outputs: the outputs; all exist.
            key: current key of the job.

        Returns:
            The outputs that are not what the job wrote, each with what is different; None if there is no record, or
            that of another key or of other outputs.
        """
        record, recorded_at = BuildRecord.read(built), status_of(built)
        if record is None or recorded_at is None or not record.is_of(key, outputs):
            return None
        different = []
        for path in outputs:
            size, md5 = record.outputs[path.name]
            status = status_of(path)
            if status is None or status[0] != size:
                different.append(f"{path} has {status[0] if status else 0} bytes, but its job wrote {size}")
            elif record.is_untouched(path.name, inode=status[3], ctime_ns=status[2], recorded_ns=recorded_at[2]):
                continue
            elif self._digests.of([str(path)]) != [md5]:
                different.append(f"{path} is not as its job wrote it (MD5)")
        return different

    def save(self) -> None:
        """Store the digests of outputs that were computed."""
        save_digests(self._path, self._digests)

    def url(self, path: Path) -> str:
        """Path or URL under which a job finds an output of another job."""
        return str(path)


class BucketResults(LocalResults):
    """Results in a bucket; files that stay on the local disk are looked up there.

    Snakemake's storage plugin requests objects one by one, and the mtime of an object cannot be set. So this class
    makes the plugin answer from the listing: for each object that was looked up, whether it exists and its mtime.
    """

    on_disk = False

    def __init__(self, provider: Any, prefix: str, digests: Path, *, read_only: bool = False) -> None:
        """List the bucket, and make the storage provider answer from the listing.

        Args:
            provider: Snakemake's default storage provider.
            prefix: URL of the folder in the bucket that holds the working directory.
            digests: see `LocalResults`.
            read_only: see `LocalResults`; the mtimes of objects are those that Snakemake sees, and are always set.

        Raises:
            FoldlineError: the bucket cannot be listed.
        """
        super().__init__(digests, read_only=read_only)
        self._local_copies, self._scheme = Path(provider.local_prefix), prefix.partition("://")[0]
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

    def unrecorded(self, built: Path, outputs: Sequence[Path], key: str) -> list[str] | None:
        """See `LocalResults`."""
        if not built.is_relative_to(self._local_copies):
            return super().unrecorded(built, outputs, key)
        if built not in self._objects:
            return None
        # An output beside the data of the example is on the local disk.
        objects = {path.name: self._objects.get(path) or _local_object(path) for path in outputs}
        checksums = {name: info.checksum.partition(":") for name, info in objects.items()}
        if all(kind == "md5Hash" for kind, _, _ in checksums.values()):
            expected = BuildRecord(key, {name: (objects[name].bytes, md5) for name, (_, _, md5) in checksums.items()})
            if self._objects[built].checksum == storage.md5_as_listed(expected.text().encode()):
                return []
        record = BuildRecord.parse(storage.read(self.url(built)))
        if record is None or not record.is_of(key, outputs):
            return None
        # A composed object has no MD5.
        return [
            f"{self.url(path)} is not as its job wrote it"
            for path in outputs
            if record.outputs[path.name][0] != objects[path.name].bytes
            or (checksums[path.name][0] == "md5Hash" and record.outputs[path.name][1] != checksums[path.name][2])
        ]

    def url(self, path: Path) -> str:
        """See `LocalResults`."""
        if not path.is_relative_to(self._local_copies):
            return str(path)
        return f"{self._scheme}://{path.relative_to(self._local_copies).as_posix()}"

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


def _local_object(path: Path) -> storage.ObjectInfo:
    return storage.ObjectInfo(path.stat().st_size, f"md5Hash:{md5_of_file(path)}", path.stat().st_mtime_ns)


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


def open_results(settings: Any, registry: Any, *, digests: Path, read_only: bool = False) -> LocalResults:
    """Open the store of the results.

    Args:
        settings: Snakemake's storage settings.
        registry: Snakemake's registry of storage providers.
        digests: see `LocalResults`.
        read_only: see `LocalResults`.

    Raises:
        FoldlineError: the default storage provider is not gcs, or the bucket cannot be listed.
    """
    if settings.default_storage_provider is None:
        return LocalResults(digests, read_only=read_only)
    prefix = settings.default_storage_prefix
    if settings.default_storage_provider != "gcs" or not str(prefix).startswith("gs://"):
        raise FoldlineError(
            f"--default-storage-provider {settings.default_storage_provider} --default-storage-prefix {prefix}: "
            "results can be on a disk that all jobs see (leave out both options) or in a bucket (gcs and "
            "gs://BUCKET/FOLDER)"
        )
    return BucketResults(registry.default_storage_provider, prefix, digests, read_only=read_only)
