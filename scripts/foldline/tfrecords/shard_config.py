"""Settings of the shards: how images are resized, and what records hold."""

from dataclasses import dataclass

from foldline.images.options import DEFAULT, ImageOptions


@dataclass(frozen=True)
class ShardConfig:
    """How to make the records of one split; see `shards` and `dataset` in `config/config.schema.yaml`.

    Attributes:
        root: folder or URL of the dataset.
        channels: names of the channels, each a feature of a record; empty if a sample is one RGB image.
        image_feature: feature of the image in ready-made records.
        aspect: "stretch", "crop" or "pad"; see `images.resizing.record_image`.
        jpeg_quality: in 1..100.
        metadata_columns: columns of the inventory that records hold as text.
        images: see `ScanConfig`.
        locations: see `ScanConfig`.
        reading: how to read images.
        soft_labels: whether labels are the share of each class, see `dataset.soft_labels`.
    """

    root: str
    channels: tuple[str, ...]
    image_feature: str
    aspect: str
    jpeg_quality: int
    metadata_columns: tuple[str, ...]
    images: str | None = None
    locations: str | None = None
    reading: ImageOptions = DEFAULT
    soft_labels: bool = False
