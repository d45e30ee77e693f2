"""Why channels are joined by id: labels that depend on two channels are learned, and lost if one record is missing."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.channel_steps import RECORD_KEYS, batch, read, scan, shard
from fixtures.pictures import saved
from fixtures.tfrecords import write_tfrecord
from foldline.errors import FoldlineError
from foldline.evaluation.metrics import plain_scores
from foldline.runtime.tensorflow import tf, tf_keras

CHANNELS = ("red", "green", "blue", "yellow")
COUNT, EDGE, FOLDS = 240, 32, 3


def columns_and_labels(count: int = COUNT) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns of the cells: one of red, blue and yellow each, in its own band of rows, and one of green in each band.

    Returns:
        Columns in 0..3 of the cells of red, blue and yellow, (count, 3), and of green, (count, 3); and the labels,
        (count, 3): whether each of the three coincides with green. No channel predicts a label without green.
    """
    random = np.random.default_rng(11)
    own, green = random.integers(0, 4, (2, count, 3))
    own = np.where(random.random((count, 3)) < 0.3, green, own)
    return own, green, (own == green).astype(np.float32)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of single channels in three files, as the public protein-atlas records, and tables of their ids."""
    folder = tmp_path_factory.mktemp("cells")
    random = np.random.default_rng(12)
    records = []
    for number, (own, green, row) in enumerate(zip(*columns_and_labels(), strict=True)):
        cells = {"red": [(0, own[0])], "green": enumerate(green), "blue": [(1, own[1])], "yellow": [(2, own[2])]}
        for channel in CHANNELS:
            plane = random.integers(0, 40, (EDGE, EDGE), dtype=np.uint8)
            for band, column in cells[channel]:
                plane[8 * band : 8 * band + 8, 8 * column : 8 * column + 8] += 180
            name = f"s{number:03d}_{channel}".encode()
            label = str(int(row[0])).encode()
            records.append({"image": saved(plane, "PNG"), "image_name": name, "target": label})
    for file in range(FOLDS):
        write_tfrecord(folder / f"train{file}.tfrec", records[file * 320 : (file + 1) * 320])
    write_tfrecord(folder / "test.tfrec", [{**one, "image_name": b"t" + one["image_name"]} for one in records[:4]])
    (folder / "sample_submission.csv").write_text("id,target\nts000,0\n")
    return folder


def learned(images: np.ndarray, labels: np.ndarray) -> float:
    """Mean average precision, out of fold in three folds, of a network of 200 weights."""
    folds = np.arange(len(images)) % FOLDS
    probabilities = np.zeros_like(labels)
    for fold in range(FOLDS):
        layers, initializers = tf_keras.layers, tf_keras.initializers
        network = tf_keras.Sequential(
            [
                layers.Rescaling(1 / 255),
                layers.Conv2D(24, 1, activation="relu", kernel_initializer=initializers.GlorotUniform(fold)),
                layers.GlobalAveragePooling2D(),
                layers.BatchNormalization(momentum=0.8),
                layers.Dense(
                    labels.shape[1], activation="sigmoid", kernel_initializer=initializers.GlorotUniform(fold)
                ),
            ]
        )
        network.compile(tf_keras.optimizers.Adam(0.02), "binary_crossentropy")
        inside = folds != fold
        rows = tf.data.Dataset.from_tensor_slices((images[inside], labels[inside]))
        network.fit(rows.shuffle(len(images), seed=fold).batch(32), epochs=25, verbose=0)
        probabilities[~inside] = network.predict(images[~inside], verbose=0)
    pairs = zip(labels.T, probabilities.T, strict=True)
    return float(np.mean([plain_scores(*pair)["average_precision"] for pair in pairs]))


def filtered_and_zipped(files: list[str]) -> tuple[np.ndarray, list[str]]:
    """Images and names of red, joined as in the public notebook: four filters of one stream, zipped by their order."""
    kinds = {"image": tf.io.FixedLenFeature([], tf.string), "image_name": tf.io.FixedLenFeature([], tf.string)}
    rows = tf.data.TFRecordDataset(files).map(lambda record: tf.io.parse_single_example(record, kinds))
    channels = [
        rows.filter(lambda row, c=channel: tf.strings.regex_full_match(row["image_name"], f".*{c}.*"))
        for channel in CHANNELS
    ]
    joined = tf.data.Dataset.zip(tuple(channels)).map(
        lambda *rows: (
            tf.concat([tf.io.decode_png(row["image"], channels=1) for row in rows], axis=-1),
            rows[0]["image_name"],
        )
    )
    images, names = zip(*joined.as_numpy_iterator(), strict=True)
    return np.stack(images), [name.decode().removesuffix("_red") for name in names]


def labels_of(names: list[str]) -> np.ndarray:
    return columns_and_labels()[2][[int(name[1:]) for name in names]]


@pytest.mark.slow
def test_channels_joined_by_id_are_learned_and_a_lost_record_is_reported(root: Path) -> None:
    """Row 17: the same records, joined by id and by order, with one record removed."""
    data = read(root, **RECORD_KEYS)
    scan(root, images=None, table=data.tables["train"], locations=data.tables["train"])
    joined = batch(shard(root, locations=data.tables["train"]), CHANNELS, count=COUNT)
    names = sorted(joined)
    assert names == [f"s{number:03d}" for number in range(COUNT)]
    assert learned(np.stack([joined[name] for name in names]), labels_of(names)) > 0.9

    # One record of green is lost near the beginning.
    first = root / "train0.tfrec"
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(first))]
    with tf.io.TFRecordWriter(str(first)) as writer:
        for record in records[:5] + records[6:]:
            writer.write(record)
    images, names = filtered_and_zipped(sorted(str(path) for path in root.glob("train*.tfrec")))
    labels = labels_of(names)
    assert len(names) == COUNT - 1
    assert learned(images, labels) < labels.mean(axis=0).mean() + 0.15
    with pytest.raises(FoldlineError, match=r"id 's001_red': its sample has no record of channel green"):
        read(root, **RECORD_KEYS)
