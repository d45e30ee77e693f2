"""Channels laid over each other in colors, so that a picture of any number of them can be looked at."""

from collections.abc import Sequence

import numpy as np

COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
    "gray": (255, 255, 255),
}


def channel_colors(channels: Sequence[str]) -> np.ndarray:
    """Color of each channel, uint8, (C, 3): that of its name, else the next of `COLORS` that no name has taken."""
    free = [name for name in COLORS if name not in channels] or list(COLORS)
    others = [name for name in channels if name not in COLORS]
    picked = {name: free[number % len(free)] for number, name in enumerate(others)}
    return np.array([COLORS[picked.get(name, name)] for name in channels], np.uint8)


def composite(pixels: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """One color picture of all channels: the sum of each in its color, cut at white.

    Args:
        pixels: uint8, (..., C).
        channels: names of the C channels; none for an RGB or gray picture, which stays as it is.

    Returns:
        uint8, (..., 3).
    """
    if not channels:
        return np.broadcast_to(pixels, (*pixels.shape[:-1], 3))
    mixed = pixels.astype(np.float32) @ (channel_colors(channels) / np.float32(255))
    return np.clip(mixed, 0, 255).astype(np.uint8)
