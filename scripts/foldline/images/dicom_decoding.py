"""Decode the picture of a DICOM file: stored samples, rescaled values, window, gray or RGB pixels."""

import struct

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from foldline.images.dicom import (
    BIG_ENDIAN,
    JPEG,
    JPEG_2000,
    JPEG_LS,
    LITTLE_ENDIAN,
    PALETTE,
    RGB,
    RLE,
    YBR_422,
    YBR_FULL,
    DicomPicture,
)
from foldline.images.dicom_values import Table
from foldline.images.errors import UnusableImageError, damaged
from foldline.images.jpeg import APP0, APP14, JFIF, read_jpeg_header, segments
from foldline.images.jpeg2000 import read_jpeg2000_header
from foldline.images.jpeg_decoding import COLOR_SPACES, deep_samples, embedded_colors, strict_samples
from foldline.images.options import ImageOptions
from foldline.images.picture import Peak, Picture
from foldline.images.samples import Samples, bright_sample, check_range, grid_of, scaled_to_8_bit

JPEG_LS_FRAME = 0xF7


def decode_dicom(picture: DicomPicture, options: ImageOptions) -> Picture:
    """Decode a picture to gray or RGB pixels of 8 bits.

    Raises:
        UnusableImageError: the picture is damaged, or its parts contradict each other.
    """
    stored, bits = _samples(picture)
    if picture.samples == 3:
        return Picture.whole(_rgb(stored, picture))
    if picture.photometric == PALETTE:
        return Picture.whole(_colors(stored[:, :, 0], picture, bits))
    table, peak = _gray_table(picture, stored, bits, options)
    return Picture.whole(table[stored], peak=peak)


def has_window(picture: DicomPicture, options: ImageOptions) -> bool:
    """Whether a gray picture is shown in a window, or by a table, and not in the range of its bits."""
    in_file = options.file_window and (picture.voi is not None or picture.window is not None)
    return options.window is not None or in_file


def rescaled_samples(picture: DicomPicture) -> tuple[Samples, float]:
    """The values of a gray picture, (height, width, 1), float64, padding 0, and the largest that its bits can have.

    Raises:
        UnusableImageError: the picture is damaged, or its parts contradict each other.
    """
    stored, bits = _samples(picture)
    values = _rescaled(picture, bits)
    values[_is_padding(picture, bits)] = 0
    return values[stored], float(_rescaled(picture, picture.stored).max())


def _samples(picture: DicomPicture) -> tuple[npt.NDArray[np.unsignedinteger], int]:
    """Samples as stored, (height, width, samples), and the bits of each that hold its number.

    These are those that the file says, unless some sample needs more: such files exist, pydicom reads what is stored,
    and to drop its highest bits would turn white into black.
    """
    try:
        stored = _stored(picture)
    except UnusableImageError:
        raise
    except Exception as error:  # An exception class of its own for each codec.
        raise damaged(error) from error
    bits = 8 * stored.dtype.itemsize
    if picture.samples > 1 or picture.stored >= bits:
        return stored, picture.stored
    half = 2 ** (picture.stored - 1)
    # Copies of the sign, or bits of overlays.
    needless = picture.has_overlay or picture.shift or int(stored.max()) < 2 * half
    if picture.signed and not needless:
        numbers = stored.view(f"i{stored.dtype.itemsize}")
        needless = -half <= int(numbers.min()) and int(numbers.max()) < half
    if needless:
        return (stored >> picture.shift) & (2 * half - 1), picture.stored
    return stored, bits


def _stored(picture: DicomPicture) -> npt.NDArray[np.unsignedinteger]:
    """Samples as stored, without a sign; (height, width, samples)."""
    shape = (picture.height, picture.width, picture.samples)
    size = picture.frame_bytes
    if picture.syntax in (*LITTLE_ENDIAN, BIG_ENDIAN):
        order = ">" if picture.syntax == BIG_ENDIAN else "<"
        whole = np.frombuffer(picture.data, np.uint8)
        whole = whole.view(np.uint16).byteswap().view(np.uint8) if picture.swapped else whole
        body = whole[size * picture.frame : size * (picture.frame + 1)]
        values = body.view(f"{order}u{picture.allocated // 8}").astype(f"u{picture.allocated // 8}", copy=False)
        if picture.photometric == YBR_422:
            # Two pixels share their colors: Y, Y, Cb, Cr.
            pairs = values.reshape(picture.height, -1, 4)
            colors = np.repeat(pairs[:, :, 2:], 2, axis=1)
            return np.concatenate([pairs[:, :, :2].reshape(*shape[:2], 1), colors], axis=2)
        return np.moveaxis(values.reshape(shape[2], *shape[:2]), 0, 2) if picture.planar else values.reshape(shape)
    from pydicom.encaps import get_frame

    data = get_frame(picture.data, picture.frame, number_of_frames=picture.frames)
    samples = np.asarray(_decompressed(data, picture))
    samples = samples.reshape(*samples.shape[:2], -1)
    if samples.shape != shape or samples.dtype.itemsize * 8 > picture.allocated:
        raise UnusableImageError(
            f"damaged: {samples.shape[1]} x {samples.shape[0]} pixels with {samples.shape[2]} samples of "
            f"{samples.dtype.itemsize * 8} bits, not {shape[1]} x {shape[0]} with {shape[2]} of {picture.allocated}"
        )
    return samples.view(f"u{samples.dtype.itemsize}")


def _decompressed(data: bytes, picture: DicomPicture) -> Samples:
    """Samples of a compressed frame; each decoder gets a header that was checked."""
    if picture.syntax == RLE:
        return _run_lengths(data, picture)
    if picture.syntax in JPEG:
        header = read_jpeg_header(data)
        _check_size(header.width, header.height, len(header.sampling), header.precision, picture)
        if header.precision != 8:
            return deep_samples(data, header)
        if picture.samples == 3:
            _check_colors(data, picture)
            return embedded_colors(data, header, is_ycbcr=picture.photometric != RGB)[0]
        return strict_samples(data, COLOR_SPACES[picture.samples], (0, 0))[0]
    if picture.syntax in JPEG_2000:
        raster = read_jpeg2000_header(data, signed=True)
        _check_size(raster.width, raster.height, raster.channels[0], raster.bits, picture)
        return np.asarray(imagecodecs.jpeg2k_decode(data))
    assert picture.syntax in JPEG_LS
    frame = next((part for part in segments(data, scans=False) if part.marker == JPEG_LS_FRAME), None)
    if frame is None or frame.end - frame.start < 10:
        raise UnusableImageError("damaged: the JPEG-LS data have no frame")
    precision, height, width, count = struct.unpack_from(">BHHB", data, frame.start + 4)
    _check_size(width, height, count, precision, picture)
    return np.asarray(imagecodecs.jpegls_decode(data))


def _check_size(width: int, height: int, samples: int, bits: int, picture: DicomPicture) -> None:
    found, wanted = (width, height, samples), (picture.width, picture.height, picture.samples)
    if found != wanted or bits > picture.allocated:
        raise UnusableImageError(
            f"damaged: compressed pixels of {width} x {height} with {samples} samples of {bits} bits, not {wanted[0]} "
            f"x {wanted[1]} with {wanted[2]} of {picture.allocated}"
        )


def _check_colors(data: bytes, picture: DicomPicture) -> None:
    """Refuse JPEG data whose markers do not say what the DICOM file says of the colors.

    Raises:
        UnusableImageError: the markers say otherwise.
    """
    is_ycbcr = picture.photometric != RGB
    for segment in segments(data, scans=False):
        body = data[segment.start + 4 : segment.end]
        adobe = segment.marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12
        if (segment.marker == APP0 and body.startswith(JFIF) and not is_ycbcr) or (
            adobe and bool(body[11]) != is_ycbcr
        ):
            raise UnusableImageError(
                f"a DICOM file with the photometric interpretation {picture.photometric}, of which the markers of its "
                "JPEG data say otherwise; save it as RGB without compression"
            )


def _run_lengths(data: bytes, picture: DicomPicture) -> Samples:
    """Samples of a frame in segments, one for each byte of a sample, the highest first; PS3.5 annex G."""
    width = picture.allocated // 8
    count, *offsets = struct.unpack_from("<16I", data)
    if count != picture.samples * width:
        raise UnusableImageError(f"damaged: {count} segments of run lengths, not {picture.samples * width}")
    ends = [*offsets[1:count], len(data)]
    size = picture.width * picture.height
    planes = np.empty((picture.samples, width, size), np.uint8)
    for number, (start, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        plane = imagecodecs.packbits_decode(data[start:end], out=size)
        if len(plane) != size:
            raise UnusableImageError(f"damaged: a segment of run lengths with {len(plane)} bytes, not {size}")
        planes[number // width, number % width] = np.frombuffer(plane, np.uint8)
    values = np.ascontiguousarray(planes.transpose(2, 0, 1)).view(f">u{width}")
    return values.astype(f"u{width}", copy=False).reshape(picture.height, picture.width, picture.samples)


def _rgb(stored: npt.NDArray[np.unsignedinteger], picture: DicomPicture) -> npt.NDArray[np.uint8]:
    """RGB pixels."""
    # JPEG data become RGB in their decoder, and so do JPEG 2000 data that were transformed.
    is_ycbcr = picture.photometric in (YBR_FULL, YBR_422) and picture.syntax not in JPEG
    pixels = scaled_to_8_bit(stored, 2**picture.stored - 1)
    return np.asarray(Image.fromarray(pixels, "YCbCr").convert("RGB")) if is_ycbcr else pixels


def _colors(stored: npt.NDArray[np.unsignedinteger], picture: DicomPicture, bits: int) -> npt.NDArray[np.uint8]:
    """RGB pixels of a palette, of which the entries before the first and behind the last repeat."""
    out = np.empty((*stored.shape, 3), np.uint8)
    for channel, table in enumerate(picture.palette):
        entries = np.array(table.entries, np.uint16)
        # Some programs write values of 8 bits into fields of 16.
        colors = (entries >> 8 if table.bits > 8 and int(entries.max()) > 255 else entries).astype(np.uint8)
        places = np.clip(np.arange(2**bits) - table.first, 0, len(entries) - 1)
        out[:, :, channel] = colors[places][stored]
    return out


def _rescaled(picture: DicomPicture, bits: int) -> npt.NDArray[np.float64]:
    """Values by the stored sample of some bits, after rescale slope and intercept, or the table of the modality."""
    values = _numbers(picture, bits)
    if picture.modality:
        return _looked_up(picture.modality, values)
    return values * picture.rescale[0] + picture.rescale[1]


def _numbers(picture: DicomPicture, bits: int) -> npt.NDArray[np.float64]:
    """The number that each stored sample of some bits is."""
    numbers = np.arange(2**bits, dtype=np.float64)
    if picture.signed:
        numbers[2 ** (bits - 1) :] -= 2**bits
    return numbers


def _is_padding(picture: DicomPicture, bits: int) -> npt.NDArray[np.bool_]:
    """Whether a stored sample is no part of the picture, but around it."""
    first, last = picture.padding or (1, 0)
    numbers = _numbers(picture, bits)
    return (numbers >= first) & (numbers <= last)


def _gray_table(
    picture: DicomPicture, stored: npt.NDArray[np.unsignedinteger], bits: int, options: ImageOptions
) -> tuple[npt.NDArray[np.uint8], Peak | None]:
    """Gray by the stored sample, and how much of the range the picture uses if it has no window; padding is black."""
    values, padding = _rescaled(picture, bits), _is_padding(picture, bits)
    peak = None
    if options.window is not None:
        gray = _windowed(values, *options.window, "LINEAR")
    elif options.file_window and picture.voi:
        gray = _looked_up(picture.voi, values) / (2**picture.voi.bits - 1)
    elif options.file_window and picture.window:
        gray = _windowed(values, *picture.window)
    else:
        present = np.zeros(len(values), bool)
        present[stored] = True
        present &= ~padding
        whole = _rescaled(picture, picture.stored)
        low, high = float(whole.min()), float(whole.max())
        if picture.stored > 8 and present.any():
            if options.white is not None:
                low, high = 0.0, options.white
                check_range(values[present], high)
            grid = grid_of(stored)
            inside = values[grid][~padding[grid]]
            peak = Peak(bright_sample(inside[:, None]) - low, high - low) if inside.size else None
        beyond = values[present & ((values < low) | (values > high))]
        if beyond.size:
            raise UnusableImageError(
                f"a DICOM file with a sample of {beyond[0]:g}, but its {picture.stored} bits (BitsStored) have {low:g} "
                f"to {high:g}; set dataset.dicom_window to {{center: 40, width: 80}}"
            )
        gray = ((values - low) / max(high - low, 1e-12)).clip(0, 1)
    gray = 1 - gray if picture.inverted else gray
    # The color of padding elsewhere, whatever is white.
    gray = np.where(padding, 0, gray)
    return np.floor(gray * 255 + 0.5).clip(0, 255).astype(np.uint8), peak


def _looked_up(table: Table, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Entries of a table, of which the first and the last repeat."""
    places = np.clip(np.floor(values + 0.5) - table.first, 0, len(table.entries) - 1).astype(np.intp)
    entries: npt.NDArray[np.float64] = np.array(table.entries, np.float64)[places]
    return entries


def _windowed(values: npt.NDArray[np.float64], center: float, width: float, function: str) -> npt.NDArray[np.float64]:
    """Gray in [0, 1] of values in a window; PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        power: npt.NDArray[np.float64] = np.exp((-4 * (values - center) / width).clip(-700, 700))
        sigmoid: npt.NDArray[np.float64] = 1 / (1 + power)
        return sigmoid
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if not width:
        return (values > center).astype(np.float64)
    gray: npt.NDArray[np.float64] = ((values - center) / width + 0.5).clip(0, 1)
    return gray
