"""How image files are read: the keys of the section `dataset` that decoders see."""

from dataclasses import dataclass

# Limit of width times height, in millions of pixels. A 12 KB file can ask for 10 GB of pixels; the largest cameras have
# 150 megapixels.
MAX_MEGAPIXELS = 150


@dataclass(frozen=True)
class ImageOptions:
    """How to read the image files of a data set; see `dataset` in `config/config.schema.yaml`.

    Attributes:
        max_megapixels: larger images are refused before a pixel is decoded.
        page: page of TIFF files with several pages, counted from 1; None refuses such files.
    """

    max_megapixels: float = MAX_MEGAPIXELS
    page: int | None = None
