"""Order and shards of rows by the hash of their ids: a shuffle that every machine repeats, row by row.

A row's shard depends on its id alone, so a row more or less changes one shard.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence


def id_hash(name: str) -> int:
    """Where an id stands on the circle of 2**64 places: the first 8 bytes of its SHA-256, big-endian.

    The order by id_hash is a shuffle that every machine repeats.
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def shard_index(name: str, count: int) -> int:
    """Which of `count` buckets an id falls into, in 0..count-1; it does not depend on the other ids."""
    return id_hash(name) * count >> 64


def shard_name(index: int, count: int) -> str:
    """Name of shard `index` of `count`, as TensorFlow numbers shards: 3 of 16 is "00003-of-00016"."""
    return f"{index:05d}-of-{count:05d}"


def shard_numbers(name: str) -> tuple[int, int]:
    """Index and count of a shard from its name."""
    index, count = name.split("-of-")
    return int(index), int(count)


def shards_within(shard: str, finer: Sequence[str]) -> list[str]:
    """Those of the shards of a finer cut, in order, whose rows are rows of `shard`.

    Both counts are powers of two, so each finer shard lies within one coarser shard.
    """
    if not finer:
        return []
    index, count = shard_numbers(shard)
    total = shard_numbers(finer[0])[1]
    numbers = (index * total // count, (index + 1) * total // count)
    # Names sort as their numbers do.
    first, end = (bisect_left(finer, shard_name(number, total)) for number in numbers)
    return list(finer[first:end])
