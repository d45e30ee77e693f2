"""tf.train.Example without TensorFlow; see test_shards for the agreement with TensorFlow."""

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.tfrecords.example_proto import decode_example, encode_example


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
