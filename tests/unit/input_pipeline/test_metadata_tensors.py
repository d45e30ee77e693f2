"""Metadata vectors of the input pipeline equal those of the encoding."""

import numpy as np
import pytest
from foldline.dataset.metadata import MetadataColumnConfig, fit_encoding
from foldline.input_pipeline.metadata_tensors import metadata_vector
from foldline.runtime.tensorflow import tf

CONFIGS = {
    "age": MetadataColumnConfig("numeric", (), ("0",)),
    "site": MetadataColumnConfig("categorical", ("arm", "leg", "torso"), ("-1",)),
}


ROWS = {"age": ["40", "", "60.0", "50", "0"], "site": ["arm", "leg", "", "torso", "-1"]}


def test_the_input_pipeline_encodes_the_same_vectors() -> None:
    encoding = fit_encoding(CONFIGS, ROWS)
    rows = tf.data.Dataset.from_tensor_slices(ROWS)
    expected = [encoding.encode({name: ROWS[name][row] for name in ROWS}) for row in range(5)]
    found = [metadata_vector(row, encoding) for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    inside = list(rows.map(lambda row: metadata_vector(row, encoding)).as_numpy_iterator())
    np.testing.assert_array_equal(inside, found)
    assert inside[0].dtype == np.float32


def test_an_unknown_word_is_an_error_in_the_input_pipeline() -> None:
    encoding = fit_encoding(CONFIGS, ROWS)
    with pytest.raises(tf.errors.InvalidArgumentError, match="site"):
        metadata_vector({"age": tf.constant("1"), "site": tf.constant("head")}, encoding)
