"""Id hashes: equal on every machine, and shards that follow them."""

import numpy as np
import pytest
from foldline.dataset.id_hash import id_hash, shard_index, shard_name, shard_numbers, shards_within


def test_an_id_hash_is_the_start_of_its_sha256() -> None:
    # The first 8 bytes of SHA-256("abc"), whose value is in FIPS 180-2, appendix B.1.
    assert id_hash("abc") == 0xBA7816BF8F01CFEA
    assert id_hash("ä") != id_hash("a")


@pytest.mark.parametrize("count", [1, 3, 16])
def test_shards_have_similar_sizes_and_follow_the_id_hash(count: int) -> None:
    names = [f"image_{number}" for number in range(3000)]
    shards = [shard_index(name, count) for name in names]
    sizes = np.bincount(shards, minlength=count)
    assert len(sizes) == count
    assert sizes.min() > 0.7 * 3000 / count
    ordered = [shard_index(name, count) for name in sorted(names, key=id_hash)]
    assert ordered == sorted(ordered)


def test_shards_are_named_as_in_tensorflow() -> None:
    assert shard_name(3, 16) == "00003-of-00016"
    assert shard_numbers("00003-of-00016") == (3, 16)


def test_a_finer_shard_is_part_of_one_coarser_shard() -> None:
    finer = [shard_name(index, 8) for index in range(8)]
    assert shards_within("00001-of-00004", finer) == ["00002-of-00008", "00003-of-00008"]
    names = [f"image_{number}" for number in range(500)]
    for index in range(4):
        inside = {shard_numbers(name)[0] for name in shards_within(shard_name(index, 4), finer)}
        assert {shard_index(name, 8) for name in names if shard_index(name, 4) == index} == inside
