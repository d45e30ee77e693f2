"""tf.train.Example without TensorFlow; see test_records for the agreement with TensorFlow."""

import struct

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.tfrecords.example_proto import decode_example, encode_example, float32_text


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)])
def test_integers_are_read_back(number: int) -> None:
    assert decode_example(encode_example({"n": [number]})) == {"n": [number]}


@pytest.mark.parametrize("length", [0, 1, 127, 128, 20_000])
def test_bytes_are_read_back(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    assert decode_example(encode_example({"name": data})) == {"name": [data]}


def test_a_message_has_the_bytes_of_the_encoding_rules() -> None:
    """Field 1 of Example, an entry, its key and its feature."""
    assert encode_example({"a": [1]}) == bytes.fromhex("0a0c0a0a0a016112051a030a0101")
    assert encode_example({"a": b"x"}) == bytes.fromhex("0a0c0a0a0a016112050a030a0178")


def test_unpacked_numbers_are_read() -> None:
    unpacked = bytes.fromhex("0a0e0a0c0a016112071a05080108ac02")
    assert decode_example(unpacked) == {"a": [1, 300]}


def test_unknown_fields_are_ignored() -> None:
    known = encode_example({"a": [1]})
    assert decode_example(bytes.fromhex("10011d000000002100000000000000002a0161") + known) == {"a": [1]}


def test_an_empty_message_has_no_features() -> None:
    assert decode_example(b"") == {}


def test_truncated_messages_are_refused() -> None:
    intact = encode_example({"a": b"some bytes", "b": [7]})
    for length in range(1, len(intact)):
        with pytest.raises(FoldlineError, match=r"not a tf\.train\.Example"):
            decode_example(intact[:length])


def test_noise_is_read_or_refused_with_foldline_error() -> None:
    random = np.random.default_rng(3)
    refused = 0
    for length in range(400):
        try:
            decode_example(random.bytes(length % 60 + 1))
        except FoldlineError:
            refused += 1
    assert refused > 200


def test_floats_have_the_shortest_text_of_their_32_bits() -> None:
    random = np.random.default_rng(5)
    bits = random.integers(0, 2**32, 2000, dtype=np.uint32).view(np.float32)
    chosen = np.float32([0, -0.0, 0.1, 1 / 3, 16777217, 1e-45, np.finfo(np.float32).max, np.inf])
    for value in np.concatenate([chosen, bits[~np.isnan(bits)]]):
        text = float32_text(float(value))
        assert np.float32(text) == value
        if float(value).is_integer():
            # They may be names.
            assert float(text) == value
            continue
        assert len(np.format_float_scientific(np.float64(text))) <= len(np.format_float_scientific(value))
    assert [float32_text(float(value)) for value in chosen[2:4]] == ["0.1", "0.33333334"]
    assert [float32_text(value) for value in (45.0, 2.0**24, 2.0**33)] == ["45.0", "16777216.0", "8589934592.0"]


def test_an_integer_in_a_list_of_floats_is_refused() -> None:
    """A float list with a varint, then one with a float in four bytes."""
    head = bytes.fromhex("0a0b0a090a01611204")
    with pytest.raises(FoldlineError, match="an integer in a list of floats"):
        decode_example(head + bytes.fromhex("12020801"))
    packed = bytes.fromhex("0a0f0a0d0a016112081206") + b"\x0a\x04" + struct.pack("<f", 0.5)
    assert decode_example(packed) == {"a": [0.5]}
