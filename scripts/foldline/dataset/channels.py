"""Which images make up a sample and where they are: one RGB image, or one gray image for each channel.

Standard library only: the process that builds the DAG asks here too.
"""

from collections.abc import Sequence

from foldline.io.files import digest_of

# Feature of a record that holds the one image of a sample without named channels.
IMAGE = "image"
CHANNEL = "{channel}"
# Between the places of the ready-made records of one sample.
PATH_SEPARATOR = "|"


def image_features(channels: Sequence[str]) -> list[str]:
    """Features of a record that hold the images of its sample: one for each channel, or that of the RGB image."""
    return list(channels) or [IMAGE]


def image_paths(path: str, channels: Sequence[str]) -> list[str]:
    """Places of the images of a sample, in the order of `image_features`.

    Args:
        path: path of the sample in the inventory: with {channel} in it, or places joined by `PATH_SEPARATOR`.
        channels: names of the channels; none for an RGB image, whose path is its place.
    """
    if not channels:
        return [path]
    if CHANNEL in path:
        return [path.replace(CHANNEL, channel) for channel in channels]
    return path.split(PATH_SEPARATOR)


def joint_digest(digests: Sequence[str]) -> str:
    """Hex digest of the images of a sample from the SHA-256 of each, in order; that of a single image is its own."""
    return digests[0] if len(digests) == 1 else digest_of(list(digests))
