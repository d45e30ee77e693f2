"""Records and weights files that ask for more than they hold are refused in one line, with bounded memory and time."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.faults import one_line, run_code
from fixtures.torch_files import dictionaries_of_one_list, legacy_file, pickled, state, tensor, zip_file
from foldline.errors import FoldlineError
from foldline.models.torch_weights import MAGIC, PROTOCOL, read_torch_weights
from foldline.tfrecords.example_proto import decode_example, encode_example
from foldline.tfrecords.record_files import checksum, count_records, read_records

pytestmark = pytest.mark.faults

# What a process may allocate beside its code: far less than the files ask for.
MEGABYTES = 800
ONE = {"w": np.zeros(3, np.float32)}


def framed(length: int, data: bytes) -> bytes:
    """A record that says it has another length, with the right checksum of that."""
    header = struct.pack("<Q", length)
    return header + checksum(header) + data + checksum(data)


RECORDS = {
    "a length of 2^63 bytes": (2**63, "smaller than 2 GiB"),
    "a length of 4 GiB": (2**32, "smaller than 2 GiB"),
    "a length of 2 GiB less a byte": (2**31 - 1, "is truncated"),
    "a length of one byte more than the file has": (30, "is truncated"),
}


@pytest.mark.parametrize("fault", RECORDS)
def test_a_length_beyond_the_file(fault: str, tmp_path: Path) -> None:
    length, words = RECORDS[fault]
    path = tmp_path / "a.tfrec"
    path.write_bytes(framed(length, b"twenty-nine bytes of a record"))
    for read in (count_records, lambda name: list(read_records(name))):
        with pytest.raises(FoldlineError) as caught:
            read(path)
        one_line(str(caught.value), "a.tfrec: record 1", words, "remove the file")


def test_a_length_beyond_the_file_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.tfrec").write_bytes(framed(2**31 - 1, b"a record"))
    done = run_code(
        """
        from foldline.tfrecords.record_files import read_records
        from foldline.errors import FoldlineError
        try:
            list(read_records("a.tfrec"))
        except FoldlineError as error:
            print(error)
        """,
        megabytes=MEGABYTES,
        folder=tmp_path,
    )
    one_line(done.stdout, "is truncated")
    assert done.returncode == 0, done.stderr


MESSAGES = {
    "a number without end": b"\x0a" + b"\xff" * 1_000_000,
    "a field longer than the message": encode_example({"a": b"x"})[:1] + b"\xff\xff\xff\xff\x7f" + b"x",
    "a field with number zero": b"\x02\x01x",
    "a group, which no record has": b"\x0b\x0c",
}


@pytest.mark.parametrize("fault", MESSAGES)
def test_a_message_that_is_none(fault: str) -> None:
    with pytest.raises(FoldlineError) as caught:
        decode_example(MESSAGES[fault])
    one_line(str(caught.value), "is not a tf.train.Example")


def reserved_index() -> bytes:
    """A pickle that stores a value under the index 2^31: the memory of `pickle.Unpickler` up to there is touched."""
    return b"\x80\x02K\x01r\xff\xff\xff\x7f."


def nested_key(depth: int) -> bytes:
    """A dictionary whose key is a pair of pairs of pairs: comparing it takes 2^depth steps."""
    pairs = b"".join(b"q%ch%c\x86" % (number, number) for number in range(depth))
    return b"\x80\x02}K\x01" + pairs + b"K\x01s."


def zip_with_twins() -> bytes:
    stream = io.BytesIO(zip_file(ONE))
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("archive/data/0", b"twelve bytes")
    return stream.getvalue()


HEAD = pickled(MAGIC) + pickled(PROTOCOL) + pickled({"little_endian": True})
# A tensor of other sizes than the three values of the file: count of the storage, shape, strides.
TENSORS = {
    "a storage of 2^60 values": ((2**60, (3,), (1,)), "3 values, not 1152921504606846976"),
    "a storage of -1 values": ((-1, (3,), (1,)), "3 values, not -1"),
    "a storage with another count than it says": ((2, (1,), (1,)), "3 values, not 2"),
    "a shape of 2^40 with strides of zero": ((3, (2**40,), (0,)), "repeats its values"),
    "a shape beyond the storage": ((3, (2, 2), (2, 1)), "exceed the 3 values"),
    "strides beyond the storage": ((3, (2,), (2**62,)), "exceed the 3 values"),
    "strides that are negative": ((3, (2,), (-1,)), "exceed the 3 values"),
    "a shape of a thousand dimensions": ((3, (1,) * 1000, (1,) * 1000), "dimension"),
}
PICKLES = {
    "a pickle that reserves an index of 2^31": (reserved_index(), "no dictionary of tensors"),
    "a pickle with a key of nested pairs": (nested_key(60), "a key of type tuple"),
    "a pickle with a text of 2^62 bytes": (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.", ""),
    "a pickle that uses one list a thousand times": (dictionaries_of_one_list(1000, 1000), "too many values"),
    "a pickle that calls a program": (b"cos\nsystem\n(X\x04\x00\x00\x00true\x85R.", "refers to os.system"),
}
ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a compressed archive": (lambda: zip_file(ONE, compression=zipfile.ZIP_DEFLATED), "compressed"),
    "an archive with two storages of one name": (zip_with_twins, "repeated entries"),
    "an archive whose storage is too short": (lambda: zip_file(ONE, other_tensor(4, (4,), (1,))), "exceeds"),
    "an archive without a pickle": (lambda: zip_file(ONE).replace(b"data.pkl", b"data.txt"), ""),
    "a truncated archive": (lambda: zip_file(ONE)[:-30], ""),
    "an archive with a flipped value": (lambda: zip_file(ONE).replace(bytes(12), bytes(11) + b"\x01", 1), "CRC-32"),
}


def other_tensor(count: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> dict[str, object]:
    return {"w": tensor("0", "FloatStorage", count, shape, strides)}


def hostile_files() -> dict[str, tuple[bytes, str]]:
    """Content of each file, and a word of the message."""
    files = {name: (legacy_file(ONE, other_tensor(*sizes)), words) for name, (sizes, words) in TENSORS.items()}
    files |= {name: (HEAD + data + pickled([]), words) for name, (data, words) in PICKLES.items()}
    files |= {name: (make(), words) for name, (make, words) in ARCHIVES.items()}
    files["a checkpoint that holds more than tensors"] = (legacy_file(ONE, {"epoch": 3}), "'epoch' is no tensor")
    return files


FILES = hostile_files()


@pytest.mark.parametrize("fault", FILES)
def test_a_weights_file_that_is_none(fault: str, tmp_path: Path) -> None:
    data, words = FILES[fault]
    (tmp_path / "w.pth").write_bytes(data)
    with pytest.raises(FoldlineError) as caught:
        read_torch_weights(tmp_path / "w.pth")
    one_line(str(caught.value), "w.pth: not a readable file of PyTorch tensors", words, "download the file again")


def test_hostile_weights_files_take_no_memory(tmp_path: Path) -> None:
    for number, (data, _) in enumerate(FILES.values()):
        (tmp_path / f"{number}.pth").write_bytes(data)
    done = run_code(
        """
        from pathlib import Path
        from foldline.errors import FoldlineError
        from foldline.models.torch_weights import read_torch_weights
        for path in sorted(Path().glob("*.pth")):
            try:
                read_torch_weights(path)
            except FoldlineError as error:
                assert "out of memory" not in str(error), error
                print(error)
        """,
        megabytes=MEGABYTES,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(FILES)


def test_tensors_that_share_a_storage_take_no_memory(tmp_path: Path) -> None:
    """Ten thousand views of one megabyte are not ten gigabytes."""
    shared = np.ones(250_000, np.float32)
    content = {f"w{number}": tensor("0", "FloatStorage", shared.size, (500, 500), (1, 500)) for number in range(10_000)}
    (tmp_path / "w.pth").write_bytes(legacy_file({"w": shared}, content))
    tensors = read_torch_weights(tmp_path / "w.pth")
    assert len(tensors) == 10_000
    assert len({array.__array_interface__["data"][0] for array in tensors.values()}) == 1


def test_intact_files_are_read(tmp_path: Path) -> None:
    """What the faults are made of is no fault."""
    (tmp_path / "w.pth").write_bytes(legacy_file(ONE, state(ONE, view=(None,))))
    assert read_torch_weights(tmp_path / "w.pth")["w"].shape == (3,)
    (tmp_path / "a.tfrec").write_bytes(framed(8, b"a record"))
    assert list(read_records(tmp_path / "a.tfrec")) == [b"a record"]
