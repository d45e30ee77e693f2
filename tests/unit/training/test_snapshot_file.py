"""A snapshot is read back exactly, or is an error."""

import math

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.training.snapshot_file import Snapshot, blocks_of, parse_snapshot

GENERATOR = np.random.default_rng(1)
ARRAYS = {
    "network": [GENERATOR.normal(size=(3, 4)).astype(np.float32), np.float32(0.1) * np.ones((), np.float32)],
    "optimizer": [np.array(7, np.int64), np.zeros((0, 3), np.float32), GENERATOR.normal(size=5).astype(np.float16)],
    "best_weights": [],
}
FACTS = {"step": 12, "losses": [0.1, 1 / 3], "best": -math.inf, "history": [{"epoch": 1}]}


@pytest.fixture
def data() -> bytes:
    return b"".join(blocks_of(Snapshot(FACTS, ARRAYS)))


def test_a_snapshot_is_read_back_exactly(data: bytes) -> None:
    snapshot = parse_snapshot("a.snapshot", data)
    assert snapshot.facts == FACTS
    assert list(snapshot.arrays) == list(ARRAYS)
    for name, arrays in ARRAYS.items():
        assert [array.dtype for array in snapshot.arrays[name]] == [array.dtype for array in arrays]
        for array, expected in zip(snapshot.arrays[name], arrays, strict=True):
            np.testing.assert_array_equal(array, expected, strict=True)


@pytest.mark.parametrize("offset", [0, 10, 200, -40, -1])
def test_a_flipped_bit_is_an_error(data: bytes, offset: int) -> None:
    flipped = bytearray(data)
    flipped[offset] ^= 1
    with pytest.raises(FoldlineError, match=r"a\.snapshot: truncated or corrupt"):
        parse_snapshot("a.snapshot", bytes(flipped))


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_an_error(data: bytes, length: int) -> None:
    with pytest.raises(FoldlineError, match="truncated or corrupt"):
        parse_snapshot("a.snapshot", data[:length])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_not_finite(value: float) -> None:
    assert Snapshot(FACTS, ARRAYS).is_finite()
    assert not Snapshot(FACTS, {**ARRAYS, "best_weights": [np.array([1.0, value], np.float32)]}).is_finite()
