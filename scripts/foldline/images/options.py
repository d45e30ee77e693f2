"""How image files are read: the keys of the section `dataset` that decoders see."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Limit of width times height, in millions of pixels. A 12 KB file can ask for 10 GB of pixels; the largest cameras have
# 150 megapixels.
MAX_MEGAPIXELS = 150
FULL = "full"


@dataclass(frozen=True)
class ImageOptions:
    """How to read the image files of a data set; see `dataset` in `config/config.schema.yaml`.

    Attributes:
        max_megapixels: larger images are refused before a pixel is decoded.
        page: page of TIFF files with several pages, counted from 1; None refuses such files.
        white: value of samples of more than 8 bits that becomes 255; None for the largest value of their bits.
    """

    max_megapixels: float = MAX_MEGAPIXELS
    page: int | None = None
    white: float | None = None

    @classmethod
    def settings(cls, dataset: Mapping[str, Any]) -> dict[str, Any]:
        """The fields, from the section `dataset` of a completed configuration."""
        intensity = dataset["intensity"]
        white = None if intensity == FULL else intensity.get("max", 2 ** intensity.get("bits", 0) - 1)
        return {"max_megapixels": dataset["max_megapixels"], "page": dataset["page"], "white": white}


DEFAULT = ImageOptions()
