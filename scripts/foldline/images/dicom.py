"""The header of a DICOM file with one picture, checked before any pixel is decoded.

Source: DICOM PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT), C.11.2 (VOI LUT), PS3.5 (encodings).
"""

import io
import logging
import math
import warnings
from dataclasses import dataclass
from typing import Any

from foldline.errors import file_text
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
PALETTES = ("Red", "Green", "Blue")
TAGS = [
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData", "Modality"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PresentationLUTShape"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "VOILUTFunction", "ICCProfile"),
    *("WindowCenter", "WindowWidth", "DoubleFloatPixelData", "SegmentedRedPaletteColorLookupTableData"),
    *(f"{color}PaletteColorLookupTable{part}" for color in PALETTES for part in ("Descriptor", "Data")),
]


@dataclass(frozen=True)
class Table:
    """A look-up table: the input of its first entry, bits of an entry, and its entries."""

    first: int
    bits: int
    entries: tuple[int, ...]


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


def is_dicom(data: bytes) -> bool:
    """Whether the file starts like a DICOM file."""
    return data.startswith(MARK, PREAMBLE)


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
            dataset = pydicom.dcmread(io.BytesIO(data), specific_tags=TAGS)
            syntax = str(dataset.file_meta.TransferSyntaxUID)
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


def _picture(dataset: Any, syntax: str, options: ImageOptions) -> DicomPicture:
    if "PixelData" not in dataset:
        kind = "float pixels" if {"FloatPixelData", "DoubleFloatPixelData"} & set(dataset.dir()) else "no pixels"
        modality = file_text(dataset.get("Modality") or "unknown")
        raise UnusableImageError(f"a DICOM file with {kind} (modality {modality})")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1 and options.page is None:
        raise UnusableImageError(f"{frames} frames; set dataset.page to the number of the frame to read, from 1")
    frame = (options.page or 1) - 1
    if frame >= frames:
        raise UnusableImageError(f"dataset.page is {options.page}, but the DICOM file has {frames} frames")
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
        signed=bool(dataset.get("PixelRepresentation", 0)),
        frame=frame,
        frames=frames,
        data=dataset.PixelData,
        swapped=syntax == BIG_ENDIAN and allocated == 8 and dataset["PixelData"].VR == "OW",
        rescale=(_number(dataset, "RescaleSlope", 1.0), _number(dataset, "RescaleIntercept", 0.0)),
        modality=_table_of(dataset.get("ModalityLUTSequence"), signed=bool(dataset.get("PixelRepresentation", 0))),
        voi=_table_of(dataset.get("VOILUTSequence"), signed=False),
        window=_window(dataset),
        # An image that is MONOCHROME1 has the shape INVERSE too; both say the same (C.8.11.3).
        inverted=photometric == MONOCHROME1 or dataset.get("PresentationLUTShape") == "INVERSE",
        padding=_padding(dataset),
        palette=_palette(dataset) if photometric == PALETTE else (),
        profile=bytes(dataset.get("ICCProfile") or b""),
    )


def _number(dataset: Any, name: str, default: float) -> float:
    """The first value of an element."""
    value = dataset.get(name)
    if value is None or value == "":
        return default
    number = float(value if isinstance(value, int | float | str) else value[0])
    if not math.isfinite(number):
        raise UnusableImageError(f"damaged: {name} of the DICOM file is no finite number")
    return number


def _padding(dataset: Any) -> tuple[int, int] | None:
    """The range of values around a picture; PS3.3 C.7.5.1.1.2."""
    values = [dataset.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if values[0] in (None, ""):
        return None
    signed = bool(dataset.get("PixelRepresentation", 0))
    # Without a kind of number in the file, the bytes come as they are.
    numbers = [
        int.from_bytes(value, "little", signed=signed) if isinstance(value, bytes) else int(value)
        for value in values
        if value not in (None, "")
    ]
    return min(numbers), max(numbers)


def _window(dataset: Any) -> tuple[float, float, str] | None:
    """The first window of a file."""
    if dataset.get("WindowCenter") in (None, "") or dataset.get("WindowWidth") in (None, ""):
        return None
    function = str(dataset.get("VOILUTFunction") or "LINEAR")
    center, width = _number(dataset, "WindowCenter", 0), _number(dataset, "WindowWidth", 0)
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID") or width <= 0 or (function == "LINEAR" and width < 1):
        raise UnusableImageError(
            f"a DICOM file with the window {center:g}, {width:g} ({file_text(function)}); set dataset.dicom_window to "
            "full or to {center: 40, width: 80}"
        )
    return center, width, function


def _table_of(sequence: Any, *, signed: bool) -> Table | None:
    """The first table of a sequence."""
    if not sequence:
        return None
    return _table(sequence[0].LUTDescriptor, sequence[0].LUTData, signed=signed)


def _palette(dataset: Any) -> tuple[Table, ...]:
    names = [f"{color}PaletteColorLookupTable" for color in PALETTES]
    return tuple(_table(dataset[f"{name}Descriptor"].value, dataset[f"{name}Data"].value) for name in names)


def _table(descriptor: Any, values: Any, *, signed: bool = False) -> Table:
    count, first, bits = (int(value) for value in descriptor)
    # A count of 65,536 does not fit into its field.
    count = (count & 0xFFFF) or 65536
    first = first if not signed or first < 32768 else first - 65536
    if isinstance(values, bytes):
        size = 1 if len(values) in (count, count + count % 2) and bits == 8 else 2
        values = [int.from_bytes(values[at : at + size], "little") for at in range(0, size * count, size)]
    entries = tuple(int(value) for value in (values if hasattr(values, "__len__") else [values])[:count])
    if len(entries) != count or not 1 <= bits <= 16:
        raise UnusableImageError(f"damaged: a DICOM table with {len(entries)} of {count} entries of {bits} bits")
    return Table(first, bits, entries)
