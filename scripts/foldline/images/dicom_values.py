"""What a DICOM data set says of its samples: rescale, tables, windows, padding and palettes.

Source: DICOM PS3.3 C.7.6.16.2 (functional groups), C.11.1 (modality LUT), C.11.2 (VOI LUT).
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from foldline.errors import file_text
from foldline.images.errors import UnusableImageError

PALETTES = ("Red", "Green", "Blue")
# Sequences of a functional group, for each frame or for all.
PER_FRAME, SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"
RESCALES, WINDOWS = "PixelValueTransformationSequence", "FrameVOILUTSequence"


@dataclass(frozen=True)
class Table:
    """A look-up table: the input of its first entry, bits of an entry, and its entries."""

    first: int
    bits: int
    entries: tuple[int, ...]


def frame_sources(dataset: Any, frame: int, frames: int) -> tuple[list[Any], list[Any]]:
    """The data sets that may have the rescaling, and those that may have the window, of a frame; the first one counts.

    Enhanced files have both in functional groups: of the frame, then of all frames. Other files have no groups.

    Raises:
        UnusableImageError: it is not known which of the groups is that of the frame.
    """
    per_frame, shared = list(dataset.get(PER_FRAME) or []), list(dataset.get(SHARED) or [])
    if len(per_frame) != frames and any(name in group for group in per_frame for name in (RESCALES, WINDOWS)):
        raise UnusableImageError(
            f"damaged: a DICOM file with functional groups of {len(per_frame)} frames, but {frames} frames"
        )
    groups = [*per_frame[frame : frame + 1], *shared[:1]]
    rescales, windows = (
        [*(group.get(name)[0] for group in groups if group.get(name)), dataset] for name in (RESCALES, WINDOWS)
    )
    return rescales, windows


def rescale_of(sources: Sequence[Any], *, signed: bool, big: bool) -> tuple[tuple[float, float], Table | None]:
    """Slope and intercept, and the table of the modality in place of them.

    Args:
        sources: see `frame_sources`.
        signed: whether samples are numbers in two's complement.
        big: whether the file is big-endian.
    """
    names = ("RescaleSlope", "RescaleIntercept")
    for source in sources:
        if source.get("ModalityLUTSequence"):
            return (1.0, 0.0), _table_of(source.ModalityLUTSequence, signed=signed, big=big)
        if any(source.get(name) not in (None, "") for name in names):
            return (_number(source, names[0], 1.0), _number(source, names[1], 0.0)), None
    return (1.0, 0.0), None


def window_of(
    sources: Sequence[Any], *, signed: bool, big: bool
) -> tuple[Table | None, tuple[float, float, str] | None]:
    """The first table of values of interest, or the first window in place of it: center, width and function.

    Args:
        sources: see `frame_sources`.
        signed: whether rescaled values may be negative. Such a table starts at a signed number (C.11.2.1.1), which
            files whose elements name no type store like one of 16 bits above 32767.
        big: whether the file is big-endian.
    """
    for source in sources:
        if source.get("VOILUTSequence"):
            return _table_of(source.VOILUTSequence, signed=signed, big=big), None
        if source.get("WindowCenter") not in (None, "") and source.get("WindowWidth") not in (None, ""):
            return None, _window(source)
    return None, None


def padding_of(dataset: Any) -> tuple[int, int] | None:
    """The range of values around a picture; PS3.3 C.7.5.1.1.2."""
    values = [dataset.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if values[0] in (None, ""):
        return None
    signed = bool(dataset.get("PixelRepresentation", 0))
    # Without a kind of number in the file, the bytes come as they are.
    numbers = [
        int.from_bytes(value, "little", signed=signed) if isinstance(value, bytes) else int(value)
        for value in values
        if value not in (None, "")
    ]
    return min(numbers), max(numbers)


def _window(dataset: Any) -> tuple[float, float, str]:
    """The first window of a data set."""
    function = str(dataset.get("VOILUTFunction") or "LINEAR")
    center, width = _number(dataset, "WindowCenter", 0), _number(dataset, "WindowWidth", 0)
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID") or width <= 0 or (function == "LINEAR" and width < 1):
        raise UnusableImageError(
            f"a DICOM file with the window {center:g}, {width:g} ({file_text(function)}); set dataset.dicom_window to "
            "full or to {center: 40, width: 80}"
        )
    return center, width, function


def _number(dataset: Any, name: str, default: float) -> float:
    """The first value of an element."""
    value = dataset.get(name)
    if value is None or value == "":
        return default
    number = float(value if isinstance(value, int | float | str) else value[0])
    if not math.isfinite(number):
        raise UnusableImageError(f"damaged: {name} of the DICOM file is no finite number")
    return number


def palette_of(dataset: Any, *, big: bool) -> tuple[Table, ...]:
    """The tables of red, green and blue."""
    names = [f"{color}PaletteColorLookupTable" for color in PALETTES]
    return tuple(_table(dataset[f"{name}Descriptor"].value, dataset[f"{name}Data"].value, big=big) for name in names)


def _table_of(sequence: Any, *, signed: bool, big: bool) -> Table:
    """The first table of a sequence."""
    return _table(sequence[0].LUTDescriptor, sequence[0].LUTData, signed=signed, big=big)


def _table(descriptor: Any, values: Any, *, signed: bool = False, big: bool = False) -> Table:
    order: Literal["big", "little"] = "big" if big else "little"
    if isinstance(descriptor, bytes):
        descriptor = struct.unpack("<3H", descriptor)
    count, first, bits = (int(value) for value in descriptor)
    # A count of 65,536 does not fit into its field.
    count = (count & 0xFFFF) or 65536
    first = first if not signed or first < 32768 else first - 65536
    if isinstance(values, bytes):
        size = 1 if len(values) in (count, count + count % 2) and bits == 8 else 2
        values = [int.from_bytes(values[at : at + size], order) for at in range(0, size * count, size)]
    entries = tuple(int(value) for value in (values if hasattr(values, "__len__") else [values])[:count])
    if len(entries) != count or not 1 <= bits <= 16:
        raise UnusableImageError(f"damaged: a DICOM table with {len(entries)} of {count} entries of {bits} bits")
    return Table(first, bits, entries)
