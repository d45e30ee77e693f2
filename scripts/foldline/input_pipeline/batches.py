"""Shards as streams of images: rows chosen by the fold table before anything is decoded, order fixed by a seed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from foldline.dataset.input_spec import COLOR, IMAGE, METADATA, InputSpec
from foldline.errors import FoldlineError, listing, tensorflow_message
from foldline.input_pipeline.augment_config import AugmentConfig
from foldline.input_pipeline.augmentation import augment
from foldline.input_pipeline.color_jitter import draw_color_jitter, has_color_jitter
from foldline.input_pipeline.decode import Inputs, network_inputs
from foldline.input_pipeline.mixup import has_mixing, mix
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import Shards
from foldline.tfrecords.records import BYTES, ID, INTEGER, TARGET, feature_kinds

# Encoded records that wait to be shuffled take about this much memory.
SHUFFLE_BYTES = 256 << 20
# Files that are read at once in training; their records take turns in blocks.
OPEN_FILES, BLOCK_RECORDS = 8, 16
# Sets the draws of a batch apart from those of its rows.
BATCH_DRAWS = 1


def training_batches(
    shards: Shards,
    ids: Sequence[str],
    *,
    input_spec: InputSpec,
    batch_size: int,
    epochs: int,
    seed: int,
    augmentation: AugmentConfig,
    threads: int,
    first: int = 0,
) -> tf.data.Dataset:
    """All epochs of a training as one stream of full batches: an epoch's last rows begin a batch that the next fills.

    So every epoch holds every row exactly once, no batch is small (batch normalization would see too few images), and
    shapes are static, as TPUs want them. Rows that fill no batch at the very end are left out.

    Args:
        shards: the shards.
        ids: the training rows; shards may hold others.
        input_spec: what the model sees.
        batch_size: rows in a batch.
        epochs: passes over the rows.
        seed: of the order and of the augmentation.
        augmentation: the `augment` section of a model.
        threads: CPU threads that the stream may use.
        first: the batch to begin with; those before it are not decoded, and whole epochs before it not read.

    Returns:
        Dataset of inputs and labels, float32 (batch_size, n_classes). Inputs are "image", uint8 (batch_size, S, S, C),
        "metadata", float32 (batch_size, W), and "color", the float32 draws of `color.draw_color_jitter` with which the
        device changes the images by `color.apply_color_jitter`; each only if there is any.
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
        rows = rows.map(_parser(input_spec, shards.n_classes)).filter(keep)
        rows = rows.apply(tf.data.experimental.assert_cardinality(len(ids)))
        return rows.shuffle(buffer, seed=seeds[0], reshuffle_each_iteration=False)

    def finished(place: tf.Tensor, row: Inputs) -> tuple[Inputs, tf.Tensor]:
        inputs = network_inputs(row, input_spec)
        pair = tf.stack([tf.constant(seed, tf.int64), place])
        if IMAGE in inputs:
            inputs[IMAGE] = augment(inputs[IMAGE], pair, augmentation)
            if has_color_jitter(augmentation):
                inputs[COLOR] = draw_color_jitter(pair, augmentation, input_spec.channels)
        return inputs, tf.cast(row[TARGET], tf.float32)

    def mixed(place: tf.Tensor, batch: tuple[Inputs, tf.Tensor]) -> tuple[Inputs, tf.Tensor]:
        inputs, labels = batch
        pair = tf.random.experimental.stateless_fold_in(tf.stack([tf.constant(seed, tf.int64), place]), BATCH_DRAWS)
        images, metadata, labels = mix(inputs[IMAGE], inputs.get(METADATA), labels, pair, augmentation)
        changed = {IMAGE: images} if metadata is None else {IMAGE: images, METADATA: metadata}
        return {**inputs, **changed}, labels

    done, into = divmod(first * batch_size, len(ids))
    rows = tf.data.Dataset.range(done, epochs).flat_map(epoch_rows).skip(into).enumerate(first * batch_size)
    batches = rows.map(finished, num_parallel_calls=threads).batch(batch_size, drop_remainder=True)
    if input_spec.image_size is not None and has_mixing(augmentation):
        batches = batches.enumerate(first).map(mixed, num_parallel_calls=threads)
    return batches.prefetch(2).with_options(_options(threads))


def ordered_batches(
    shards: Shards, ids: Sequence[str] | None, *, input_spec: InputSpec, batch_size: int, labeled: bool, threads: int
) -> tf.data.Dataset:
    """Rows once, in the order of the shards.

    Args:
        shards: the shards.
        ids: the rows wanted; None for all.
        input_spec: what the model sees.
        batch_size: most rows in a batch; the last one may be smaller.
        labeled: whether the records carry labels.
        threads: CPU threads that the stream may use.

    Returns:
        Dataset of ids, string (batch,), inputs, as in `training_batches` without color, and labels, float32 (batch,
        n_classes), or (batch, 0) where there are none.
    """
    n_classes = shards.n_classes if labeled else 0
    rows = tf.data.TFRecordDataset(list(shards.paths)).map(_parser(input_spec, n_classes))
    if ids is not None:
        rows = rows.filter(_id_filter(ids))

    def finished(row: Inputs) -> tuple[tf.Tensor, Inputs, tf.Tensor]:
        labels = tf.cast(row[TARGET], tf.float32) if n_classes else tf.zeros([0])
        return row[ID], network_inputs(row, input_spec), labels

    batches = rows.map(finished, num_parallel_calls=threads).batch(batch_size)
    return batches.prefetch(2).with_options(_options(threads))


@contextmanager
def reading(shards: Shards) -> Iterator[None]:
    """Turn what TensorFlow says about unreadable records into one message that names the shards.

    Raises:
        FoldlineError: a record is damaged, no image, of another size, or rows are missing.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
        raise FoldlineError(
            f"shards {listing(list(shards.paths), limit=3)} cannot be read: {tensorflow_message(error)}; remove "
            "them and run the workflow again"
        ) from error


def _parser(input_spec: InputSpec, n_classes: int) -> Callable[[tf.Tensor], Inputs]:
    """Function of a serialized record that gives what a model sees of it, its id, and labels of `n_classes` if any."""
    types = {BYTES: tf.string, INTEGER: tf.int64}
    kinds = feature_kinds([column.name for column in input_spec.encoding.columns], n_classes > 0, input_spec.channels)
    wanted = [ID, *input_spec.columns()]
    features = {name: tf.io.FixedLenFeature([], types[kinds[name]]) for name in wanted}
    if n_classes:
        features[TARGET] = tf.io.FixedLenFeature([n_classes], types[kinds[TARGET]])
    return lambda record: tf.io.parse_single_example(record, features)


def _id_filter(ids: Sequence[str]) -> Callable[[Inputs], tf.Tensor]:
    keys = tf.constant(list(ids), tf.string)
    known = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, tf.ones(len(ids), tf.int32)), default_value=0
    )
    return lambda row: known.lookup(row[ID]) > 0


def _options(threads: int) -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    # Tuning while running would raise the parallelism above `threads`.
    options.autotune.enabled = False
    return options
