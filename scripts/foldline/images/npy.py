"""The header of a NumPy array file (npy), of which no pickle is ever loaded.

Source: the format description in `numpy.lib.format`.
"""

import ast
import math
import re
import struct

from foldline.errors import file_text
from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

SIGNATURES = (b"\x93NUMPY",)
MOST_HEADER, MOST_SIDE = 10_000, 1 << 32
_DTYPE = re.compile(r"[<>|=]?([a-zA-Z?])(\d{1,4})")
NAMES = {"u": "unsigned", "i": "signed", "f": "float", "b": "bool", "c": "complex"}


def read_npy_header(data: bytes, planes: int = 0) -> Raster:
    """Parse the header of a file.

    Args:
        data: the bytes of the file.
        planes: channels that a file with all channels of a sample has; 0 for a gray or RGB picture.

    Raises:
        UnusableImageError: the file is truncated, or the array is no gray or RGB picture of 8 or 16 bits.
    """
    shape, layout, start = _parse(data)
    height, width, channels = (*shape, 1)[:3] if len(shape) in (2, 3) else (0, 0, 0)
    wanted = (planes,) if planes else (1, 3)
    if not channels or channels not in wanted:
        raise UnusableImageError(
            f"an array of the shape {file_text(shape)}; save it as (height, width{', channels' if planes else ''})"
            + (f" with {planes} channels, those of dataset.channels" if planes else " or (height, width, 3)")
        )
    check_sides(width, height, "an array")
    size = int(layout[2])
    if start + math.prod(shape) * size != len(data):
        raise UnusableImageError(f"damaged: the array has {len(data) - start} bytes, not {math.prod(shape) * size}")
    # The file, of which the samples are a view, and the picture.
    needed = len(data) + height * width * channels
    return Raster("NPY", width, height, (channels,), 8 * size, needed, start=start, layout=layout)


def _parse(data: bytes) -> tuple[tuple[int, ...], str, int]:
    """Shape, `Raster.layout`, and where the samples start."""
    form, length = ("<H", 2) if data[6:7] == b"\1" else ("<I", 4)
    try:
        (size,) = struct.unpack_from(form, data, 8)
        start = 8 + length + size
        if size > MOST_HEADER or start > len(data):
            raise UnusableImageError("damaged: the header of the array is truncated or too long")
        header = ast.literal_eval(data[8 + length : start].decode("latin-1").strip())
        kind, shape, columns_first = header["descr"], header["shape"], header["fortran_order"]
        if not all(isinstance(side, int) and 0 <= side < MOST_SIDE for side in shape):
            raise ValueError(shape)
    except UnusableImageError:
        raise
    except Exception as error:  # The parser of Python has no limit to what it raises.
        raise UnusableImageError("damaged: the header of the array is unreadable") from error
    match = _DTYPE.fullmatch(kind) if isinstance(kind, str) else None
    if match is None or match[1] == "O":
        raise UnusableImageError("an array of Python objects, which is never loaded; save it as uint8 or uint16")
    if match[1] != "u" or match[2] not in "12":
        name = NAMES.get(match[1], match[1])
        raise UnusableImageError(f"an array of {name} samples of {8 * int(match[2])} bits; save it as uint8 or uint16")
    order = ">" if kind.startswith(">") else "<"
    return tuple(shape), f"{order}u{match[2]}{'F' if columns_first else ''}", start
