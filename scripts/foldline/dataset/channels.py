"""The images of a sample: one RGB image, or one gray image for each channel.

Standard library only, because the process that builds the DAG imports it.
"""

from collections.abc import Sequence

from foldline.io.files import digest_of

# Feature of a record with the one image of a sample without named channels.
IMAGE = "image"
CHANNEL = "{channel}"
# Between the paths of a sample with several ready-made records.
PATH_SEPARATOR = "|"


def image_features(channels: Sequence[str]) -> list[str]:
    """Features of a record that hold the images of its sample: one for each channel, or `IMAGE` for an RGB image."""
    return list(channels) or [IMAGE]


def image_paths(path: str, channels: Sequence[str]) -> list[str]:
    """Paths of the images of a sample, in the order of `image_features`.

    Args:
        path: path of the sample in the inventory: with `{channel}` in it, or several paths joined by `PATH_SEPARATOR`.
        channels: names of the channels; empty for an RGB image, which has one path.
    """
    if not channels:
        return [path]
    if CHANNEL in path:
        return [path.replace(CHANNEL, channel) for channel in channels]
    return path.split(PATH_SEPARATOR)


def joint_digest(digests: Sequence[str]) -> str:
    """Hex digest of the images of a sample from the ordered SHA-256 of each; that of a single image is its SHA-256."""
    return digests[0] if len(digests) == 1 else digest_of(list(digests))
