"""Batches: every row once per epoch, disjoint folds, order by the seed, and damaged shards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.settings import augment_config
from fixtures.shards import ShardSet, cut_last_record, write_shards
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Column, Encoding
from foldline.errors import FoldlineError
from foldline.input_pipeline.augment_config import AugmentConfig, CutMixConfig
from foldline.input_pipeline.batches import TrainingStream, ordered_batches, reading, training_batches
from foldline.runtime.tensorflow import tf
from foldline.tfrecords.open_shards import check_ids, open_shards

SIZE = 16


TURNING = AugmentConfig(flip_horizontal=True, quarter_turns=True)


IMAGES = InputSpec(SIZE, Encoding(()))


STREAM = TrainingStream(input_spec=IMAGES, batch_size=5, epochs=2, seed=1, augment=AugmentConfig(), threads=2)
SITE = Encoding((Column("categorical", ("a", "b"), ("",), name="site"),))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return write_shards(tmp_path_factory.mktemp("shards"), rows=45, size=SIZE, count=3)


def stream(
    data: ShardSet,
    fold: int = 0,
    *,
    input_spec: InputSpec = IMAGES,
    first: int = 0,
    weights: np.ndarray | None = None,
    **changes: Any,
) -> tuple[Any, np.ndarray]:
    """Images (or all inputs by name, if there are others) and labels of all batches, joined."""
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    ids = data.ids(fold, held_out=False)
    settings = replace(STREAM, input_spec=input_spec, **changes)
    batches = training_batches(shards, ids, settings, weights=weights, first=first)
    with reading(shards):
        inputs, labels = zip(*batches.as_numpy_iterator(), strict=True)
    joined = {name: np.concatenate([batch[name] for batch in inputs]) for name in inputs[0]}
    return joined if input_spec is not IMAGES or len(joined) > 1 else joined["image"], np.concatenate(labels)


def validation(data: ShardSet, fold: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, images and labels of the held-out rows of a fold."""
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    ids = data.ids(fold, held_out=True)
    batches = ordered_batches(shards, ids, input_spec=IMAGES, batch_size=5, labeled=True, threads=2)
    names, inputs, labels = zip(*batches.as_numpy_iterator(), strict=True)
    images = np.concatenate([batch["image"] for batch in inputs])
    return [name.decode() for batch in names for name in batch], images, np.concatenate(labels)


def test_every_epoch_contains_every_training_row_once(data: ShardSet) -> None:
    images, labels = stream(data, epochs=5, batch_size=6)
    numbers = images[:, 0, 0, 0]
    training = data.rows[data.rows["fold"] != 0]
    assert images.dtype == np.uint8
    assert len(numbers) == 5 * len(training)
    for epoch in numbers.reshape(5, -1):
        assert sorted(epoch) == sorted(training["number"])
    np.testing.assert_array_equal(labels[:, 0], numbers % 3 == 0)


def test_batches_are_full_and_may_contain_rows_of_two_epochs(data: ShardSet) -> None:
    images, _ = stream(data, epochs=2, batch_size=7)
    assert len(images) == 56  # 60 rows in two epochs, 8 full batches
    assert sorted(images[:30, 0, 0, 0]) == sorted(data.rows.loc[data.rows["fold"] != 0, "number"])


def test_the_order_depends_on_the_seed_and_the_epoch(data: ShardSet) -> None:
    first, again, other = (stream(data, seed=seed, batch_size=6)[0][:, 0, 0, 0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[:30] != first[30:]).any()


def test_the_rows_of_a_shard_are_shuffled_anew_in_every_epoch(tmp_path: Path) -> None:
    """Row 2: the order of the files alone does not mix the rows of one file."""
    data = write_shards(tmp_path, rows=45, size=SIZE, count=1)
    training = set(data.ids(0, held_out=False))
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    batches = ordered_batches(shards, None, input_spec=IMAGES, batch_size=45, labeled=True, threads=1)
    ((names, inputs, _),) = batches.as_numpy_iterator()
    stored = [
        number for name, number in zip(names, inputs["image"][:, 0, 0, 0], strict=True) if name.decode() in training
    ]
    place = {number: index for index, number in enumerate(stored)}
    epochs = stream(data, epochs=3, batch_size=6)[0][:, 0, 0, 0].reshape(3, 30)
    for one, other in [(stored, epochs[0]), (epochs[0], epochs[1]), (epochs[1], epochs[2])]:
        neighbors = np.abs(np.diff([place[number] for number in other])) == 1
        assert neighbors.mean() < 0.3
        # In a random order, a row keeps its place with a probability of 1/30.
        assert np.mean(np.array(one) == other) < 0.3


@pytest.mark.parametrize("first", [1, 4, 5, 9])
def test_a_stream_can_start_at_any_batch(data: ShardSet, first: int) -> None:
    """Epochs of 30 rows in batches of 7: batch 4 contains rows of two epochs, batch 5 of the second epoch only."""
    augment = augment_config(brightness=0.1, cutmix={"probability": 0.8})
    full, labels = stream(data, epochs=3, batch_size=7, augment=augment)
    images, rest = stream(data, epochs=3, batch_size=7, augment=augment, first=first)
    np.testing.assert_array_equal(rest, labels[7 * first :])
    for name in ("image", "color"):
        np.testing.assert_array_equal(images[name], full[name][7 * first :])


def test_augmentation_depends_on_the_seed(data: ShardSet) -> None:
    first, again, other = (stream(data, seed=seed, augment=TURNING)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    plain, _ = stream(data, seed=1)
    changed = (first != plain).any(axis=(1, 2, 3))
    assert changed.mean() > 0.5


def test_batches_hold_color_parameters_and_metadata_vectors(data: ShardSet) -> None:
    """Row 4: image and metadata are inputs together."""
    inputs, _ = stream(data, augment=AugmentConfig(contrast=0.2), input_spec=InputSpec(SIZE, SITE), batch_size=6)
    assert {name: (values.shape, values.dtype) for name, values in inputs.items()} == {
        "image": ((60, SIZE, SIZE, 3), np.uint8),
        "metadata": ((60, 3), np.float32),
        "color": ((60, 4), np.float32),
    }
    np.testing.assert_array_equal(inputs["metadata"], np.tile([1, 0, 0], (60, 1)))
    assert len(np.unique(inputs["color"][:, 2])) > 50


def test_a_model_without_images_gets_metadata_only(data: ShardSet) -> None:
    inputs, labels = stream(
        data, input_spec=InputSpec(None, SITE), augment=AugmentConfig(cutmix=CutMixConfig(probability=1.0))
    )
    assert set(inputs) == {"metadata"}
    assert labels.sum() > 0


def test_cutmix_changes_images_and_labels_of_a_batch(data: ShardSet) -> None:
    """Row 7: CutMix reaches the batches, and its labels are soft."""
    augment = AugmentConfig(cutmix=CutMixConfig(probability=1.0))
    images, labels = stream(data, augment=augment, batch_size=10)
    again, _ = stream(data, augment=augment, batch_size=10)
    np.testing.assert_array_equal(images, again)
    assert ((labels > 0) & (labels < 1)).any()
    assert (images[..., 0].min(axis=(1, 2)) != images[..., 0].max(axis=(1, 2))).any()


def test_every_batch_is_mixed_in_its_own_way(data: ShardSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 7: the seed of a batch depends on its index and on the seed of the training."""

    def with_seed(images: Any, metadata: Any, labels: Any, seed: Any, config: AugmentConfig) -> tuple[Any, Any, Any]:
        return images, metadata, tf.repeat(tf.cast(seed % 1_000_003, tf.float32)[tf.newaxis], len(labels), axis=0)

    monkeypatch.setattr("foldline.input_pipeline.batches.mix", with_seed)
    augment = AugmentConfig(cutmix=CutMixConfig(probability=1.0))
    seeds = [stream(data, augment=augment, batch_size=10, seed=seed)[1][::10] for seed in (1, 1, 2)]
    assert seeds[0].shape == (6, 2)
    np.testing.assert_array_equal(seeds[0], seeds[1])
    assert len(np.unique(np.concatenate(seeds[1:]), axis=0)) == 12


def test_an_image_is_augmented_anew_in_every_epoch(data: ShardSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 6: the seed of a row depends on its index in all epochs and on the seed of the training."""

    def with_seed(image: Any, seed: Any, config: AugmentConfig, view: None) -> Any:
        return image * 0 + tf.cast(tf.reduce_sum(seed * [100, 1]), tf.uint8)

    monkeypatch.setattr("foldline.input_pipeline.batches.augment_image", with_seed)
    first, other = (stream(data, augment=TURNING, batch_size=6, seed=seed)[0][:, 0, 0, 0] for seed in (1, 2))
    # 60 rows in two epochs: 100 times the seed, and the index.
    np.testing.assert_array_equal(first, 100 + np.arange(60))
    np.testing.assert_array_equal(other, (200 + np.arange(60)) % 256)


def test_each_image_has_all_views_before_one_returns(data: ShardSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_view(image: Any, seed: Any, config: AugmentConfig, view: Any) -> Any:
        # The first pixel stays: it is the number of the image.
        return tf.concat([image[:1], image[1:] * 0 + tf.cast(view % 8, tf.uint8)], axis=0)

    monkeypatch.setattr("foldline.input_pipeline.batches.augment_image", with_view)
    augment = replace(TURNING, views="cycle")
    images = stream(data, augment=augment, batch_size=6, epochs=8)[0]
    views: dict[int, list[int]] = {}
    for image in images:
        views.setdefault(int(image[0, 0, 0]), []).append(int(image[1, 0, 0]))
    assert len(views) == 30
    assert all(sorted(of_image) == list(range(8)) for of_image in views.values())
    # Images do not begin with the same view, and another seed begins with others.
    assert len({of_image[0] for of_image in views.values()}) > 4
    other = {int(image[0, 0, 0]): int(image[1, 0, 0]) for image in stream(data, augment=augment, epochs=1, seed=2)[0]}
    assert other != {number: of_image[0] for number, of_image in views.items()}
    # A resumed stream goes on where it stopped.
    np.testing.assert_array_equal(stream(data, augment=augment, batch_size=6, epochs=8, first=13)[0], images[13 * 6 :])


def test_folds_are_disjoint_and_complete(data: ShardSet) -> None:
    seen: list[str] = []
    for fold in range(3):
        names, images, labels = validation(data, fold)
        trained = set(stream(data, fold, epochs=1, batch_size=1)[0][:, 0, 0, 0])
        assert trained.isdisjoint(images[:, 0, 0, 0])
        assert len(trained) + len(names) == len(data.rows)
        by_id = data.rows.set_index("id").loc[names]
        np.testing.assert_array_equal(by_id["number"], images[:, 0, 0, 0])
        np.testing.assert_array_equal(by_id["target"].astype(int), labels[:, 0])
        seen += names
    assert sorted(seen) == sorted(data.rows["id"])


def test_rows_without_labels_have_no_classes(tmp_path: Path) -> None:
    data = write_shards(tmp_path, rows=7, size=SIZE, labeled=False)
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    batches = list(ordered_batches(shards, None, input_spec=IMAGES, batch_size=4, labeled=False, threads=1))
    assert [len(names) for names, _, _ in batches] == [4, 3]
    assert batches[0][2].shape == (4, 0)
    check_ids(shards, list(data.rows["id"]))


def test_a_truncated_shard_is_refused(tmp_path: Path) -> None:
    data = write_shards(tmp_path, size=SIZE)
    cut_last_record(data.paths[1])
    with pytest.raises(FoldlineError, match=r"00001-of-00002\.tfrec"):
        open_shards(data.paths, data.manifests, image_size=SIZE)


def test_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    data = write_shards(tmp_path, size=SIZE)
    content = bytearray(data.paths[0].read_bytes())
    content[200] ^= 1
    data.paths[0].write_bytes(content)
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    with pytest.raises(FoldlineError, match="cannot be read"), reading(shards):
        list(ordered_batches(shards, None, input_spec=IMAGES, batch_size=4, labeled=True, threads=1))


def test_a_training_row_that_is_in_no_shard_is_refused(data: ShardSet) -> None:
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    ids = [*data.ids(0, held_out=False), "unknown"]
    batches = training_batches(shards, ids, STREAM)
    with pytest.raises(FoldlineError, match="cannot be read"), reading(shards):
        list(batches)


def test_every_row_has_its_weight(data: ShardSet) -> None:
    training = data.rows[data.rows["fold"] != 0].sort_values("id")
    assert list(training["id"]) == list(data.ids(0, held_out=False))
    weights = training["number"].to_numpy() / 8 + 0.5
    inputs, labels = stream(data, weights=weights)
    images, plain = stream(data)
    assert inputs["row_weight"].dtype == np.float32
    np.testing.assert_array_equal(inputs["row_weight"], inputs["image"][:, 0, 0, 0] / 8 + 0.5)
    # Nothing else changes.
    np.testing.assert_array_equal(inputs["image"], images)
    np.testing.assert_array_equal(labels, plain)


def test_every_row_has_its_number(data: ShardSet) -> None:
    training = data.rows[data.rows["fold"] != 0].sort_values("id")
    shards = open_shards(data.paths, data.manifests, image_size=SIZE)
    some = np.array([3, 4, 11, 17, 20, 28], np.int32)
    settings = replace(STREAM, batch_size=3)
    batches = training_batches(shards, list(training["id"].iloc[some]), settings, numbers=some)
    found = [
        (int(number), int(image[0, 0, 0]))
        for inputs, _ in batches.as_numpy_iterator()
        for number, image in zip(inputs["row"], inputs["image"], strict=True)
    ]
    assert len(found) == 12
    assert {number for number, _ in found} == set(some.tolist())
    assert all(image == training["number"].iloc[number] for number, image in found)


def test_a_mixed_row_has_the_mixed_weight(data: ShardSet) -> None:
    """Here the weight is the label plus 1, so that both are mixed by one share."""
    training = data.rows[data.rows["fold"] != 0].sort_values("id")
    mixing = AugmentConfig(cutmix=CutMixConfig(probability=0.5, alpha=1.0))
    inputs, labels = stream(data, weights=training["target"].astype(int).to_numpy() + 1.0, augment=mixing)
    assert ((labels > 0) & (labels < 1)).any()
    np.testing.assert_allclose(inputs["row_weight"], labels[:, 0] + 1, rtol=1e-6)
    np.testing.assert_array_equal(labels, stream(data, augment=mixing)[1])
