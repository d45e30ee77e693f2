"""Images per second of the training input on one core, and memory of its shuffling: Foldline against the usual way.

Run as python tests/benchmark/input_pipeline.py [COUNT] [SIZE] [--folder JPEGS] [--rounds 3] [--only speed|memory].
COUNT images (default 2048) of SIZE pixels (default 384), noise with the spectrum of photographs or the JPEGs of a
folder, are written to one TFRecord file. Each pipeline reads it in its own process on one core, round after round:

usual    the pipeline of a notebook of the melanoma competition: decode to float, flips, hue, saturation, contrast,
         brightness, rotation with shear, zoom and shift by gather_nd; shuffle(2048) of decoded floats
host     Foldline with the same augmentation, colors in the pipeline
device   Foldline, colors left to the device: the pipeline draws their parameters
decode   decoding alone

The output lists images per second of the core's time (median of the rounds and their range), ratios to the usual way,
and the largest resident set; then, without augmentation, the memory of the shuffle buffer: the largest resident set
with a buffer of 2048 elements minus that with a buffer of one.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(REPOSITORY / "scripts"), str(REPOSITORY / "tests")]

BUFFER, BATCH, QUALITY = 2048, 16, 95
CORE = 0
PIPELINES = ("usual", "host", "device", "decode")
SHUFFLES = ("usual-shuffle", "our-shuffle")
AUGMENT = {
    "flip_horizontal": True,
    "flip_vertical": True,
    "quarter_turns": False,
    "rotation": [15, 180],
    "shear": [5, 2],
    "zoom": [0.1, 0.125],
    "shift": [16 / 384, 8 / 384],
    "crop": 1.0,
    "hue": 0.01,
    "saturation": 0.3,
    "contrast": 0.2,
    "brightness": 0.1,
}


def write_images(path: Path, count: int, size: int, folder: Path | None) -> None:
    """Write records with an image and a target; at most 64 different pictures, repeated."""
    import cv2
    from fixtures.pictures import photograph
    from foldline.dataset.channels import IMAGE
    from foldline.tfrecords.example_proto import encode_example
    from foldline.tfrecords.record_files import write_records
    from foldline.tfrecords.records import TARGET

    if folder is None:
        pictures = [photograph(size, size, seed=seed) for seed in range(min(count, 64))]
    else:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".jpg", ".jpeg"))[:64]
        pictures = [cv2.resize(cv2.imread(str(file)), (size, size), interpolation=cv2.INTER_AREA) for file in files]
    if not pictures:
        raise SystemExit(f"{folder}: no JPEGs")
    encoded = [cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].tobytes() for picture in pictures]
    rows = (encode_example({IMAGE: encoded[row % len(encoded)], TARGET: [row % 2]}) for row in range(count))
    write_records(path, rows)
    print(f"{count} images of {size} px, {statistics.mean(map(len, encoded)) / 1e3:.1f} kB each")


def measure(work: Path, name: str, count: int, size: int, buffer: int = BUFFER) -> dict[str, float]:
    """Run a pipeline over all records in a new process."""
    arguments = ["--child", name, str(count), str(size), str(buffer), str(work)]
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} exited with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def compare_speed(work: Path, count: int, size: int, rounds: int) -> None:
    """Run all pipelines in turn and print their rates."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PIPELINES}
    for _ in range(rounds):
        for name in PIPELINES:
            found[name].append(measure(work, name, count, size))
    usual = statistics.median(run["rate"] for run in found["usual"])
    for name, runs in found.items():
        rates = sorted(run["rate"] for run in runs)
        middle = statistics.median(rates)
        print(
            f"{name:8} {middle:7.1f} images/s ({rates[0]:.1f} to {rates[-1]:.1f}), {middle / usual:5.2f} times the "
            f"usual; at most {max(run['peak'] for run in runs):.0f} MB"
        )


def compare_memory(work: Path, count: int, size: int) -> None:
    """Print the memory of both shuffle buffers."""
    buffers = {}
    for name in SHUFFLES:
        full, single = (measure(work, name, count, size, buffer)["peak"] for buffer in (BUFFER, 1))
        buffers[name] = full - single
        print(f"{name:13} {min(BUFFER, count)} elements: {buffers[name]:7.1f} MB ({full:.0f} minus {single:.0f} MB)")
    print(f"ratio         {buffers['our-shuffle'] / buffers['usual-shuffle']:.3f}")


def run_child(name: str, count: int, size: int, buffer: int, work: Path) -> None:
    """Read all records through one pipeline; print images per CPU-second and the largest resident set in MB."""
    # Before TensorFlow is imported, which sizes its thread pools by the allowed cores.
    os.sched_setaffinity(0, {CORE})
    path = str(work / "images.tfrec")
    build: Callable[..., object] = {
        "usual": usual,
        "host": lambda *given: ours(*given, host=True),
        "device": lambda *given: ours(*given, host=False),
        "decode": decoded,
        "usual-shuffle": usual_shuffle,
        "our-shuffle": decoded,
    }[name]
    # The first iterator includes one-time work of TensorFlow.
    for _ in build(path, size, 1).take(2):
        pass
    started = time.process_time()
    seen = sum(int(batch[0].shape[0]) for batch in build(path, size, buffer))
    seconds = time.process_time() - started
    if seen != count:
        raise SystemExit(f"{name} read {seen} of {count} images")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps({"rate": seen / seconds, "peak": int(status["VmHWM"].split()[0]) * 1024 / 1e6}))


def ours(path: str, size: int, buffer: int, *, host: bool) -> object:
    """Foldline's pipeline: shuffles encoded records; pixels stay uint8."""
    from foldline.input_pipeline.augment_config import AugmentConfig
    from foldline.input_pipeline.augmentation import augment_image
    from foldline.input_pipeline.color_jitter import apply_color_jitter, draw_color_jitter
    from foldline.input_pipeline.decode import decode_image
    from foldline.runtime.tensorflow import tf

    config = AugmentConfig(**AUGMENT)

    def augmented_row(index: object, record: object) -> tuple:
        data, label = parsed(record)
        seed = tf.stack([tf.constant(1, tf.int64), index])
        image = augment_image(decode_image([data], size, channels=3), seed, config)
        jitter = draw_color_jitter(seed, config)
        if host:
            return apply_color_jitter(image[tf.newaxis], jitter[tf.newaxis])[0], label
        return image, jitter, label

    rows = tf.data.TFRecordDataset(path).shuffle(buffer, seed=1).enumerate()
    return rows.map(augmented_row, num_parallel_calls=1).batch(BATCH).prefetch(2).with_options(our_options())


def decoded(path: str, size: int, buffer: int) -> object:
    """Foldline's pipeline without augmentation."""
    from foldline.input_pipeline.decode import decode_image
    from foldline.runtime.tensorflow import tf

    def decoded_row(record: object) -> tuple:
        data, label = parsed(record)
        return decode_image([data], size, channels=3), label

    rows = tf.data.TFRecordDataset(path).shuffle(buffer, seed=1).map(decoded_row, num_parallel_calls=1)
    return rows.batch(BATCH).prefetch(2).with_options(our_options())


def usual_shuffle(path: str, size: int, buffer: int) -> object:
    """The usual pipeline without augmentation."""
    from foldline.runtime.tensorflow import tf

    rows = tf.data.TFRecordDataset(path).map(
        lambda record: usual_row(record, size), num_parallel_calls=tf.data.AUTOTUNE
    )
    return rows.shuffle(buffer).batch(BATCH).prefetch(2)


def usual(path: str, size: int, buffer: int) -> object:
    """The usual pipeline."""
    from foldline.runtime.tensorflow import tf

    options = tf.data.Options()
    options.deterministic = False
    auto = tf.data.AUTOTUNE
    rows = tf.data.TFRecordDataset(path, num_parallel_reads=auto).with_options(options)
    rows = rows.map(lambda record: usual_row(record, size), num_parallel_calls=auto)
    rows = rows.map(usual_colors, num_parallel_calls=auto)
    rows = rows.map(lambda image, label: (usual_affine(image, size), label), num_parallel_calls=auto)
    return rows.shuffle(buffer).batch(BATCH).prefetch(auto)


def our_options() -> object:
    """The options of Foldline's batches for one thread."""
    from foldline.input_pipeline import batches

    return batches._options(1)


def parsed(record: object) -> tuple:
    """Bytes of the image, and label, of a record."""
    from foldline.dataset.channels import IMAGE
    from foldline.runtime.tensorflow import tf
    from foldline.tfrecords.records import TARGET

    features = {IMAGE: tf.io.FixedLenFeature([], tf.string), TARGET: tf.io.FixedLenFeature([], tf.int64)}
    row = tf.io.parse_single_example(record, features)
    return row[IMAGE], tf.cast(row[TARGET], tf.float32)


def usual_row(record: object, size: int) -> tuple:
    """Image of floats in [0, 1], and label."""
    from foldline.runtime.tensorflow import tf

    data, label = parsed(record)
    image = tf.cast(tf.image.decode_jpeg(data, channels=3), tf.float32) / 255.0
    return tf.reshape(image, [size, size, 3]), label


def usual_colors(image: object, label: object) -> tuple:
    """Flips and colors."""
    from foldline.runtime.tensorflow import tf

    image = tf.image.random_flip_left_right(image)
    image = tf.image.random_flip_up_down(image)
    image = tf.image.random_hue(image, 0.01)
    image = tf.image.random_saturation(image, 0.7, 1.3)
    image = tf.image.random_contrast(image, 0.8, 1.2)
    return tf.image.random_brightness(image, 0.1), label


def usual_affine(image: object, size: int) -> object:
    """Rotation, shear, zoom and shift of one image."""
    from foldline.runtime.tensorflow import tf

    def mixture(first: float, second: float) -> object:
        picked = tf.random.uniform([1]) < 0.5
        return tf.cond(picked[0], lambda: first * tf.random.normal([1]), lambda: second * tf.random.normal([1]))

    rotation = math.pi * mixture(15.0, 180.0) / 180.0
    shear = math.pi * mixture(5.0, 2.0) / 180.0
    height_zoom, width_zoom = 1.0 + mixture(1 / 10, 1 / 8), 1.0 + mixture(1 / 10, 1 / 8)
    height_shift, width_shift = mixture(16.0, 8.0), mixture(16.0, 8.0)
    one, zero = tf.constant([1.0]), tf.constant([0.0])

    def matrix(*values: object) -> object:
        return tf.reshape(tf.concat(values, axis=0), [3, 3])

    cos, sin = tf.cos(rotation), tf.sin(rotation)
    rotated = matrix(cos, sin, zero, -sin, cos, zero, zero, zero, one)
    sheared = matrix(one, tf.sin(shear), zero, zero, tf.cos(shear), zero, zero, zero, one)
    zoomed = matrix(one / height_zoom, zero, zero, zero, one / width_zoom, zero, zero, zero, one)
    shifted = matrix(one, zero, height_shift, zero, one, width_shift, zero, zero, one)
    inverse = (rotated @ sheared) @ (zoomed @ shifted)

    x = tf.repeat(tf.range(size // 2, -size // 2, -1), size)
    y = tf.tile(tf.range(-size // 2, size // 2), [size])
    index = tf.cast(tf.stack([x, y, tf.ones([size * size], tf.int32)]), tf.float32)
    source = tf.clip_by_value(tf.cast(inverse @ index, tf.int32), -size // 2 + size % 2 + 1, size // 2)
    source = tf.stack([size // 2 - source[0], size // 2 - 1 + source[1]])
    return tf.reshape(tf.gather_nd(image, tf.transpose(source)), [size, size, 3])


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["--child"]:
        name, count, size, buffer, work = sys.argv[2:]
        run_child(name, int(count), int(size), int(buffer), Path(work))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, default=2048)
    parser.add_argument("size", nargs="?", type=int, default=384)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("speed", "memory"))
    arguments = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="foldline-input-"))
    try:
        write_images(work / "images.tfrec", arguments.count, arguments.size, arguments.folder)
        if arguments.only != "memory":
            compare_speed(work, arguments.count, arguments.size, arguments.rounds)
        if arguments.only != "speed":
            compare_memory(work, arguments.count, arguments.size)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
