"""Shards as streams of images: rows chosen by the fold table before anything is decoded, order fixed by a seed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foldline import records
from foldline.augment import augment
from foldline.channels import image_features
from foldline.colour import colour_draws, has_colour
from foldline.engine import tf
from foldline.errors import FoldlineError, gist_of, listing
from foldline.files import digest_of
from foldline.heads import IMAGE, METADATA
from foldline.metadata import Encoding
from foldline.metadata_tensors import metadata_vector
from foldline.mixing import has_mixing, mix
from foldline.rows import bucket, part_numbers, position

# Encoded records that wait to be shuffled take about this much memory.
SHUFFLE_BYTES = 256 << 20
# Files that are read at once in training; their records take turns in blocks.
OPEN_FILES, BLOCK_RECORDS = 8, 16
# Draws of the colour, which the device applies; beside the inputs of the network in a training batch.
COLOUR = "colour"
# Sets the draws of a batch apart from those of its rows.
BATCH_DRAWS = 1

Inputs = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Sight:
    """What a model sees of a row.

    Attributes:
        image_size: edge S of the images in pixels; None for a model without images.
        encoding: how metadata become a vector; without columns for a model of images alone.
        channels: names of the channels that the model sees, in its order; none for RGB images.
    """

    image_size: int | None
    encoding: Encoding
    channels: tuple[str, ...] = ()

    def columns(self) -> list[str]:
        """Features of a record that are read beside its id and target."""
        images = [] if self.image_size is None else image_features(self.channels)
        return images + [column.name for column in self.encoding.columns]

    def inputs(self, row: Inputs) -> Inputs:
        """The network's inputs: "image", uint8 (S, S, C), and "metadata", float32 (W,), as far as it sees them."""
        inputs = {}
        if self.image_size is not None:
            images = [row[name] for name in image_features(self.channels)]
            inputs[IMAGE] = decode_image(images, self.image_size, channels=1 if self.channels else 3)
        if self.encoding.width:
            inputs[METADATA] = metadata_vector(row, self.encoding)
        return inputs


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
    def n_classes(self) -> int:
        """Classes of the labels; 0 where the records have none."""
        return max(manifest["classes"] for manifest in self.manifests)

    @property
    def mean_bytes(self) -> float:
        """Mean size of a record in bytes."""
        return sum(manifest["bytes"] for manifest in self.manifests) / max(1, self.count)

    def part(self, name: str) -> "Shards":
        """Those of one part of the data: "train", "external" or "test"."""
        kept = [index for index, manifest in enumerate(self.manifests) if manifest["part"] == name]
        return Shards(tuple(self.paths[index] for index in kept), tuple(self.manifests[index] for index in kept))


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
    sight: Sight,
    batch_size: int,
    epochs: int,
    seed: int,
    augmentation: Mapping[str, Any],
    threads: int,
    first: int = 0,
) -> tf.data.Dataset:
    """All epochs of a training as one stream of full batches: an epoch's last rows begin a batch that the next fills.

    So every epoch holds every row exactly once, no batch is small (batch normalisation would see too few images), and
    shapes are static, as TPUs want them. Rows that fill no batch at the very end are left out.

    Args:
        shards: the shards.
        ids: the training rows; shards may hold others.
        sight: what the model sees.
        batch_size: rows in a batch.
        epochs: passes over the rows.
        seed: of the order and of the augmentation.
        augmentation: the `augment` section of a model's settings.
        threads: CPU threads that the stream may use.
        first: the batch to begin with; those before it are not decoded, and whole epochs before it not read.

    Returns:
        Dataset of inputs and labels, float32 (batch_size, n_classes). Inputs are "image", uint8 (batch_size, S, S, C),
        "metadata", float32 (batch_size, W), and "colour", the float32 draws of `colour.colour_draws` with which the
        device changes the images by `colour.adjust_colour`; each only if there is any.
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
        rows = rows.map(_parser(sight, shards.n_classes)).filter(keep)
        rows = rows.apply(tf.data.experimental.assert_cardinality(len(ids)))
        return rows.shuffle(buffer, seed=seeds[0], reshuffle_each_iteration=False)

    def finished(place: tf.Tensor, row: Inputs) -> tuple[Inputs, tf.Tensor]:
        inputs = sight.inputs(row)
        pair = tf.stack([tf.constant(seed, tf.int64), place])
        if IMAGE in inputs:
            inputs[IMAGE] = augment(inputs[IMAGE], pair, augmentation)
            if has_colour(augmentation):
                inputs[COLOUR] = colour_draws(pair, augmentation, sight.channels)
        return inputs, tf.cast(row[records.TARGET], tf.float32)

    def mixed(place: tf.Tensor, batch: tuple[Inputs, tf.Tensor]) -> tuple[Inputs, tf.Tensor]:
        inputs, labels = batch
        pair = tf.random.experimental.stateless_fold_in(tf.stack([tf.constant(seed, tf.int64), place]), BATCH_DRAWS)
        images, metadata, labels = mix(inputs[IMAGE], inputs.get(METADATA), labels, pair, augmentation)
        changed = {IMAGE: images} if metadata is None else {IMAGE: images, METADATA: metadata}
        return {**inputs, **changed}, labels

    done, into = divmod(first * batch_size, len(ids))
    rows = tf.data.Dataset.range(done, epochs).flat_map(epoch_rows).skip(into).enumerate(first * batch_size)
    batches = rows.map(finished, num_parallel_calls=threads).batch(batch_size, drop_remainder=True)
    if sight.image_size is not None and has_mixing(augmentation):
        batches = batches.enumerate(first).map(mixed, num_parallel_calls=threads)
    return batches.prefetch(2).with_options(_options(threads))


def ordered_batches(
    shards: Shards, ids: Sequence[str] | None, *, sight: Sight, batch_size: int, labelled: bool, threads: int
) -> tf.data.Dataset:
    """Rows once, in the order of the shards.

    Args:
        shards: the shards.
        ids: the rows wanted; None for all.
        sight: what the model sees.
        batch_size: most rows in a batch; the last one may be smaller.
        labelled: whether the records carry labels.
        threads: CPU threads that the stream may use.

    Returns:
        Dataset of ids, string (batch,), inputs, as in `training_batches` without colour, and labels, float32 (batch,
        n_classes), or (batch, 0) where there are none.
    """
    n_classes = shards.n_classes if labelled else 0
    rows = tf.data.TFRecordDataset(list(shards.paths)).map(_parser(sight, n_classes))
    if ids is not None:
        rows = rows.filter(_id_filter(ids))

    def finished(row: Inputs) -> tuple[tf.Tensor, Inputs, tf.Tensor]:
        labels = tf.cast(row[records.TARGET], tf.float32) if n_classes else tf.zeros([0])
        return row[records.ID], sight.inputs(row), labels

    batches = rows.map(finished, num_parallel_calls=threads).batch(batch_size)
    return batches.prefetch(2).with_options(_options(threads))


def decode_image(data: Sequence[tf.Tensor], image_size: int, *, channels: int) -> tf.Tensor:
    """Decode the JPEGs or PNGs of a sample, all of the right size.

    Args:
        data: string, (), each; the bytes of the images.
        image_size: edge S that the images must have, in pixels.
        channels: of each image: 3, and grey images have three equal channels, or 1.

    Returns:
        uint8, (S, S, C), the channels of all images in order.
    """
    # decode_jpeg knows PNG too. The accurate transform gives the pixels that other decoders give.
    images = [tf.io.decode_jpeg(one, channels=channels, dct_method="INTEGER_ACCURATE") for one in data]
    image = images[0] if len(images) == 1 else tf.concat(images, axis=-1)
    return tf.ensure_shape(image, (image_size, image_size, channels * len(images)))


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
            f"shards {listing(list(shards.paths), limit=3)} cannot be read: {gist_of(error)}; remove them and run the "
            "workflow again"
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


def _parser(sight: Sight, n_classes: int) -> Callable[[tf.Tensor], Inputs]:
    """Function of a serialised record that gives what a model sees of it, its id, and labels of `n_classes` if any."""
    types = {records.BYTES: tf.string, records.INTEGER: tf.int64}
    kinds = records.feature_kinds([column.name for column in sight.encoding.columns], n_classes > 0, sight.channels)
    wanted = [records.ID, *sight.columns()]
    features = {name: tf.io.FixedLenFeature([], types[kinds[name]]) for name in wanted}
    if n_classes:
        features[records.TARGET] = tf.io.FixedLenFeature([n_classes], types[kinds[records.TARGET]])
    return lambda record: tf.io.parse_single_example(record, features)


def _id_filter(ids: Sequence[str]) -> Callable[[Inputs], tf.Tensor]:
    keys = tf.constant(list(ids), tf.string)
    known = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, tf.ones(len(ids), tf.int32)), default_value=0
    )
    return lambda row: known.lookup(row[records.ID]) > 0


def _options(threads: int) -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    # Tuning while running would raise the parallelism above `threads`.
    options.autotune.enabled = False
    return options
