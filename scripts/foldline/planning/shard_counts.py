"""How many shards there are, in powers of two, so that a few rows more or less seldom change their number."""

from collections.abc import Sequence

from foldline.dataset.id_hash import shard_name, shard_numbers

# Bytes per pixel of a JPEG of quality 95 (measured: 0.30 on dermoscopy, 0.45 on gray solar cells).
JPEG_BYTES_PER_PIXEL = 0.4


def coarser_shards(finer: Sequence[str], count: int) -> list[str]:
    """Names of those of `count` shards that hold one of the finer shards."""
    numbers = map(shard_numbers, finer)
    return [shard_name(index, count) for index in sorted({number * count // total for number, total in numbers})]


def power_of_two(ratio: float, *, above: bool = False) -> int:
    """Greatest power of two that is at most `ratio`, or 1; with `above`, the least one that is greater than `ratio`."""
    count = 1
    while (count if above else 2 * count) <= ratio:
        count *= 2
    return count
