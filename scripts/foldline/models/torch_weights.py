"""Read the tensors of a PyTorch checkpoint in the format before 1.6, without PyTorch and without running its code.

Layout (torch/serialization.py, `_legacy_save`): five pickles (magic number, protocol, system, the object with tensors
as references, the list of storage keys), then each storage as a little-endian count and its raw values.
"""

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from foldline.errors import FoldlineError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGE_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    """Flat values that tensors refer to; `count` is their number."""

    key: str
    type_name: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """View of a storage; offset and strides count values, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], _grad: bool, _hooks: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows ordered dictionaries, tensors and storages only, so that no code of the file can run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in STORAGE_TYPES:
            return name
        raise pickle.UnpicklingError(f"the file refers to {module}.{name}, which tensors do not need")

    def persistent_load(self, reference: Any) -> _Storage:
        kind, type_name, key, _location, count, view = reference
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown reference {reference!r}")
        return _Storage(key, type_name, count)


def read_torch_weights(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    """Read a checkpoint that holds one flat state dictionary.

    Returns:
        Tensor name to array, float32 or int64, with the shape of the PyTorch tensor.

    Raises:
        FoldlineError: the file is not such a checkpoint, is truncated, or contains anything but tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as handle:
            return _read(handle)
    except (pickle.UnpicklingError, EOFError, struct.error, TypeError, ValueError, KeyError, AttributeError) as error:
        raise FoldlineError(
            f"{path}: not a readable file of PyTorch tensors ({error}); download the file again"
        ) from error


def _read(handle: IO[bytes]) -> dict[str, npt.NDArray[Any]]:
    magic, protocol = (_Unpickler(handle).load() for _ in range(2))
    if (magic, protocol) != (MAGIC, PROTOCOL):
        raise ValueError(f"magic number {magic!r}, protocol {protocol!r}")
    system = _Unpickler(handle).load()
    if not system["little_endian"]:
        raise ValueError("big-endian values")
    tensors = _Unpickler(handle).load()
    keys = _Unpickler(handle).load()
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    values = {key: _storage_values(handle, storages[key]) for key in keys}
    if handle.read(1):
        raise ValueError("bytes after the last storage")
    return {name: _array(values[tensor.storage.key], tensor) for name, tensor in tensors.items()}


def _storage_values(handle: IO[bytes], storage: _Storage) -> npt.NDArray[Any]:
    (count,) = struct.unpack("<q", handle.read(8))
    if count != storage.count:
        raise ValueError(f"storage {storage.key} holds {count} values, not {storage.count}")
    dtype = STORAGE_TYPES[storage.type_name]
    return np.frombuffer(handle.read(count * dtype.itemsize), dtype, count)


def _array(values: npt.NDArray[Any], tensor: _Tensor) -> npt.NDArray[Any]:
    """Copy of a tensor's values in C order."""
    last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((*tensor.shape, 1)) < 1 or min((*tensor.strides, tensor.offset, 0)) < 0 or last >= len(values):
        raise ValueError(
            f"shape {tensor.shape} with strides {tensor.strides} exceeds the {len(values)} values of its storage"
        )
    strides = [stride * values.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.ascontiguousarray(view)
