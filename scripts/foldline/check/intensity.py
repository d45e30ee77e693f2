"""Measure the samples of images with more than 8 bits, and say what `dataset.intensity` should be."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal

import numpy as np
import numpy.typing as npt

from foldline.dataset.scan_config import ScanConfig
from foldline.errors import counted, listing
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.images.samples import BRIGHT_PERCENT, DARK, Samples
from foldline.images.stored_samples import stored_samples
from foldline.io.system_errors import reason
from foldline.tfrecords.image_reading import read_image_bytes, too_large

PERCENTILES = (50, 99, BRIGHT_PERCENT)
# By the number of channels of a picture.
COLORS = {1: ("gray",), 3: ("red", "green", "blue"), 4: ("cyan", "magenta", "yellow", "black")}
# Bits of float32 that are dropped, so that similar values are counted together: 16 of the mantissa count, so that whole
# numbers of 16 bits are exact, and others within 1/32768.
DROPPED_BITS = 8
# Counted values that wait to be merged, all together: 50 MB.
PENDING = 4_000_000


@dataclass(frozen=True)
class MeasurePlan:
    """What is measured.

    Attributes:
        scan: of the training images; the digest is that of a shard.
        example: name of the example, if that is not on the disk yet; None if the data are there.
        pinned: table of the rows of that example.
    """

    scan: ScanConfig
    example: str | None = None
    pinned: str = ""


@dataclass(frozen=True)
class ChannelOfImage:
    """The samples of a channel of an image.

    Attributes:
        name: of the channel.
        bits: of a sample in the file.
        white: the largest value of these bits; None if samples have no such range.
        whole: whether all samples are whole numbers.
        least: the smallest sample.
        most: the largest sample.
        values: the different samples, float32, ascending; see `DROPPED_BITS`.
        counts: how often each occurs, int64.
    """

    name: str
    bits: int
    white: float | None
    whole: bool
    least: float
    most: float
    values: npt.NDArray[np.float32] = field(repr=False)
    counts: npt.NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True)
class MeasuredImages:
    """The images of a sample: its channels with more than 8 bits, and which image cannot be used, and why."""

    channels: tuple[ChannelOfImage, ...]
    problem: str = ""


@dataclass(frozen=True)
class Channel:
    """A channel of a data set: number of images, and as `ChannelOfImage`; `percentiles` are those of `PERCENTILES`."""

    name: str
    images: int
    bits: tuple[int, ...]
    white: float | None
    whole: bool
    least: float
    most: float
    percentiles: tuple[float, ...]


def measure_images(
    paths: Sequence[str], *, image_feature: str, channels: Sequence[str], reading: ImageOptions
) -> MeasuredImages:
    """Measure the images of a sample.

    Args:
        paths: path of each image, joined to the root of the dataset.
        image_feature: feature of the image in ready-made records.
        channels: names of the channels; empty for pictures.
        reading: how to read images.
    """
    measured: list[ChannelOfImage] = []
    for number, path in enumerate(paths):
        # Each file is a channel, or the one file has all of them.
        names = channels[number : number + 1] if len(paths) > 1 else channels
        try:
            if problem := too_large(path, reading):
                return MeasuredImages((), f"{path}: {problem}")
            measured += _channels(read_image_bytes(path, image_feature, reading), names, reading)
        except OSError as error:
            return MeasuredImages((), f"{path}: {reason(error)}")
        except UnusableImageError as error:
            return MeasuredImages((), f"{path}: {error}")
    return MeasuredImages(tuple(measured))


def _channels(data: bytes, names: Sequence[str], reading: ImageOptions) -> Iterator[ChannelOfImage]:
    stored = stored_samples(data, read_header(data, reading), reading)
    names = names or COLORS[sum(part.samples.shape[2] for part in stored)] if stored else ()
    planes = [(part, part.samples[:, :, number]) for part in stored for number in range(part.samples.shape[2])]
    if len(planes) != len(names):
        raise UnusableImageError(f"{counted(len(planes), 'channel')}, not {len(names)}")
    for name, (part, plane) in zip(names, planes, strict=True):
        if part.bits > 8:
            least, most = float(plane.min()), float(plane.max())
            if not np.isfinite([least, most]).all():
                raise UnusableImageError("samples that are no finite numbers")
            whole = plane.dtype.kind in "ui" or bool((plane == np.floor(plane)).all())
            yield ChannelOfImage(name, part.bits, part.white, whole, least, most, *counted_values(plane))


def counted_values(samples: Samples) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The different samples, ascending, and how often each occurs; see `DROPPED_BITS`."""
    if samples.dtype.kind == "u" and samples.dtype.itemsize <= 2:
        counts = np.bincount(samples.ravel())
        values = np.flatnonzero(counts)
        return values.astype(np.float32), counts[values].astype(np.int64)
    with np.errstate(over="ignore"):
        rounded = samples.astype(np.float32).ravel()
    bits = rounded.view(np.uint32) >> DROPPED_BITS << DROPPED_BITS
    different, counts = np.unique(bits.view(np.float32), return_counts=True)
    return different, counts.astype(np.int64)


class _Totals:
    """The counted values of a channel in many images."""

    def __init__(self) -> None:
        self.images: list[ChannelOfImage] = []
        self.count = self.pending = 0
        self.bits: set[int] = set()

    def add(self, image: ChannelOfImage) -> None:
        self.images.append(image)
        self.count += 1
        self.bits.add(image.bits)
        self.pending += len(image.values)
        if self.pending > PENDING:
            self.images, self.pending = [self.merged()], 0

    def merged(self) -> ChannelOfImage:
        values, places = np.unique(np.concatenate([image.values for image in self.images]), return_inverse=True)
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, places.ravel(), np.concatenate([image.counts for image in self.images]))
        whites = [image.white for image in self.images]
        return ChannelOfImage(
            name=self.images[0].name,
            bits=max(self.bits),
            white=None if None in whites else max(white for white in whites if white is not None),
            whole=all(image.whole for image in self.images),
            least=min(image.least for image in self.images),
            most=max(image.most for image in self.images),
            values=values,
            counts=counts,
        )


def channels_of(images: Iterable[MeasuredImages]) -> list[Channel]:
    """The channels with more than 8 bits of a data set, in the order in which they first occur."""
    totals: dict[str, _Totals] = {}
    for measured in images:
        for image in measured.channels:
            totals.setdefault(image.name, _Totals()).add(image)
    channels = []
    for name, total in totals.items():
        all_images = total.merged()
        ranks = np.cumsum(all_images.counts)
        # The smallest value that has this share of all samples at or below it.
        places = [int(np.searchsorted(ranks, ranks[-1] * share / 100)) for share in PERCENTILES]
        percentiles = tuple(float(all_images.values[place]) for place in places)
        facts = (all_images.white, all_images.whole, all_images.least, all_images.most)
        channels.append(Channel(name, total.count, tuple(sorted(total.bits)), *facts, percentiles))
    return channels


def channel_line(channel: Channel) -> str:
    """What was measured of a channel, in one line."""
    percentiles = ", ".join(
        f"{share:g} %: {value:g}" for share, value in zip(PERCENTILES, channel.percentiles, strict=True)
    )
    bits = listing([str(bits) for bits in channel.bits])
    return (
        f"{channel.name}: {counted(channel.images, 'image')} with more than 8 bits ({bits} bits), samples from "
        f"{channel.least:g} to {channel.most:g}, percentiles {percentiles}"
    )


def advice(channels: Sequence[Channel], white: float | None) -> list[str]:
    """What to write into the configuration, in lines.

    Args:
        channels: the channels of the training images; at least one.
        white: `dataset.intensity` as it is, see `ImageOptions.white`.
    """
    least, most = min(channel.least for channel in channels), max(channel.most for channel in channels)
    if least < 0:
        return [
            f"a sample is {least:g}, which dataset.intensity does not allow, as black is 0; of DICOM files, set "
            f"dataset.dicom_window to a window from {least:g} to {most:g}; add a constant to the samples of other files"
        ]
    if most == 0:
        return ["nothing to set: all samples are 0"]
    whites = [channel.white for channel in channels]
    now = white
    if now is None and None not in whites:
        now = max(value for value in whites if value is not None)
    if now is not None and now / 2 < most <= now:
        return [f"nothing to set: the largest sample is {most:g}, and {now:g} is white", *_tail_lines(channels, now)]
    value, then = _intensity(most, whole=all(channel.whole for channel in channels))
    is_now = "no value is white yet" if now is None else f"{now:g} is white"
    return [
        f"the largest sample is {most:g}, and {is_now}; write into the configuration:",
        "dataset:",
        f"  intensity: {{{value}}}",
        *_tail_lines(channels, then),
    ]


def _intensity(most: float, *, whole: bool) -> tuple[str, float]:
    """Value of `dataset.intensity` for the largest sample, and the sample that is white then."""
    if whole and most < 2**32:
        bits = int(most).bit_length()
        return f"bits: {bits}", 2.0**bits - 1
    rounded = float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(Decimal(most)))
    return f"max: {rounded:g}", rounded


def _tail_lines(channels: Sequence[Channel], white: float) -> list[str]:
    """A remark if only a few samples come near to white."""
    tail = max(channel.percentiles[-1] for channel in channels)
    if tail > DARK * white:
        return []
    return [
        f"{PERCENTILES[-1]:g} % of the samples are at most {tail:g}, so the images come out dark all the same; if the "
        "larger ones are no part of the picture, limit them in the files, as samples above white are an error"
    ]
