"""Pages of a TIFF file without a directory, or that are not in the file: what programs say of stacks beside the tags.

Sources: the forms that ImageJ, MetaMorph (STK), tifffile and OME write, as tifffile reads them.
"""

import json
import math
import re

from foldline.images.errors import UnusableImageError
from foldline.images.tiff import (
    COMPRESSION,
    DEPTH,
    DESCRIPTION,
    HEIGHT,
    METAMORPH,
    MOST_VALUES,
    NONE,
    SAMPLES,
    STRIP_COUNTS,
    STRIP_OFFSETS,
    WIDTH,
    Tags,
)

_IMAGEJ = re.compile(rb"^(images|channels|slices|frames)=([0-9]{1,9})\s*$", re.MULTILINE)
_OME_PIXELS = re.compile(rb"<(?:\w+:)?Pixels\s[^>]*>")
_OME_SIZES = re.compile(rb"\bSize([CZT])\s*=\s*[\"']([0-9]{1,9})[\"']")
_OME_FILES = re.compile(rb"\bFileName\s*=\s*[\"']([^\"']*)")
# Bytes of a description.
MOST_DESCRIPTION = 1 << 24


def whole_stack(pages: list[Tags], data: bytes) -> tuple[list[Tags], str]:
    """The pages of a file with those that have no directory, and what is wrong if some are missing.

    ImageJ and MetaMorph write one directory for a stack whose pictures follow each other without compression.

    Args:
        pages: the pages that have a directory.
        data: the bytes of the file.

    Raises:
        UnusableImageError: there is no page, or one is a volume.
    """
    if not pages:
        raise UnusableImageError("a TIFF with thumbnails alone, such as a camera's raw file; save it as JPEG or PNG")
    if any(page.get(DEPTH, (1,))[0] > 1 for page in pages):
        raise UnusableImageError("a TIFF with a volume in one page; save each of its pictures as a page")
    program, count = _said(pages, data)
    if count <= len(pages):
        return pages, ""
    first = pages[0]
    offsets, sizes = first.get(STRIP_OFFSETS, ()), first.get(STRIP_COUNTS, ())
    if len(pages) == 1 and offsets and len(offsets) == len(sizes) and program != "OME":
        step = sum(sizes)
        ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
        is_whole = list(offsets[1:]) == ends[:-1] and offsets[0] + count * step <= len(data)
        if is_whole and first.get(COMPRESSION, (NONE,)) == (NONE,) and count * len(offsets) <= MOST_VALUES:
            moved = (tuple(offset + number * step for offset in offsets) for number in range(count))
            return [{**first, STRIP_OFFSETS: places} for places in moved], ""
    return pages, f"a TIFF of which {program} says that it has {count} pictures, but {len(pages)} can be read"


def _said(pages: list[Tags], data: bytes) -> tuple[str, int]:
    """The program that wrote a file, and the number of pages that it says."""
    first = pages[0]
    if METAMORPH in first:
        return "MetaMorph", first[METAMORPH][1]
    start, length = first.get(DESCRIPTION, (0, 0))
    text = data[start : start + min(length, MOST_DESCRIPTION)].rstrip(b"\0 \r\n")
    if text.startswith(b"ImageJ="):
        numbers = {name: int(value) for name, value in _IMAGEJ.findall(text.replace(b"\r", b"\n"))}
        images = numbers.pop(b"images", 1)
        return "ImageJ", max(images, math.prod(numbers.values()))
    if text.startswith(b"{") and b'"shape"' in text:
        return "tifffile", _of_shape(text, first)
    if b"<Pixels" in text or b":Pixels" in text:
        return "OME", _of_ome(text, first)
    return "", 1


def _of_shape(text: bytes, first: Tags) -> int:
    """Pictures in the shape that tifffile writes; 1 if it is not that of the page, which was cropped since."""
    try:
        shape = tuple(map(int, json.loads(text)["shape"]))
        page = (first[HEIGHT][0], first[WIDTH][0])
    except (ValueError, OverflowError, LookupError, TypeError, RecursionError):
        return 1
    samples = first.get(SAMPLES, (1,))[0]
    for end in [page] if samples == 1 else [(*page, samples), (samples, *page)]:
        if shape[-len(end) :] == end:
            return math.prod(shape[: -len(end)])
    return 1


def _of_ome(text: bytes, first: Tags) -> int:
    """Planes of a file, where samples of a pixel are channels; 1 if the description is that of several files."""
    if len(set(_OME_FILES.findall(text))) > 1:
        return 1
    planes = 0
    for pixels in _OME_PIXELS.findall(text):
        planes += math.prod(int(size) for _, size in _OME_SIZES.findall(pixels))
    return planes // first.get(SAMPLES, (1,))[0]
