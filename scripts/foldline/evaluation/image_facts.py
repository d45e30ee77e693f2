"""What is known of images without a network: size, format, brightness, color."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from foldline.images.decoding import decode
from foldline.images.headers import read_header

# Weights of red, green and blue in the luma (Rec. 601).
LUMA = np.array([0.299, 0.587, 0.114])


def image_facts(
    inventory: pd.DataFrame, thumbnails: Mapping[str, Sequence[bytes]], channels: Sequence[str]
) -> pd.DataFrame:
    """Facts of each image of an inventory, one column each; NaN, or "" for the file type, where one is not known.

    Args:
        inventory: rows of `tables.INVENTORY`.
        thumbnails: id -> JPEG of each image of the sample; none for unusable images.
        channels: names of the channels of a sample; none for RGB or gray images.
    """
    width, height = (inventory[name].where(inventory[name] > 0).astype(np.float64) for name in ("width", "height"))
    files = max(1, len(channels))
    table = pd.DataFrame(
        {
            "width": width,
            "height": height,
            "aspect ratio": width / height,
            "bytes per pixel": inventory["bytes"] / (width * height * files),
            "file type": [Path(path).suffix.lower().removeprefix(".") for path in inventory["path"]],
            "contrast": inventory["contrast"].where(inventory["perceptual_hash"] != ""),
        }
    )
    found = [_colors(thumbnails.get(name, ()), channels) for name in inventory["id"]]
    names = list(dict.fromkeys(name for facts in found for name in facts))
    return table.assign(**{name: [facts.get(name, np.nan) for facts in found] for name in names})


def _colors(images: Sequence[bytes], channels: Sequence[str]) -> dict[str, float]:
    """Brightness in 0..255, and how much redder and bluer than green an image is; the brightness of each channel."""
    means = [_mean(data) for data in images]
    if channels:
        return {f"brightness of {name}": float(mean.mean()) for name, mean in zip(channels, means, strict=False)}
    if not means:
        return {}
    (mean,) = means
    if len(mean) == 1:
        return {"brightness": float(mean[0])}
    red, green, blue = mean.tolist()
    return {"brightness": float(mean @ LUMA), "red minus green": red - green, "blue minus green": blue - green}


def _mean(data: bytes) -> npt.NDArray[np.float64]:
    """Mean of each channel of a JPEG, (1 or 3,)."""
    return np.asarray(decode(data, read_header(data)).pixels.mean(axis=(0, 1), dtype=np.float64))
