"""Shards as streams of images: rows chosen by the fold table before anything is decoded, order fixed by a seed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foldline import records
from foldline.augment import augment
from foldline.engine import tf
from foldline.errors import FoldlineError, listing
from foldline.files import digest_of
from foldline.rows import bucket, part_numbers, position

# Encoded records that wait to be shuffled take about this much memory.
SHUFFLE_BYTES = 256 << 20
# Files that are read at once in training; their records take turns in blocks.
OPEN_FILES, BLOCK_RECORDS = 8, 16


@dataclass(frozen=True)
class Shards:
    """Shards that were compared with their manifests.

    Attributes:
        paths: TFRecord files, in the order of the workflow.
        manifests: what the manifest of each says.
    """

    paths: tuple[str, ...]
    manifests: tuple[dict[str, Any], ...]

    @property
    def count(self) -> int:
        """Number of records of all shards."""
        return sum(manifest["records"] for manifest in self.manifests)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a record in bytes."""
        return sum(manifest["bytes"] for manifest in self.manifests) / max(1, self.count)


def open_shards(paths: Sequence[str | Path], manifests: Sequence[str | Path], *, image_size: int) -> Shards:
    """Compare shards with their manifests; see `records.check_shards`.

    Raises:
        FoldlineError: they differ, or hold images of another size.
    """
    contents = records.check_shards(paths, manifests)
    for path, manifest in zip(paths, contents, strict=True):
        if manifest["image_size"] != image_size:
            raise FoldlineError(f"{path}: images of {manifest['image_size']} px, the model takes {image_size} px")
    return Shards(tuple(str(path) for path in paths), tuple(contents))


def check_ids(shards: Shards, ids: Sequence[str]) -> None:
    """Check that the shards hold these rows and no others, from the digests of ids in the manifests.

    Which ids a shard holds, and in which order, follows from its name: nothing has to be read.

    Args:
        shards: all shards of a part of the data.
        ids: all ids of that part.

    Raises:
        FoldlineError: a shard lacks a row, or holds a foreign one.
    """
    ordered = sorted(ids, key=position)
    for path, manifest in zip(shards.paths, shards.manifests, strict=True):
        index, count = part_numbers(manifest["piece"])
        expected = [name for name in ordered if bucket(name, count) == index]
        if manifest["records"] != len(expected) or manifest["ids_sha256"] != digest_of(expected):
            raise FoldlineError(
                f"{path}: its {manifest['records']} rows are not the {len(expected)} rows that the fold table has for "
                "this shard; run the workflow again so that both come from one table"
            )


def training_batches(
    shards: Shards,
    ids: Sequence[str],
    *,
    image_size: int,
    batch_size: int,
    epochs: int,
    seed: int,
    augmentation: Mapping[str, Any],
    threads: int,
) -> tf.data.Dataset:
    """All epochs of a training as one stream of full batches: an epoch's last rows begin a batch that the next fills.

    So every epoch holds every row exactly once, no batch is small (batch normalisation would see too few images), and
    shapes are static, as TPUs want them. Rows that fill no batch at the very end are left out.

    Args:
        shards: the shards.
        ids: the training rows; shards may hold others.
        image_size: edge S in pixels.
        batch_size: rows in a batch.
        epochs: passes over the rows.
        seed: of the order and of the augmentation.
        augmentation: settings of `augment.augment`.
        threads: CPU threads that the stream may use.

    Returns:
        Dataset of images, uint8 (batch_size, S, S, 3), and labels, float32 (batch_size, n_classes).
    """
    keep = _id_filter(ids)
    buffer = int(max(batch_size, min(len(ids), SHUFFLE_BYTES / max(1.0, shards.mean_bytes))))

    def epoch_rows(epoch: tf.Tensor) -> tf.data.Dataset:
        pair = tf.stack([tf.constant(seed, tf.int64), epoch])
        seeds = tf.random.stateless_uniform([2], pair, minval=None, maxval=None, dtype=tf.int64)
        files = tf.random.experimental.stateless_shuffle(tf.constant(shards.paths), pair)
        rows = tf.data.Dataset.from_tensor_slices(files).interleave(
            tf.data.TFRecordDataset, cycle_length=OPEN_FILES, block_length=BLOCK_RECORDS
        )
        rows = rows.map(_parser(labelled=True)).filter(keep)
        rows = rows.apply(tf.data.experimental.assert_cardinality(len(ids)))
        return rows.shuffle(buffer, seed=seeds[0], reshuffle_each_iteration=False)

    def finished(place: tf.Tensor, row: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        image = decode_image(row[records.IMAGE], image_size)
        pair = tf.stack([tf.constant(seed, tf.int64), place])
        return augment(image, pair, augmentation), _labels(row)

    rows = tf.data.Dataset.range(epochs).flat_map(epoch_rows).enumerate()
    batches = rows.map(finished, num_parallel_calls=threads).batch(batch_size, drop_remainder=True)
    return batches.prefetch(2).with_options(_options(threads))


def ordered_batches(
    shards: Shards, ids: Sequence[str] | None, *, image_size: int, batch_size: int, labelled: bool, threads: int
) -> tf.data.Dataset:
    """Rows once, in the order of the shards.

    Args:
        shards: the shards.
        ids: the rows wanted; None for all.
        image_size: edge S in pixels.
        batch_size: most rows in a batch; the last one may be smaller.
        labelled: whether the records carry labels.
        threads: CPU threads that the stream may use.

    Returns:
        Dataset of ids, string (batch,), images, uint8 (batch, S, S, 3), and labels, float32 (batch, n_classes), or
        (batch, 0) where there are none.
    """
    rows = tf.data.TFRecordDataset(list(shards.paths)).map(_parser(labelled=labelled))
    if ids is not None:
        rows = rows.filter(_id_filter(ids))

    def finished(row: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image = decode_image(row[records.IMAGE], image_size)
        return row[records.ID], image, _labels(row) if labelled else tf.zeros([0])

    batches = rows.map(finished, num_parallel_calls=threads).batch(batch_size)
    return batches.prefetch(2).with_options(_options(threads))


def decode_image(data: tf.Tensor, image_size: int) -> tf.Tensor:
    """Decode a JPEG or PNG of the right size.

    Args:
        data: string, (); the file's bytes.
        image_size: edge S that the image must have, in pixels.

    Returns:
        uint8, (S, S, 3); grey images have three equal channels.
    """
    # decode_jpeg knows PNG too. The accurate transform gives the pixels that other decoders give.
    image = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(image, (image_size, image_size, 3))


@contextmanager
def reading(shards: Shards) -> Iterator[None]:
    """Turn what TensorFlow says about unreadable records into one message that names the shards.

    Raises:
        FoldlineError: a record is damaged, no image, of another size, or rows are missing.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
        said = str(error).splitlines()[0]
        raise FoldlineError(
            f"shards {listing(list(shards.paths), limit=3)} cannot be read: {said}; remove them and run the workflow "
            "again"
        ) from error


def check_read(ids: Sequence[str], expected: Sequence[str], *, source: str) -> None:
    """Check that rows were read once each, none missing and none foreign.

    Raises:
        FoldlineError: they were not; the message lists ids.
    """
    names, counts = np.unique(np.array(ids, dtype=object), return_counts=True)
    repeated = [str(name) for name in names[counts > 1]]
    missing, foreign = sorted(set(expected) - set(ids)), sorted(set(ids) - set(expected))
    for word, found in (("repeated", repeated), ("missing", missing), ("foreign", foreign)):
        if found:
            raise FoldlineError(f"{source}: {len(found)} {word} ids ({listing(found)}); build the shards again")


def _parser(*, labelled: bool) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    types = {records.BYTES: tf.string, records.INTEGER: tf.int64}
    kinds = records.feature_kinds([], labelled)
    wanted = [name for name in kinds if name != records.GROUP]
    features = {name: tf.io.FixedLenFeature([], types[kinds[name]]) for name in wanted}
    return lambda record: tf.io.parse_single_example(record, features)


def _id_filter(ids: Sequence[str]) -> Callable[[dict[str, tf.Tensor]], tf.Tensor]:
    keys = tf.constant(list(ids), tf.string)
    known = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, tf.ones(len(ids), tf.int32)), default_value=0
    )
    return lambda row: known.lookup(row[records.ID]) > 0


def _labels(row: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.cast(row[records.TARGET], tf.float32)[tf.newaxis]


def _options(threads: int) -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    # Tuning while running would raise the parallelism above `threads`.
    options.autotune.enabled = False
    return options
