"""The header of a DICOM file with one picture, checked before any pixel is decoded.

Source: DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT), PS3.5 (encodings).
"""

import io
import logging
import struct
import warnings
from dataclasses import dataclass
from typing import Any

from foldline.errors import file_text
from foldline.images.dicom_frames import stored_frames
from foldline.images.dicom_values import (
    PALETTES,
    PER_FRAME,
    SHARED,
    Table,
    frame_sources,
    padding_of,
    palette_of,
    rescale_of,
    window_of,
)
from foldline.images.errors import UnusableImageError, damaged
from foldline.images.options import ImageOptions

MARK, PREAMBLE = b"DICM", 128
MONOCHROME1, MONOCHROME2, PALETTE, RGB = "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB"
YBR_FULL, YBR_422, YBR_ICT, YBR_RCT = "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"
# Samples of a pixel by the photometric interpretation.
SAMPLES = {MONOCHROME1: 1, MONOCHROME2: 1, PALETTE: 1, RGB: 3, YBR_FULL: 3, YBR_422: 3, YBR_ICT: 3, YBR_RCT: 3}
LITTLE_ENDIAN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
BIG_ENDIAN = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203))
SYNTAXES = (*LITTLE_ENDIAN, BIG_ENDIAN, RLE, *JPEG, *JPEG_LS, *JPEG_2000)
# Types of elements whose length has 32 bits, and 16 bits, of the groups 2 and 8; and the length of a sequence of any.
LONG_KINDS = (b"SQ", b"OB", b"OW", b"UN", b"UT", b"UC", b"UR")
UNDEFINED = 2**32 - 1
SHORT_KINDS = (b"UL", b"UI", b"SH", b"LO", b"CS", b"DA", b"TM", b"DT", b"ST", b"PN", b"IS", b"DS", b"US", b"AE", b"AS")
# Bit Position of each plane of overlays: not 0 if they are in bits of the samples, as they once were (PS3.5 8.1.2).
OVERLAYS = [0x60000102 + 0x20000 * plane for plane in range(16)]
TAGS: list[Any] = [
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData", "Modality"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PresentationLUTShape"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction", "ICCProfile"),
    *("WindowCenter", "WindowWidth", "DoubleFloatPixelData", "SegmentedRedPaletteColorLookupTableData"),
    *("PixelPresentation", PER_FRAME, SHARED, *OVERLAYS),
    *(f"{color}PaletteColorLookupTable{part}" for color in PALETTES for part in ("Descriptor", "Data")),
]


@dataclass(frozen=True)
class DicomPicture:
    """What a file says of its picture; each number was checked against the others.

    Attributes:
        syntax: UID of the transfer syntax, one of `SYNTAXES`.
        width: pixels.
        height: pixels.
        samples: samples of a pixel.
        photometric: a key of `SAMPLES`.
        planar: whether each sample has a plane of its own.
        allocated: bits of a sample in the file: 8 or 16.
        stored: bits of a sample that count.
        shift: bits below them.
        signed: whether samples are numbers in two's complement.
        has_overlay: whether bits above those that count hold something else.
        frame: number of the picture, from 0.
        frames: number of pictures.
        data: the pixel data element.
        swapped: whether each two bytes of these are in the other order: samples of 8 bits in words of 16.
        rescale: slope and intercept.
        modality: the table in place of `rescale`.
        voi: the table of values of interest.
        window: center, width and function, in rescaled values.
        inverted: whether the lowest value is white.
        padding: the first and the last value, as stored, that is no part of a gray picture; None if there are none.
        palette: tables of red, green and blue.
        profile: the ICC profile, b"" if there is none.
    """

    syntax: str
    width: int
    height: int
    samples: int
    photometric: str
    planar: bool
    allocated: int
    stored: int
    shift: int
    signed: bool
    has_overlay: bool
    frame: int
    frames: int
    data: bytes
    swapped: bool
    rescale: tuple[float, float]
    modality: Table | None
    voi: Table | None
    window: tuple[float, float, str] | None
    inverted: bool
    padding: tuple[int, int] | None
    palette: tuple[Table, ...]
    profile: bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of a picture without compression."""
        samples = 2 if self.photometric == YBR_422 else self.samples
        return self.height * self.width * samples * self.allocated // 8


def is_dicom(data: bytes) -> bool:
    """Whether the file starts like a DICOM file, or like one without preamble, which some scanners wrote."""
    return data.startswith(MARK, PREAMBLE) or _starts_with_elements(data)


def _starts_with_elements(data: bytes) -> bool:
    """Whether a file starts with three little-endian elements in the order of tags, the first of group 2 or 8."""
    place, last = 0, (0, 0)
    for number in range(3):
        if place + 8 > len(data):
            return False
        group, element, kind, length = struct.unpack_from("<HH2sH", data, place)
        if (not number and group not in (2, 8)) or (group, element) <= last:
            return False
        place, last = place + 8, (group, element)
        if kind in LONG_KINDS and place + 4 <= len(data):
            (length,) = struct.unpack_from("<I", data, place)
            place += 4
        elif not kind.isalpha():
            (length,) = struct.unpack_from("<I", data, place - 4)
        elif kind not in SHORT_KINDS:
            return False
        if length == UNDEFINED:
            return number > 0
        if length % 2 or place + length > len(data):
            return False
        place += length
    return True


def read_dicom_header(data: bytes, options: ImageOptions) -> DicomPicture:
    """Parse the data set of a file.

    Raises:
        UnusableImageError: the file is damaged, has no picture or several, or is of a kind that is not read.
    """
    # Imported here: few data sets have such files.
    import pydicom
    from pydicom import config

    logging.getLogger("pydicom").setLevel(logging.ERROR)
    config.settings.reading_validation_mode = config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data), specific_tags=TAGS, force=True)
            syntax = _syntax(dataset)
            if syntax not in SYNTAXES:
                name = file_text(pydicom.uid.UID(syntax).name)
                raise UnusableImageError(f"a DICOM file with the transfer syntax {name}; save it without compression")
            return _picture(dataset, syntax, options)
    except UnusableImageError:
        raise
    except AttributeError as error:
        raise UnusableImageError(f"damaged: the DICOM file lacks {error.name}") from error
    except Exception as error:  # What pydicom raises on damage is not documented.
        raise damaged(error) from error


def _syntax(dataset: Any) -> str:
    """UID of the transfer syntax, which follows from the elements if no group 2 names it."""
    if "TransferSyntaxUID" in dataset.file_meta or len(dataset.file_meta):
        return str(dataset.file_meta.TransferSyntaxUID)
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise UnusableImageError("a DICOM file with compressed pixels that names no transfer syntax; save it without")
    return LITTLE_ENDIAN[0] if dataset.original_encoding[0] else LITTLE_ENDIAN[1]


def _picture(dataset: Any, syntax: str, options: ImageOptions) -> DicomPicture:
    if "PixelData" not in dataset:
        kind = "float pixels" if {"FloatPixelData", "DoubleFloatPixelData"} & set(dataset.dir()) else "no pixels"
        modality = file_text(dataset.get("Modality") or "unknown")
        raise UnusableImageError(f"a DICOM file with {kind} (modality {modality})")
    frame, frames = _frames(dataset, options)
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    shift = int(dataset.get("HighBit", stored - 1)) + 1 - stored
    photometric = str(dataset.PhotometricInterpretation)
    samples = int(dataset.SamplesPerPixel)
    if allocated not in (8, 16) or not 1 <= stored <= allocated or not 0 <= shift <= allocated - stored:
        raise UnusableImageError(
            f"a DICOM file with samples of {stored} of {allocated} bits; save it with 8 or 16 bits"
        )
    if SAMPLES.get(photometric) != samples:
        raise UnusableImageError(
            f"a DICOM file with the photometric interpretation {file_text(photometric)} and {samples} samples per "
            "pixel; save it as MONOCHROME2 or RGB"
        )
    if "SegmentedRedPaletteColorLookupTableData" in dataset:
        raise UnusableImageError("a DICOM file with a segmented palette; save it as RGB")
    if samples == 1 and photometric != PALETTE and dataset.get("PixelPresentation") in ("COLOR", "MIXED"):
        raise UnusableImageError("a DICOM file with gray and a palette for some of it; save it as RGB")
    signed, big = bool(dataset.get("PixelRepresentation", 0)), syntax == BIG_ENDIAN
    rescales, windows = frame_sources(dataset, frame, frames)
    rescale, table = rescale_of(rescales, signed=signed, big=big)
    lowest = -(2 ** (stored - 1)) if signed else 0
    ends = [value * rescale[0] + rescale[1] for value in (lowest, lowest + 2**stored - 1)]
    voi, window = None, None
    if options.file_window and options.window is None:
        voi, window = window_of(windows, signed=table is None and min(ends) < 0, big=big)
    return DicomPicture(
        syntax=syntax,
        width=int(dataset.Columns),
        height=int(dataset.Rows),
        samples=samples,
        photometric=photometric,
        planar=bool(dataset.get("PlanarConfiguration", 0)),
        allocated=allocated,
        stored=stored,
        shift=shift,
        signed=signed,
        has_overlay=any(dataset[tag].value for tag in OVERLAYS if tag in dataset),
        frame=frame,
        frames=frames,
        data=dataset.PixelData or b"",
        swapped=big and allocated == 8 and dataset["PixelData"].VR == "OW",
        rescale=rescale,
        modality=table,
        voi=voi,
        window=window,
        # An image that is MONOCHROME1 has the shape INVERSE too; both say the same (C.8.11.3).
        inverted=photometric == MONOCHROME1 or dataset.get("PresentationLUTShape") == "INVERSE",
        padding=padding_of(dataset),
        palette=palette_of(dataset, big=big) if photometric == PALETTE else (),
        profile=bytes(dataset.get("ICCProfile") or b""),
    )


def _frames(dataset: Any, options: ImageOptions) -> tuple[int, int]:
    """The number of the frame to read, from 0, and of all frames."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1 and options.page is None:
        raise UnusableImageError(f"{frames} frames; set dataset.page to the number of the frame to read, from 1")
    frame = (options.page or 1) - 1
    if frame >= frames:
        raise UnusableImageError(f"dataset.page is {options.page}, but the DICOM file has {frames} frames")
    return frame, frames


def check_layout(picture: DicomPicture) -> None:
    """Refuse pixels of which the header says that they cannot be decoded.

    Raises:
        UnusableImageError: they cannot.
    """
    is_plain = picture.syntax in (*LITTLE_ENDIAN, BIG_ENDIAN)
    wanted = picture.frame_bytes * picture.frames
    if is_plain and len(picture.data) < wanted:
        raise UnusableImageError(f"damaged: {len(picture.data)} bytes of pixels, not {wanted}")
    # A byte makes the length even; some programs append a few more.
    if is_plain and len(picture.data) - wanted >= max(2, picture.frame_bytes):
        raise UnusableImageError(
            f"a DICOM file with {len(picture.data)} bytes of pixels, but NumberOfFrames is {picture.frames}, and a "
            f"frame has {picture.frame_bytes}; save each frame as a file"
        )
    stored = 0 if is_plain else stored_frames(picture.data, one_each=picture.syntax == RLE)
    if stored > picture.frames:
        raise UnusableImageError(
            f"a DICOM file with {stored} compressed pictures, but NumberOfFrames is {picture.frames}; save each as a "
            "file"
        )
    if is_plain and picture.photometric == YBR_422 and (picture.width % 2 or picture.allocated != 8 or picture.planar):
        raise UnusableImageError(
            "a DICOM file with subsampled colors (YBR_FULL_422) without compression that has an odd width, 16 bits or "
            "planes; save it as RGB"
        )
    if picture.photometric in (YBR_ICT, YBR_RCT) and picture.syntax not in JPEG_2000:
        raise UnusableImageError(f"damaged: the photometric interpretation {picture.photometric} without JPEG 2000")
    # JPEG data become RGB in their decoder.
    if picture.photometric in (YBR_FULL, YBR_422) and picture.syntax not in JPEG and picture.stored != 8:
        raise UnusableImageError(f"a DICOM file with YBR colors of {picture.stored} bits; save it as RGB")
