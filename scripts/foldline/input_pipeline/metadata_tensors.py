"""Metadata vectors inside the input pipeline: what `metadata.Encoding.encode` gives, from the texts of a record."""

from collections.abc import Mapping

from foldline.dataset.metadata import NUMERIC, Column, Encoding
from foldline.runtime.tensorflow import tf


def metadata_vector(row: Mapping[str, tf.Tensor], encoding: Encoding) -> tf.Tensor:
    """Vector of a record.

    Args:
        row: features of the record; those that are the columns of the encoding are strings, ().
        encoding: how they become numbers.

    Returns:
        float32, (encoding.width,).
    """
    return tf.concat([_numbers(row[column.name], column) for column in encoding.columns], axis=0)


def _numbers(text: tf.Tensor, column: Column) -> tf.Tensor:
    absent = tf.reduce_any(text == tf.constant(list(column.missing)))
    if column.kind == NUMERIC:
        number = tf.strings.to_number(tf.where(absent, "0", text), tf.float32)
        scaled = (number - column.mean) / column.deviation
        return tf.stack([tf.where(absent, 0.0, scaled), tf.cast(absent, tf.float32)])
    known = text == tf.constant(list(column.vocabulary))
    places = tf.concat([known & ~absent, absent[tf.newaxis]], axis=0)
    message = f"{column.name}: a value that is not in the vocabulary"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.reduce_any(places), True, message)]):
        return tf.cast(places, tf.float32)
