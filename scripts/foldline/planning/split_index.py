"""What the plan needs to know of one split: the size of its rows, and the digests of its shards."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

from foldline.dataset.id_hash import shard_index, shard_name
from foldline.dataset.rows_digest import rows_digest
from foldline.planning.index_table import ShardDigests
from foldline.planning.samples import Samples


@dataclass(frozen=True)
class RowDigests:
    """Digests of the rows of a split.

    Attributes:
        ids: (n_rows,).
        digests: (n_rows,), see `samples.Samples.digests`.
        files: (n_rows,), see `samples.Samples`; empty for image files.
    """

    ids: Sequence[str]
    digests: Sequence[bytes]
    files: Sequence[str] = ()

    @classmethod
    def of(cls, samples: Samples) -> "RowDigests":
        """Digests of the rows of samples."""
        return cls(samples.rows.id, samples.digests(), samples.files)


@dataclass
class SplitIndex:
    """What the plan needs to know of one split.

    Attributes:
        image_bytes: (n_rows,), size of the images of each row together.
        rows: gives the digests of the rows; called only for shard digests that are not known yet.
        known_digests: the shard digests that are known.
    """

    image_bytes: "array[int]"
    rows: Callable[[], RowDigests]
    known_digests: ShardDigests = field(default_factory=dict)

    @classmethod
    def from_samples(cls, samples: Samples) -> "SplitIndex":
        """Index of the rows of a split."""
        digests = RowDigests.of(samples)
        return cls(array("q", samples.sizes), lambda: digests)

    def capped_bytes(self, limit: float) -> float:
        """Bytes of all rows together, if a row counts at most `limit` bytes."""
        import pyarrow as pa
        import pyarrow.compute as pc

        sizes = pa.Array.from_buffers(pa.int64(), len(self.image_bytes), [None, pa.py_buffer(self.image_bytes)])
        capped = pc.sum(pc.min_element_wise(sizes.cast(pa.float64()), limit)).as_py()
        return float(capped or 0)

    def shard_digests(self, count: int, *, with_files: bool = False) -> dict[str, str]:
        """Digests of the rows of each shard by its name, in order; empty shards are left out.

        Args:
            count: number of shards.
            with_files: whether the TFRecord file of a sample counts, because it decides the fold.
        """
        sharding = f"{count}{' with files' if with_files else ''}"
        if sharding not in self.known_digests:
            rows = self.rows()
            digests: Sequence[bytes] = rows.digests
            if with_files:
                files = rows.files or repeat("")
                digests = [digest + file.encode() for digest, file in zip(digests, files, strict=bool(rows.files))]
            in_shard: dict[int, list[bytes]] = {}
            for name, digest in zip(rows.ids, digests, strict=True):
                in_shard.setdefault(shard_index(name, count), []).append(digest)
            self.known_digests[sharding] = {
                shard_name(index, count): rows_digest(in_shard[index]) for index in sorted(in_shard)
            }
        return self.known_digests[sharding]
