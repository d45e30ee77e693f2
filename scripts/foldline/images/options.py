"""How image files are read: the keys of the section `dataset` that decoders see."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Limit of width times height, in millions of pixels. A 12 KB file can ask for 10 GB of pixels; the largest cameras have
# 150 megapixels.
MAX_MEGAPIXELS = 150
FULL = "full"
# Value of `dataset.dicom_window` beside `FULL`: the window of each file.
FILE_WINDOW = "file"
# Values of `dataset.color_profile`.
SRGB, IGNORE = "srgb", "ignore"
# Most bytes of memory for each pixel that is allowed: file, samples, a decompressed strip and the 8-bit picture.
BYTES_PER_PIXEL = 16
# Most bytes of a file for each pixel that is allowed: 16-bit RGBA without compression.
FILE_BYTES_PER_PIXEL = 8
# Longest side of a thumbnail in pixels.
THUMBNAIL_SIDE = 160
# Sides in pixels of a picture for which the memory of decoders with a reduced scale is known.
SIDES = (256, 512, 1024, 2048)
# Most bytes for each pixel of a picture that is made: in color, before and after it is enlarged.
RESIZED_BYTES = 6
# Memory in MB of a process without images.
PROCESS_MB = 150


@dataclass(frozen=True)
class ImageOptions:
    """How to read the image files of a data set; see `dataset` in `config/config.schema.yaml`.

    Attributes:
        max_megapixels: larger images are refused before a pixel is decoded.
        page: page of TIFF files with several pages, counted from 1; None refuses such files.
        white: value of samples of more than 8 bits that becomes 255; None for the largest value of their bits.
        file_window: whether gray DICOM files are shown in their own window, if they have one and `window` is None.
        planes: number of channels that each file has, if it has all of a sample; 0 if it is a picture.
        window: center and width of the window in which all gray DICOM files are shown.
        color_profile: "srgb" to convert colors by the ICC profile of the file, or "ignore".
    """

    max_megapixels: float = MAX_MEGAPIXELS
    page: int | None = None
    white: float | None = None
    color_profile: str = SRGB
    file_window: bool = True
    window: tuple[float, float] | None = None
    planes: int = 0

    @property
    def max_bytes(self) -> float:
        """Largest file."""
        return FILE_BYTES_PER_PIXEL * self.max_megapixels * 1e6

    @property
    def most_mb(self) -> float:
        """Memory in MB above which no image is decoded."""
        return BYTES_PER_PIXEL * self.max_megapixels

    def size_problem(self, size: int) -> str:
        """What to say of a file of some bytes that is too large to be read; "" if it is not."""
        if size <= self.max_bytes:
            return ""
        return f"a file of {size / 1e6:,.0f} MB; dataset.max_megapixels allows {self.max_bytes / 1e6:,.0f} MB"

    @classmethod
    def settings(cls, dataset: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, from the section `dataset` of a completed configuration."""
        intensity = dataset["intensity"]
        window = dataset["dicom_window"]
        white = None if intensity == FULL else intensity.get("max", 2 ** intensity.get("bits", 0) - 1)
        return {
            "max_megapixels": dataset["max_megapixels"],
            "page": dataset["page"],
            "white": white,
            "file_window": window == FILE_WINDOW,
            "window": None if isinstance(window, str) else [window["center"], window["width"]],
            # Channels are measurements, not colors.
            "color_profile": IGNORE if dataset["channels"] else dataset["color_profile"],
        }


def memory_mb(image_mb: float, *, images: int) -> int:
    """Memory in MB of a step whose workers decode some images at a time, each of at most `image_mb`."""
    return math.ceil(PROCESS_MB * (images + 1) + images * image_mb)


DEFAULT = ImageOptions()
