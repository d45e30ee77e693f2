"""Shards as streams of batches: rows are selected by id before their images are decoded; a seed fixes their order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from foldline.dataset.input_spec import COLOR, IMAGE, METADATA, ROW, ROW_WEIGHT, InputSpec
from foldline.errors import FoldlineError, listing, tensorflow_message
from foldline.input_pipeline.affine import MOST_VIEWS
from foldline.input_pipeline.augment_config import CYCLE, AugmentConfig
from foldline.input_pipeline.augmentation import augment_image
from foldline.input_pipeline.color_jitter import draw_color_jitter, has_color_jitter
from foldline.input_pipeline.decode import Inputs, network_inputs
from foldline.input_pipeline.mixup import has_mixing, mix
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import Shards
from foldline.tfrecords.records import BYTES, FLOAT, ID, INTEGER, TARGET, feature_kinds

# Approximate memory of the encoded records in the shuffle buffer.
SHUFFLE_BYTES = 256 << 20
# Files that training reads at a time, and records that it takes from one before the next.
OPEN_FILES, BLOCK_RECORDS = 8, 16
# Added to the seed of a batch, so that it differs from the seeds of rows.
BATCH_STREAM = 1
Weights = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class TrainingStream:
    """The batches of a training.

    Attributes:
        input_spec: what the model reads.
        batch_size: rows of a batch.
        epochs: passes over the rows.
        seed: of the order and of the augmentation.
        augment: the augmentation.
        threads: CPU threads of the stream.
    """

    input_spec: InputSpec
    batch_size: int
    epochs: int
    seed: int
    augment: AugmentConfig
    threads: int

    def seed_of(self, index: tf.Tensor) -> tf.Tensor:
        """Seed of a row, batch or epoch by its index in the stream: (2,), int64."""
        return tf.stack([tf.constant(self.seed, tf.int64), index])

    def view_of(self, name: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        """View of a row in an epoch if views take turns: (), int64; the first one depends on its id and the seed."""
        return tf.strings.to_hash_bucket_fast(tf.strings.join([f"{self.seed}/", name]), MOST_VIEWS) + epoch


def training_batches(
    shards: Shards,
    ids: Sequence[str],
    stream: TrainingStream,
    *,
    weights: Weights | None = None,
    numbers: Numbers | None = None,
    first: int = 0,
) -> tf.data.Dataset:
    """All epochs of a training as one stream of full batches; a batch may contain rows of two epochs.

    Every epoch contains every row exactly once, no batch is small (which batch normalization would suffer from), and
    shapes are static, as TPUs require. Rows that do not fill a batch at the very end are dropped.

    Args:
        shards: the shards.
        ids: the training rows; shards may hold others.
        stream: the batches.
        weights: weights of these rows in the loss, (n_rows,); None if all are 1.
        numbers: numbers of these rows that batches hold, (n_rows,); None for none.
        first: index of the first batch. Batches before it are not decoded, and whole epochs before it not read.

    Returns:
        Dataset of inputs and labels, float32 (batch_size, n_classes). Inputs are "image", uint8 (batch_size, S, S, C),
        "metadata", float32 (batch_size, W), and "color", float32 parameters of `color_jitter.draw_color_jitter`, which
        `color_jitter.apply_color_jitter` applies on the device; each only if the model needs it. With `weights` also
        "row_weight", float32 (batch_size,); a mixed row has the mixed weight. With `numbers` also "row", int32
        (batch_size,).
    """
    epoch, start = divmod(first * stream.batch_size, len(ids))
    epoch_rows = partial(_epoch_rows, shards=shards, stream=stream, selected=_id_filter(ids), n_rows=len(ids))
    rows = tf.data.Dataset.range(epoch, stream.epochs).flat_map(epoch_rows).skip(start)
    rows = rows.enumerate(first * stream.batch_size)
    values: dict[str, Callable[[Inputs], tf.Tensor]] = {}
    if weights is not None:
        values[ROW_WEIGHT] = _values_by_id(ids, tf.constant(list(weights), tf.float32), missing=float("nan"))
    if numbers is not None:
        values[ROW] = _values_by_id(ids, tf.constant(numbers, tf.int32), missing=-1)
    augmented_row = partial(_augmented_row, stream=stream, values_of=values, n_rows=len(ids))
    augmented = rows.map(augmented_row, num_parallel_calls=stream.threads)
    batches = augmented.batch(stream.batch_size, drop_remainder=True)
    if stream.input_spec.image_size is not None and has_mixing(stream.augment):
        batches = batches.enumerate(first).map(partial(_mixed_batch, stream=stream), num_parallel_calls=stream.threads)
    return batches.prefetch(2).with_options(_options(stream.threads))


def _epoch_rows(
    epoch: tf.Tensor, *, shards: Shards, stream: TrainingStream, selected: Callable[[Inputs], tf.Tensor], n_rows: int
) -> tf.data.Dataset:
    """Parsed rows of one epoch, in an order that depends on the seed and the epoch."""
    seed = stream.seed_of(epoch)
    shuffle_seeds = tf.random.stateless_uniform([2], seed, minval=None, maxval=None, dtype=tf.int64)
    files = tf.random.experimental.stateless_shuffle(tf.constant(shards.paths), seed)
    rows = tf.data.Dataset.from_tensor_slices(files).interleave(
        tf.data.TFRecordDataset, cycle_length=OPEN_FILES, block_length=BLOCK_RECORDS
    )
    rows = rows.map(_parser(stream.input_spec, shards.n_classes, soft=shards.soft_labels)).filter(selected)
    rows = rows.apply(tf.data.experimental.assert_cardinality(n_rows))
    buffer = int(max(stream.batch_size, min(n_rows, SHUFFLE_BYTES / max(1.0, shards.mean_bytes))))
    return rows.shuffle(buffer, seed=shuffle_seeds[0], reshuffle_each_iteration=False)


def _augmented_row(
    index: tf.Tensor,
    row: Inputs,
    *,
    stream: TrainingStream,
    values_of: Mapping[str, Callable[[Inputs], tf.Tensor]],
    n_rows: int,
) -> tuple[Inputs, tf.Tensor]:
    """Inputs and labels of a row, by its index in the stream; its color is left to the device."""
    inputs = network_inputs(row, stream.input_spec)
    seed = stream.seed_of(index)
    if IMAGE in inputs:
        view = stream.view_of(row[ID], index // n_rows) if stream.augment.views == CYCLE else None
        inputs[IMAGE] = augment_image(inputs[IMAGE], seed, stream.augment, view)
        if has_color_jitter(stream.augment):
            inputs[COLOR] = draw_color_jitter(seed, stream.augment, stream.input_spec.channels)
    inputs |= {name: value_of(row) for name, value_of in values_of.items()}
    return inputs, tf.cast(row[TARGET], tf.float32)


def _mixed_batch(
    index: tf.Tensor, batch: tuple[Inputs, tf.Tensor], *, stream: TrainingStream
) -> tuple[Inputs, tf.Tensor]:
    """CutMix and MixUp of a batch, by its index in the stream."""
    inputs, labels = batch
    seed = tf.random.experimental.stateless_fold_in(stream.seed_of(index), BATCH_STREAM)
    weighted = ROW_WEIGHT in inputs
    if weighted:
        # Weights are mixed as labels are.
        labels = tf.concat([labels, inputs[ROW_WEIGHT][:, tf.newaxis]], axis=1)
    images, metadata, labels = mix(inputs[IMAGE], inputs.get(METADATA), labels, seed, stream.augment)
    mixed = {IMAGE: images} if metadata is None else {IMAGE: images, METADATA: metadata}
    if weighted:
        mixed[ROW_WEIGHT], labels = labels[:, -1], labels[:, :-1]
    return {**inputs, **mixed}, labels


def ordered_batches(
    shards: Shards, ids: Sequence[str] | None, *, input_spec: InputSpec, batch_size: int, labeled: bool, threads: int
) -> tf.data.Dataset:
    """Rows once, in the order of the shards.

    Args:
        shards: the shards.
        ids: the rows to read; None for all.
        input_spec: what the model reads.
        batch_size: most rows of a batch; the last one may be smaller.
        labeled: whether the records have labels.
        threads: CPU threads of the stream.

    Returns:
        Dataset of ids, string (batch,); inputs, as in `training_batches` without color; and labels, float32 (batch,
        n_classes), or (batch, 0) if there are none.
    """
    n_classes = shards.n_classes if labeled else 0
    rows = tf.data.TFRecordDataset(list(shards.paths)).map(_parser(input_spec, n_classes, soft=shards.soft_labels))
    if ids is not None:
        rows = rows.filter(_id_filter(ids))

    def id_inputs_and_labels(row: Inputs) -> tuple[tf.Tensor, Inputs, tf.Tensor]:
        labels = tf.cast(row[TARGET], tf.float32) if n_classes else tf.zeros([0])
        return row[ID], network_inputs(row, input_spec), labels

    batches = rows.map(id_inputs_and_labels, num_parallel_calls=threads).batch(batch_size)
    return batches.prefetch(2).with_options(_options(threads))


@contextmanager
def reading(shards: Shards) -> Iterator[None]:
    """Raise TensorFlow's errors about unreadable records as one error that names the shards.

    Raises:
        FoldlineError: a record is damaged, not an image or of another size, or rows are missing.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
        raise FoldlineError(
            f"shards {listing(shards.paths, limit=3)} cannot be read: {tensorflow_message(error)}; remove them and run "
            "the workflow again"
        ) from error


def _parser(input_spec: InputSpec, n_classes: int, *, soft: bool) -> Callable[[tf.Tensor], Inputs]:
    """Function that parses a serialized record: its id, what the model reads, and labels of `n_classes` if any."""
    types = {BYTES: tf.string, INTEGER: tf.int64, FLOAT: tf.float32}
    columns = [column.name for column in input_spec.encoding.columns]
    kinds = feature_kinds(columns, n_classes > 0, input_spec.channels, soft=soft)
    features = {name: tf.io.FixedLenFeature([], types[kinds[name]]) for name in (ID, *input_spec.columns())}
    if n_classes:
        features[TARGET] = tf.io.FixedLenFeature([n_classes], types[kinds[TARGET]])
    return lambda record: tf.io.parse_single_example(record, features)


def _id_filter(ids: Sequence[str]) -> Callable[[Inputs], tf.Tensor]:
    """Function that tells whether a row has one of these ids."""
    keys = tf.constant(list(ids), tf.string)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, tf.ones(len(ids), tf.int32)), default_value=0
    )
    return lambda row: table.lookup(row[ID]) > 0


def _values_by_id(ids: Sequence[str], values: tf.Tensor, *, missing: float) -> Callable[[Inputs], tf.Tensor]:
    """Function that gives the value of a row with one of these ids, in the order of the ids."""
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(list(ids), tf.string), values)
    table = tf.lookup.StaticHashTable(initializer, default_value=missing)
    return lambda row: table.lookup(row[ID])


def _options(threads: int) -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    # Autotuning would use more than `threads`.
    options.autotune.enabled = False
    return options
