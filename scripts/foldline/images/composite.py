"""Composite of image channels: one color picture of any number of channels, for people."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
    "gray": (255, 255, 255),
}


def channel_colors(channels: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Color of each channel, uint8, (C, 3): the color that it is named after, else the next unused one of `COLORS`."""
    unused = [name for name in COLORS if name not in channels] or list(COLORS)
    others = [name for name in channels if name not in COLORS]
    assigned = {name: unused[number % len(unused)] for number, name in enumerate(others)}
    return np.array([COLORS[assigned.get(name, name)] for name in channels], np.uint8)


def composite(pixels: npt.NDArray[np.uint8], channels: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Sum all channels, each in its color, clipped at white.

    Args:
        pixels: uint8, (..., C).
        channels: names of the C channels; empty for an RGB or gray picture, which does not change.

    Returns:
        uint8, (..., 3).
    """
    if not channels:
        return np.broadcast_to(pixels, (*pixels.shape[:-1], 3))
    mixed = pixels.astype(np.float32) @ (channel_colors(channels) / np.float32(255))
    return np.clip(mixed, 0, 255).astype(np.uint8)
