"""Encode metadata inside the input pipeline, with the results of `metadata.Encoding.encode`."""

from collections.abc import Mapping

from foldline.dataset.metadata import NUMERIC, Column, Encoding
from foldline.runtime.tensorflow import tf


def metadata_vector(row: Mapping[str, tf.Tensor], encoding: Encoding) -> tf.Tensor:
    """Metadata vector of a record.

    Args:
        row: features of the record; the columns of the encoding are strings, ().
        encoding: the encoding.

    Returns:
        float32, (encoding.width,).
    """
    return tf.concat([_numbers(row[column.name], column) for column in encoding.columns], axis=0)


def _numbers(text: tf.Tensor, column: Column) -> tf.Tensor:
    missing = tf.reduce_any(text == tf.constant(list(column.missing)))
    if column.kind == NUMERIC:
        number = tf.strings.to_number(tf.where(missing, "0", text), tf.float32)
        scaled = (number - column.mean) / column.deviation
        return tf.stack([tf.where(missing, 0.0, scaled), tf.cast(missing, tf.float32)])
    equal = text == tf.constant(list(column.vocabulary))
    one_hot = tf.concat([equal & ~missing, missing[tf.newaxis]], axis=0)
    message = f"{column.name}: a value is not in the vocabulary"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.reduce_any(one_hot), True, message)]):
        return tf.cast(one_hot, tf.float32)
