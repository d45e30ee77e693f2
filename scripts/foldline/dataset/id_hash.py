"""Order and shard of a row by the hash of its id: a shuffle that every machine repeats.

The shard of a row depends on its id alone, so a new or removed row changes one shard.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence


def id_hash(name: str) -> int:
    """Hash of an id: the first 8 bytes of its SHA-256, big-endian, in [0, 2**64)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def shard_index(name: str, count: int) -> int:
    """Shard of an id among `count` shards, in 0..count-1; it does not depend on other ids."""
    return id_hash(name) * count >> 64


def shard_name(index: int, count: int) -> str:
    """Name of shard `index` of `count`, as TensorFlow numbers shards: 3 of 16 is "00003-of-00016"."""
    return f"{index:05d}-of-{count:05d}"


def shard_numbers(name: str) -> tuple[int, int]:
    """Index and count of a shard from its name."""
    index, count = name.split("-of-")
    return int(index), int(count)


def shards_within(shard: str, finer: Sequence[str]) -> list[str]:
    """The shards of a finer partition, in order, whose rows are rows of `shard`.

    Both counts are powers of two, so each finer shard is part of one coarser shard.

    Args:
        shard: name of the coarser shard.
        finer: sorted names of the finer shards; some may be missing.
    """
    if not finer:
        return []
    index, count = shard_numbers(shard)
    total = shard_numbers(finer[0])[1]
    numbers = (index * total // count, (index + 1) * total // count)
    # Names sort as their numbers do.
    first, end = (bisect_left(finer, shard_name(number, total)) for number in numbers)
    return list(finer[first:end])
