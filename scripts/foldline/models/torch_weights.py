"""Read the tensors of a PyTorch checkpoint, without PyTorch and without running its code.

Layout before PyTorch 1.6 (torch/serialization.py, `_legacy_save`): five pickles (magic number, protocol, system, the
object with tensors as references, the list of storage keys), then each storage as a little-endian count and its raw
values. Since 1.6 (`_save`): a zip archive without compression that holds NAME/data.pkl and NAME/data/KEY.

Memory is bounded by the size of the file, whatever counts, shapes and strides it gives.
"""

import hashlib
import io
import math
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError
from foldline.io.files import read_file
from foldline.io.system_errors import system_error
from foldline.models.torch_pickle import Storage, Tensor, load

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
ZIP_SIGNATURE = b"PK\x03\x04"
STORAGE_TYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}
# The convention of torch.hub: the name of a published file ends with the first digits of its SHA-256.
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth")

# What damage may raise here, in `pickletools` and in `zipfile`.
DAMAGE = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError, struct.error),
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),
)

Values = npt.NDArray[Any]


def read_torch_weights(path: str | Path) -> dict[str, Values]:
    """Read a checkpoint that holds one flat state dictionary.

    Returns:
        Tensor name to read-only array with the type and shape of the PyTorch tensor.

    Raises:
        FoldlineError: the file cannot be read, is not such a checkpoint, is damaged, or contains anything but tensors.
    """
    path = Path(path)
    try:
        data = read_file(path)
        digest = HASH_IN_NAME.search(path.name)
        if digest is not None and not hashlib.sha256(data).hexdigest().startswith(digest[1]):
            raise ValueError(f"its SHA-256 does not start with {digest[1]}, as its name says")
        return _read_zip(data) if data.startswith(ZIP_SIGNATURE) else _read_legacy(data)
    except (OSError, MemoryError) as error:
        raise system_error(error, path=str(path)) from error
    except DAMAGE as error:
        raise FoldlineError(
            f"{path}: not a readable file of PyTorch tensors ({' '.join(str(error).split())}); download the file again"
        ) from error


def _read_legacy(data: bytes) -> dict[str, Values]:
    stream = io.BytesIO(data)
    magic, protocol, system, content, keys = (load(stream, frozenset(STORAGE_TYPES)) for _ in range(5))
    if not (isinstance(magic, int) and magic == MAGIC and isinstance(protocol, int) and protocol == PROTOCOL):
        raise ValueError("another magic number or protocol")
    if system.get("little_endian") is not True:
        raise ValueError("big-endian values")
    tensors = _tensors(content)
    storages = _storages(tensors)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(storages):
        raise ValueError("its list of storages is not that of its tensors")
    values: dict[str, Values] = {}
    start = stream.tell()
    for key in keys:
        (count,) = struct.unpack_from("<q", data, start)
        storage = storages[key]
        if count != storage.count:
            raise ValueError(f"a storage holds {count} values, not {storage.count}")
        values[key] = _values(data, storage, start + 8)
        start += 8 + values[key].nbytes
    if start != len(data):
        raise ValueError("bytes after the last storage")
    return _arrays(tensors, values.__getitem__)


def _read_zip(data: bytes) -> dict[str, Values]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) < len(names) or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("an archive with compressed or repeated entries")
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("entries that are larger than the archive")
        (pickled,) = (name for name in names if name.endswith("/data.pkl") and name.count("/") == 1)
        root = pickled.removesuffix("/data.pkl")
        if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
            raise ValueError("big-endian values")
        tensors = _tensors(load(io.BytesIO(archive.read(pickled)), frozenset(STORAGE_TYPES)))
        values: dict[str, Values] = {}
        for key, storage in _storages(tensors).items():
            content = archive.read(f"{root}/data/{key}")
            values[key] = _values(content, storage, 0)
            if values[key].nbytes != len(content):
                raise ValueError(f"a storage has {len(content)} bytes, not {values[key].nbytes}")
    return _arrays(tensors, values.__getitem__)


def _tensors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise ValueError("no dictionary of tensors")
    for name, tensor in content.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{name[:80]!r} is no tensor; save the state dictionary alone")
    return content


def _storages(tensors: dict[str, Tensor]) -> dict[str, Storage]:
    """The storages of tensors by their keys."""
    storages: dict[str, Storage] = {}
    for tensor in tensors.values():
        if storages.setdefault(tensor.storage.key, tensor.storage) != tensor.storage:
            raise ValueError("two storages with one key")
    return storages


def _values(data: bytes, storage: Storage, start: int) -> Values:
    """The values of a storage that start at a byte of the data, without a copy."""
    dtype = STORAGE_TYPES[storage.type_name]
    if not 0 <= storage.count <= (len(data) - start) // dtype.itemsize:
        raise ValueError(f"a storage of {storage.count} values exceeds the file")
    return np.frombuffer(data, dtype, storage.count, start)


def _arrays(tensors: dict[str, Tensor], values_of: Callable[[str], Values]) -> dict[str, Values]:
    return {name: _array(values_of(tensor.storage.key), tensor) for name, tensor in tensors.items()}


def _array(values: Values, tensor: Tensor) -> Values:
    """View of a tensor's values."""
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((*tensor.shape, 1)) < 1 or min((*tensor.strides, tensor.offset, 0)) < 0 or last >= len(values):
        raise ValueError(f"a tensor with shape and strides that exceed the {len(values)} values of its storage")
    if math.prod(tensor.shape) > len(values):
        raise ValueError("a tensor that repeats its values; save a copy (.contiguous()) of it")
    strides = [stride * values.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides, writeable=False)
