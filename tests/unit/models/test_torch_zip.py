"""PyTorch checkpoints in both formats hold the same tensors, and are written as PyTorch writes them."""

import pickletools
from pathlib import Path

import numpy as np
import pytest
from fixtures.torch_files import Arrays, example_arrays, legacy_file, pickled, state, state_of_python_2, zip_file
from foldline.errors import FoldlineError
from foldline.models.torch_weights import read_torch_weights
from unit.models.test_torch_weights import LITE0


def file_of_python_2(arrays: Arrays) -> bytes:
    return legacy_file(arrays, state_of_python_2(arrays))


@pytest.mark.parametrize("make", [legacy_file, zip_file, file_of_python_2])
def test_tensors_are_read_with_their_types_and_layouts(make, tmp_path: Path) -> None:
    arrays = example_arrays()
    (tmp_path / "weights.pth").write_bytes(make(arrays))
    tensors = read_torch_weights(tmp_path / "weights.pth")
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)
        assert not tensors[name].flags.writeable


def test_the_published_tensors_are_the_same_in_a_zip_archive(tmp_path: Path) -> None:
    published = read_torch_weights(LITE0)
    (tmp_path / "lite0.pth").write_bytes(zip_file(published))
    again = read_torch_weights(tmp_path / "lite0.pth")
    assert list(again) == list(published)
    assert all(np.array_equal(again[name], array) for name, array in published.items())


def test_the_generated_pickle_has_the_instructions_of_the_published_one() -> None:
    """So the generated files stand for real ones."""
    raw = Path(str(LITE0)).read_bytes()
    kinds = {opcode.name for opcode, _, _ in pickletools.genops(raw[raw.index(b"\x80\x02ccollections") :])}
    generated = {opcode.name for opcode, _, _ in pickletools.genops(pickled(state(example_arrays(), view=(None,))))}
    assert generated - kinds <= {"LONG1"}
    assert {"BINPERSID", "REDUCE", "GLOBAL", "SETITEMS"} <= generated


def test_a_published_file_has_the_digest_in_its_name(tmp_path: Path) -> None:
    data = bytearray(Path(str(LITE0)).read_bytes())
    (tmp_path / LITE0.name).write_bytes(data)
    assert len(read_torch_weights(tmp_path / LITE0.name)) == 296
    data[-100] ^= 1
    (tmp_path / LITE0.name).write_bytes(data)
    with pytest.raises(FoldlineError, match="its SHA-256 does not start with 57934424, as its name says"):
        read_torch_weights(tmp_path / LITE0.name)
