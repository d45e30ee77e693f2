"""Thousands of mutated record files and weights files: each is refused in words, or read as protobuf or NumPy reads it.

Usage: python tests/faults/campaign/files.py [COUNT] [SEED]

COUNT files of each kind (default 2000) are made from the seed and read with bounded memory and time. A line for each
kind says how many were refused and read; a file that breaks a rule is printed with its number, and the exit code is 1.

The rules: nothing is raised but `FoldlineError`, in one line; memory and time are bounded; and no file is read to other
values than an independent reader finds in it (records), or than were written (weights files with checksums). Legacy
weights files without a digest in their name, and HDF5 files, have no checksums, so their values may differ.
"""

import io
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

if __name__ == "__main__":
    for folder in ("scripts", "tests"):
        sys.path.insert(0, str(Path(__file__).resolve().parents[3] / folder))

from faults.campaign.mutation import NUMBERS, bounded, mutated
from fixtures.pictures import photograph, saved
from fixtures.small_training import small_network
from fixtures.torch_files import example_arrays, legacy_file, zip_file
from foldline.errors import FoldlineError
from foldline.models.torch_weights import read_torch_weights
from foldline.models.weights_file import load_weights, save_weights
from foldline.tfrecords.example_proto import decode_example, encode_example
from foldline.tfrecords.record_features import RecordNames
from foldline.tfrecords.record_files import checksum, count_records, read_records
from foldline.tfrecords.record_index import index_file

COUNT, SEED = 2000, 1
# For one file, beside what the process has already.
MEGABYTES, SECONDS = 400, 10
NAMES = RecordNames(id="image_name", target="target", group=None, metadata=("age", "sex"))


@dataclass
class Tally:
    """What became of the files of one kind: how many were refused, read, and what broke a rule."""

    refused: int = 0
    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def framed(message: bytes, length: int | None = None) -> bytes:
    """A record with right checksums, which may say it has another length."""
    header = struct.pack("<Q", len(message) if length is None else length)
    return header + checksum(header) + message + checksum(message)


def example_message(number: int) -> bytes:
    """A record of the kind that users have."""
    return encode_example(
        {
            "image": saved(photograph(16, 16, seed=number), "JPEG", quality=60),
            "image_name": f"ISIC_{number}".encode(),
            "age": [40 + number],
            "sex": b"f",
            "target": [number % 2],
        }
    )


def _protobuf_example() -> Any:
    """The message class tf.train.Example of protobuf, an independent reader."""
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    lists = {"BytesList": kinds.TYPE_BYTES, "FloatList": kinds.TYPE_FLOAT, "Int64List": kinds.TYPE_INT64}
    for name, kind in lists.items():
        file.message_type.add(name=name).field.add(name="value", number=1, type=kind, label=kinds.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(lists, start=1):
        feature.field.add(
            name=name.lower(),
            number=number,
            type=kinds.TYPE_MESSAGE,
            type_name=f".t.{name}",
            label=kinds.LABEL_OPTIONAL,
            oneof_index=0,
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kinds.TYPE_MESSAGE, type_name=".t.Feature", label=kinds.LABEL_OPTIONAL)
    features.field.add(
        name="feature",
        number=1,
        type=kinds.TYPE_MESSAGE,
        type_name=".t.Features.FeatureEntry",
        label=kinds.LABEL_REPEATED,
    )
    example = file.message_type.add(name="Example")
    example.field.add(
        name="features", number=1, type=kinds.TYPE_MESSAGE, type_name=".t.Features", label=kinds.LABEL_OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


PROTOBUF = _protobuf_example()


def protobuf_values(message: bytes) -> dict[str, list[Any]] | None:
    """Values of a message as protobuf reads them; None if it refuses the message."""
    example = PROTOBUF()
    try:
        example.ParseFromString(message)
    except DecodeError:
        return None
    values = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values[name] = list(getattr(feature, kind).value) if kind else []
    return values


def same(ours: dict[str, Any], theirs: dict[str, list[Any]] | None) -> bool:
    """Whether two readers found the same values; not a number equals itself."""
    return theirs is not None and repr(sorted(ours.items())) == repr(sorted(theirs.items()))


def check_record_file(random: Random, folder: Path) -> str:
    """A file of three records, mutated without new checksums: all that is read was written."""
    messages = [example_message(number) for number in range(3)]
    path = folder / "a.tfrec"
    path.write_bytes(mutated(b"".join(map(framed, messages)), random))
    count = count_records(path)
    read = list(read_records(path))
    index_file(path, NAMES)
    if count == len(read) and read == messages[:count]:
        return ""
    # Bytes may be repeated or removed at the border of a record.
    return "" if count == len(read) and set(read) <= set(messages) else "other records than were written"


def check_record_length(random: Random, folder: Path) -> str:
    """A record with a wrong length and the right checksum of it."""
    message = example_message(0)
    length = random.choice(
        (*NUMBERS, len(message) + random.randrange(-20, 2000), random.getrandbits(random.choice((16, 32, 63))))
    )
    path = folder / "a.tfrec"
    path.write_bytes(framed(message, max(0, length) % 2**64))
    count_records(path)
    return "" if list(read_records(path)) == [message] else "another record than was written"


def check_message(random: Random, folder: Path) -> str:
    """A mutated message with right checksums: protobuf reads the same, or the message is refused."""
    message = mutated(example_message(random.randrange(3)), random)
    path = folder / "a.tfrec"
    path.write_bytes(framed(message))
    if not same(decode_example(message), protobuf_values(message)):
        return "other values than protobuf reads"
    index_file(path, NAMES)
    return ""


def _check_weights(path: Path, data: bytes, *, checked: bool) -> str:
    path.write_bytes(data)
    arrays = example_arrays()
    tensors = read_torch_weights(path)
    if not checked:
        assert all(isinstance(array, np.ndarray) for array in tensors.values())
        return ""
    equal = list(tensors) == list(arrays) and all(
        tensors[name].dtype == array.dtype and np.array_equal(tensors[name], array) for name, array in arrays.items()
    )
    return "" if equal else "other tensors than were written"


def check_legacy_weights(random: Random, folder: Path) -> str:
    """A file of the format before PyTorch 1.6, which has no checksums."""
    return _check_weights(folder / "w.pth", mutated(legacy_file(example_arrays()), random), checked=False)


def check_published_weights(random: Random, folder: Path) -> str:
    """The same with a digest in its name."""
    data = legacy_file(example_arrays())
    return _check_weights(folder / f"w-{sha256(data).hexdigest()[:8]}.pth", mutated(data, random), checked=True)


def check_zip_weights(random: Random, folder: Path) -> str:
    """A file of the format since PyTorch 1.6."""
    return _check_weights(folder / "w.pth", mutated(zip_file(example_arrays()), random), checked=True)


def check_zipped_pickle(random: Random, folder: Path) -> str:
    """A mutated pickle in an archive with right checksums."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zip_file(example_arrays()))) as source, zipfile.ZipFile(stream, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, mutated(content, random) if name.endswith(".pkl") else content)
    return _check_weights(folder / "w.pth", stream.getvalue(), checked=False)


def check_keras_weights(random: Random, folder: Path) -> str:
    """A Keras file of a small network, which has no checksums."""
    path, network = folder / "w.weights.h5", _network()
    if not (folder / "intact.h5").exists():
        save_weights(network, folder / "intact.h5")
    path.write_bytes(mutated((folder / "intact.h5").read_bytes(), random))
    load_weights(network, path)
    return ""


@cache
def _network() -> Any:
    return small_network()


# Each kind of files, and the function that makes and reads one; it gives the rule that it breaks, or "".
KINDS: dict[str, Callable[[Random, Path], str]] = {
    "record files": check_record_file,
    "lengths of records": check_record_length,
    "messages": check_message,
    "weights before PyTorch 1.6": check_legacy_weights,
    "weights with a digest": check_published_weights,
    "weights since PyTorch 1.6": check_zip_weights,
    "pickles in archives": check_zipped_pickle,
    "weights of Keras": check_keras_weights,
}


def campaign(kind: str, *, count: int, seed: int, folder: Path) -> Tally:
    """Make and read files of a kind; each follows from the seed and its number alone."""
    tally = Tally()
    with warnings.catch_warnings():
        # Python's zip reader and Pillow warn about what they repair.
        warnings.simplefilter("ignore")
        for number in range(count):
            try:
                with bounded(MEGABYTES, SECONDS):
                    problem = KINDS[kind](Random(f"{seed} {kind} {number}"), folder)
                tally.read += 1
            except FoldlineError as error:
                tally.refused += 1
                message = str(error)
                tally.reasons[message.partition(": ")[2][:60]] += 1
                problem = "a message of several lines" if "\n" in message else ""
                problem = "memory ran out" if "out of memory" in message else problem
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                tally.broken.append(f"{kind}, file {number}: {problem}")
    return tally


def main(count: int = COUNT, seed: int = SEED) -> int:
    """Run the campaign and print what became of the files; the number of files that broke a rule."""
    broken = 0
    for kind in KINDS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            tally = campaign(kind, count=count, seed=seed, folder=Path(folder))
        broken += len(tally.broken)
        print(
            f"{kind}: {count} files, {tally.refused} refused, {tally.read} read, {len(tally.broken)} broke a rule, "
            f"{time.monotonic() - start:.0f} s",
            *tally.broken,
            sep="\n  ",
            flush=True,
        )
    return broken


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
