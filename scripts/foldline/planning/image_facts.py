"""What planning knows of image files: checksum, size, times and header."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from foldline.images.errors import COLORED_CHANNEL
from foldline.images.options import SIDES, ImageOptions
from foldline.io.hdf5_paths import Place
from foldline.planning.file_digests import Status
from foldline.planning.image_content import ImageContent
from foldline.planning.index_table import STATUS, Columns

# Columns of the data index that hold attributes of `ImageContent`, and all that are known of an image file.
CONTENT = (
    *("sha256", "header_options", "format", "width", "height", "record_offset", "record_length", "color", "unranged"),
    *("decoding_bytes", "scaled_bytes"),
)
MEMORY = ("width", "height", "decoding_bytes", "scaled_bytes")
KNOWN = ("path", *STATUS, *CONTENT)


@dataclass(frozen=True)
class ImageFacts:
    """What is known of some images, (n_images,).

    Attributes:
        checksums: see `ImageContent`.
        sizes: size of each in bytes.
        columns: columns of the data index, see `index_table.SCHEMA`.
        problems: why headers that were read now cannot be used, by the number of the image.
    """

    checksums: Sequence[str]
    sizes: Sequence[int]
    columns: Columns
    problems: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, paths: Sequence[str], contents: Sequence[ImageContent], sizes: Sequence[int], statuses: Sequence[Status]
    ) -> "ImageFacts":
        """Facts of files; `statuses` is empty for those in a bucket."""
        rows = [content[: len(CONTENT)] for content in contents]
        values = dict(zip(CONTENT, zip(*rows, strict=True) if rows else [()] * len(CONTENT), strict=True))
        columns: dict[str, Sequence[Any]] = {"path": paths, "size": sizes, **values}
        if statuses:
            columns |= dict(zip(STATUS, zip(*statuses, strict=True), strict=True))
        if any(values["record_length"]):
            sizes = [content.length or size for content, size in zip(contents, sizes, strict=True)]
        problems = {number: content.problem for number, content in enumerate(contents) if content.problem}
        return cls(values["sha256"], sizes, columns, problems)

    @property
    def without_header(self) -> list[int]:
        """Numbers of the images on a disk whose headers are unknown or cannot be used."""
        if STATUS[-1] not in self.columns:
            return []
        return [number for number, value in enumerate(self._values("format")) if value is None]

    def of_format(self, name: str) -> list[int]:
        """Numbers of the images of a format, one of `headers.FORMATS`, of which the header is known."""
        return [number for number, value in enumerate(self._values("format")) if value == name]

    def unranged(self) -> dict[str, list[int]]:
        """Numbers of the images with samples of which none is known to be white, by `Header.unranged`."""
        found: dict[str, list[int]] = defaultdict(list)
        for number, samples in enumerate(self._values("unranged")):
            if samples is not None:
                found[samples].append(number)
        return found

    def wrong_channels(self, paths: Sequence[str], rows: Sequence[int]) -> dict[int, str]:
        """What is wrong with images of channels, by number: color, or another size than the first of their row.

        Args:
            paths: (n_images,), their paths.
            rows: (n_images,), number of the row of each.
        """
        wrong = {number: COLORED_CHANNEL for number, color in enumerate(self._values("color")) if color}
        sides = list(zip(self._values("width"), self._values("height"), strict=True))
        firsts = dict[int, int]()
        for number, (row, (width, height)) in enumerate(zip(rows, sides, strict=True)):
            first = firsts.setdefault(row, number)
            if sides[first] != (width, height) and None not in (*sides[first], width):
                size = f"{sides[first][0]} x {sides[first][1]}; channels of a sample have one size"
                wrong[number] = f"{width} x {height} pixels, but {Path(paths[first]).name} has {size}"
        return wrong

    def image_mb(self, options: ImageOptions, per_row: int) -> list[float] | None:
        """Most memory in MB that a row needs while its images are decoded; None if not all headers are known.

        Args:
            options: how to read images.
            per_row: images of a row. They are decoded one after the other, beside the files and pictures of the others.

        Returns:
            For each of `options.SIDES`, if JPEG files are decoded at a scale that leaves such a side; then at full
            scale.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        width, height, fixed, scaled = (pa.array(self._values(name), "int64") for name in MEMORY)
        if not len(self.sizes) or fixed.null_count:
            return None
        pixels, side = pc.multiply(width, height), pc.min_element_wise(width, height)
        others = pc.max(pc.add(pa.array(self.sizes, "int64"), pixels)).as_py() * (per_row - 1) / 1e6
        needed = []
        for wanted in (*SIDES, math.inf):
            eighths = pa.scalar(8)
            for scale in (4, 2, 1):
                eighths = pc.if_else(pc.greater_equal(pc.multiply(side, scale), 8.0 * wanted), scale, eighths)
            decoded = pc.divide(pc.multiply(pixels, pc.multiply(eighths, eighths)), 64)
            bytes_needed = pc.max(pc.add(fixed, pc.multiply(scaled, decoded))).as_py()
            needed.append(min(options.most_mb, bytes_needed / 1e6) + others)
        return needed

    @cached_property
    def places(self) -> Sequence[Place | None]:
        """Where each image is in its HDF5 file, (n_images,); None for an image file."""
        places = zip(self._values("record_offset"), self._values("record_length"), strict=True)
        return [None if length is None else Place(offset, length) for offset, length in places]

    def _values(self, name: str) -> Sequence[Any]:
        values = self.columns[name]
        return values if isinstance(values, tuple) else values.to_pylist()
