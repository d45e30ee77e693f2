"""A snapshot comes back exactly, or is refused."""

import math

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.training.snapshot_file import Snapshot, blocks_of, parse_snapshot

RANDOM = np.random.default_rng(1)
ARRAYS = {
    "network": [RANDOM.normal(size=(3, 4)).astype(np.float32), np.float32(0.1) * np.ones((), np.float32)],
    "optimizer": [np.array(7, np.int64), np.zeros((0, 3), np.float32), RANDOM.normal(size=5).astype(np.float16)],
    "kept": [],
}
FACTS = {"step": 12, "losses": [0.1, 1 / 3], "best": -math.inf, "history": [{"epoch": 1}]}


@pytest.fixture
def data() -> bytes:
    return b"".join(blocks_of(Snapshot(FACTS, ARRAYS)))


def test_it_comes_back_exactly(data: bytes) -> None:
    found = parse_snapshot("a.snapshot", data)
    assert found.facts == FACTS
    assert list(found.arrays) == list(ARRAYS)
    for name, arrays in ARRAYS.items():
        assert [array.dtype for array in found.arrays[name]] == [array.dtype for array in arrays]
        for got, wanted in zip(found.arrays[name], arrays, strict=True):
            np.testing.assert_array_equal(got, wanted, strict=True)


@pytest.mark.parametrize("place", [0, 10, 200, -40, -1])
def test_a_flipped_bit_is_noticed(data: bytes, place: int) -> None:
    flipped = bytearray(data)
    flipped[place] ^= 1
    with pytest.raises(FoldlineError, match=r"a\.snapshot: cut or damaged"):
        parse_snapshot("a.snapshot", bytes(flipped))


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_cut_file_is_noticed(data: bytes, length: int) -> None:
    with pytest.raises(FoldlineError, match="cut or damaged"):
        parse_snapshot("a.snapshot", data[:length])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_seen(value: float) -> None:
    assert Snapshot(FACTS, ARRAYS).is_finite()
    assert not Snapshot(FACTS, {**ARRAYS, "kept": [np.array([1.0, value], np.float32)]}).is_finite()
