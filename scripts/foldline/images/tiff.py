"""The directories of a TIFF or BigTIFF file, checked before any pixel is decoded.

Tags and values: TIFF 6.0, and the supplements of Adobe and libtiff for the compressions.
"""

import struct
from dataclasses import dataclass

from foldline.images.errors import UnusableImageError
from foldline.images.exif import UPRIGHT, valid_orientation

SIGNATURES = (b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b")
# Sizes and letters of `struct` by the type of a value; others are not needed here.
TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 16: "Q", 18: "Q"}
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 254, 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR, PREDICTOR = 273, 274, 277, 278, 279, 284, 317
COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, EXTRA, FORMAT = 320, 322, 323, 324, 325, 338, 339
JPEG_TABLES, YCBCR_SAMPLING, PROFILE, DESCRIPTION, DEPTH, METAMORPH = 347, 530, 34675, 270, 32997, 33629
INK_SET, DOT_RANGE = 332, 336
WANTED = {
    *(SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS, ORIENTATION, SAMPLES),
    *(ROWS_PER_STRIP, STRIP_COUNTS, PLANAR, PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS),
    *(EXTRA, FORMAT, JPEG_TABLES, YCBCR_SAMPLING, PROFILE, DEPTH, INK_SET, DOT_RANGE),
}
# Bytes of a value of the tags of which the values are not read, but where they start and how many they are.
PLACED = {DESCRIPTION: 1, METAMORPH: 8}
REDUCED, MASK = 1, 4  # bits of `SUBFILE`: thumbnails and transparency masks are no pages
SEPARATE = 2
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
COLORS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
PHOTOMETRICS = {8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "color filter array", 34892: "linear raw"}
NONE, JPEG, PACKBITS = 1, 7, 32773
FAX = 4
DEFLATE = (8, 32946)
LZW, ZSTD, LZMA = 5, (50000, 34926), 34925
COMPRESSIONS = {
    2: "CCITT without ends of lines",
    3: "CCITT group 3",
    6: "old-style JPEG",
    22610: "JPEG XR",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
READABLE = {NONE, FAX, LZW, JPEG, *DEFLATE, PACKBITS, LZMA, *ZSTD}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
FORMATS = {UNSIGNED: "unsigned", SIGNED: "signed", FLOAT: "float"}
UNSPECIFIED, ASSOCIATED, STRAIGHT = 0, 1, 2
# Values of a directory by their tags.
Tags = dict[int, tuple[int, ...]]
# Limits of what is read of a file: directories may overlap, so its size is none.
MOST_TILE = 4096  # pixels of a side, if the picture is smaller
MOST_ENTRIES, MOST_VALUES = 1 << 18, 1 << 21


@dataclass(frozen=True)
class TiffPage:
    """One page of a TIFF file; each number was checked against the others and against the size of the file.

    Attributes:
        order: byte order, "<" or ">".
        width: pixels, as stored.
        height: pixels, as stored.
        bits: bits of a sample.
        kind: `UNSIGNED`, `SIGNED` or `FLOAT`.
        samples: samples of a pixel.
        extra: kind of each sample beyond those of the color.
        photometric: the color model, a key of `COLORS`.
        compression: one of `READABLE`.
        predictor: 1, 2 (differences) or 3 (of float samples).
        reversed_bits: whether the bits of each byte are stored from the lowest.
        separate: whether each sample has a plane of its own.
        tile: height and width of a tile or strip in pixels.
        tiled: whether these are tiles, which are padded at the right and the bottom; strips are not.
        segments: offset and length of each tile or strip in the file.
        colors: the palette, 3 * 2^bits values of 16 bits.
        tables: JPEG tables.
        orientation: in 1..8.
        profile: the ICC profile, b"" if there is none.
    """

    order: str
    width: int
    height: int
    bits: int
    kind: int
    samples: int
    extra: tuple[int, ...]
    photometric: int
    compression: int
    predictor: int
    reversed_bits: bool
    separate: bool
    tile: tuple[int, int]
    tiled: bool
    segments: tuple[tuple[int, int], ...]
    colors: tuple[int, ...]
    tables: bytes
    orientation: int
    profile: bytes

    @property
    def across(self) -> int:
        """Tiles side by side."""
        return -(-self.width // self.tile[1])

    @property
    def down(self) -> int:
        """Tiles or strips one below the other."""
        return -(-self.height // self.tile[0])

    @property
    def sample_bytes(self) -> int:
        """Bytes of a decoded sample."""
        return 1 if self.bits <= 8 else 2 if self.bits <= 16 else self.bits // 8

    @property
    def unranged(self) -> str:
        """Samples without a largest value, in words; "" if their bits say which one is white."""
        if self.kind == UNSIGNED and self.bits <= 16:
            return ""
        name = {UNSIGNED: "whole", SIGNED: "signed", FLOAT: "float"}[self.kind]
        return f"a TIFF with {name} samples of {self.bits} bits"


@dataclass(frozen=True)
class _Layout:
    """How the numbers of a file are stored: of TIFF, or of BigTIFF with its offsets of 64 bits."""

    order: str
    count: str
    entry: str
    offset: str
    first: int

    @classmethod
    def of(cls, data: bytes) -> "_Layout":
        order = "<" if data.startswith(b"II") else ">"
        if data[2:4] in (b"\x2b\0", b"\0\x2b"):
            return cls(order, f"{order}Q", f"{order}HHQ", f"{order}Q", 8)
        return cls(order, f"{order}H", f"{order}HHI", f"{order}I", 4)


def read_pages(data: bytes) -> list[Tags]:
    """Read the wanted tags of each page; thumbnails and masks are no pages.

    Raises:
        UnusableImageError: the file is truncated or damaged.
    """
    layout = _Layout.of(data)
    pages: list[Tags] = []
    seen: set[int] = set()
    entries = values = 0
    try:
        (offset,) = struct.unpack_from(layout.offset, data, layout.first)
        while offset:
            if offset in seen:
                raise UnusableImageError("damaged: the TIFF directories form a circle")
            seen.add(offset)
            tags, offset, count = _read_directory(data, offset, layout)
            entries, values = entries + count, values + sum(map(len, tags.values()))
            if entries > MOST_ENTRIES or values > MOST_VALUES:
                raise UnusableImageError(f"a TIFF with more than {MOST_ENTRIES} tags or {MOST_VALUES} values in them")
            if not tags.get(SUBFILE, (0,))[0] & (REDUCED | MASK):
                pages.append(tags)
    except struct.error as error:
        raise UnusableImageError("damaged: the TIFF file is truncated") from error
    return pages


def _read_directory(data: bytes, offset: int, layout: _Layout) -> tuple[Tags, int, int]:
    """The wanted tags of a directory, the offset of the next one or 0, and the number of tags."""
    (count,) = struct.unpack_from(layout.count, data, offset)
    start, head, width = offset + struct.calcsize(layout.count), struct.calcsize(layout.entry), layout.first
    end = start + count * (head + width)
    if end > len(data):
        raise UnusableImageError("damaged: the TIFF file is truncated")
    tags: Tags = {}
    for place in range(start, end, head + width):
        tag, kind, number = struct.unpack_from(layout.entry, data, place)
        if number * PLACED.get(tag, 0) > width:
            tags[tag] = (*struct.unpack_from(layout.offset, data, place + head), number)
        if tag not in WANTED or kind not in TYPES or not number or tag in tags:
            continue
        if tag == PROFILE and number > MOST_VALUES:
            tags[tag] = (0,)  # no profile, and so counted as broken
            continue
        if number > MOST_VALUES or number > len(data):
            raise UnusableImageError(f"damaged: TIFF tag {tag} has {number} values")
        form = f"{layout.order}{number}{TYPES[kind]}"
        if struct.calcsize(form) > width:
            (where,) = struct.unpack_from(layout.offset, data, place + head)
        else:
            where = place + head
        tags[tag] = struct.unpack_from(form, data, where)
    (following,) = struct.unpack_from(layout.offset, data, end)
    return tags, following, count


def parse_page(tags: Tags, data: bytes) -> TiffPage:
    """Check the tags of a page against each other and against the file.

    Raises:
        UnusableImageError: a tag is missing, wrong, or of a kind that is not read.
    """

    def one(tag: int, default: int | None = None) -> int:
        values = tags.get(tag) or (() if default is None else (default,))
        if not values:
            raise UnusableImageError(f"damaged: the TIFF file lacks tag {tag}")
        return values[0]

    width, height, samples = one(WIDTH), one(HEIGHT), one(SAMPLES, 1)
    compression, photometric = one(COMPRESSION, NONE), one(PHOTOMETRIC, BLACK_IS_ZERO)
    bits, kinds = set(tags.get(BITS, (1,))), set(tags.get(FORMAT, (UNSIGNED,)))
    if not width or not height or not samples:
        raise UnusableImageError(f"damaged: a TIFF of {width} x {height} pixels with {samples} samples")
    if len(bits) > 1 or len(kinds) > 1:
        raise UnusableImageError("a TIFF whose samples differ in bits or kind; save it with samples of one kind")
    if compression not in READABLE:
        name = COMPRESSIONS.get(compression, f"number {compression}")
        raise UnusableImageError(f"a TIFF with compression {name}; save it with LZW, deflate or no compression")
    if photometric not in COLORS:
        name = PHOTOMETRICS.get(photometric, f"number {photometric}")
        raise UnusableImageError(f"a TIFF with colors of the kind {name}; save it as RGB or gray")
    tiled = TILE_WIDTH in tags
    rows = min(one(ROWS_PER_STRIP, height) or height, height)
    tile = (one(TILE_HEIGHT), one(TILE_WIDTH)) if tiled else (rows, width)
    offsets = tags.get(TILE_OFFSETS if tiled else STRIP_OFFSETS, ())
    counts = tags.get(TILE_COUNTS if tiled else STRIP_COUNTS, ())
    if len(offsets) == 1 and not counts and compression == NONE:
        counts = (len(data) - offsets[0],)
    extra = tags.get(EXTRA, ())
    page = TiffPage(
        order="<" if data.startswith(b"II") else ">",
        width=width,
        height=height,
        bits=bits.pop(),
        kind=kinds.pop(),
        samples=samples,
        extra=(extra + (UNSPECIFIED,) * samples)[: max(0, samples - COLORS[photometric])],
        photometric=photometric,
        compression=compression,
        predictor=one(PREDICTOR, 1),
        reversed_bits=one(FILL_ORDER, 1) == 2,
        separate=one(PLANAR, 1) == SEPARATE and samples > 1,
        tile=tile,
        tiled=tiled,
        segments=tuple(zip(offsets, counts, strict=False)),
        colors=tags.get(COLOR_MAP, ()),
        tables=bytes(tags.get(JPEG_TABLES, ())),
        orientation=valid_orientation(one(ORIENTATION, UPRIGHT)) or UPRIGHT,
        profile=bytes(tags.get(PROFILE, ())),
    )
    _check(page, data)
    if photometric == CMYK:
        _check_inks(tags, page)
    return page


def _check_inks(tags: Tags, page: TiffPage) -> None:
    """Refuse inks other than cyan, magenta, yellow and black, and samples that are not from no ink to full ink."""
    ink_set, ranges, full = tags.get(INK_SET, (1,))[0], tags.get(DOT_RANGE, ()), (0, 2**page.bits - 1)
    if ink_set != 1:
        raise UnusableImageError(
            f"a TIFF of inks other than cyan, magenta, yellow and black (InkSet {ink_set}); save it as RGB"
        )
    other = next((pair for pair in zip(ranges[::2], ranges[1::2], strict=False) if pair != full), None)
    if other:
        raise UnusableImageError(
            f"a CMYK TIFF whose samples are from {other[0]} (no ink) to {other[1]} (DotRange), not from 0 to "
            f"{full[1]}; save it as RGB"
        )


def _check(page: TiffPage, data: bytes) -> None:
    """Refuse a page that cannot be decoded to all that it holds."""
    if not min(page.tile):
        raise UnusableImageError("damaged: a TIFF with tiles of no pixels")
    if page.tiled and max(page.tile) > MOST_TILE and (page.tile[0] > page.height or page.tile[1] > page.width):
        raise UnusableImageError(
            f"a TIFF of {page.width} x {page.height} pixels with tiles of {page.tile[1]} x {page.tile[0]}; save it "
            "with smaller tiles"
        )
    wanted = page.across * page.down * (page.samples if page.separate else 1)
    if len(page.segments) != wanted:
        raise UnusableImageError(
            f"damaged: a TIFF with {len(page.segments)} strips or tiles, of which its pixels have {wanted}"
        )
    if any(offset + count > len(data) or not count for offset, count in page.segments):
        raise UnusableImageError("damaged: the TIFF file is truncated, or a strip or tile is empty")
    allowed = {UNSIGNED: (*range(1, 17), 32), SIGNED: (8, 16, 32), FLOAT: (16, 32, 64)}
    if page.bits not in allowed.get(page.kind, ()):
        kind = FORMATS.get(page.kind, "complex or unknown")
        raise UnusableImageError(f"a TIFF with {kind} samples of {page.bits} bits; save it with 8 or 16 bits")
    if page.predictor not in (1, 2, 3) or (page.predictor == 3) > (page.kind == FLOAT):
        raise UnusableImageError(f"damaged: a TIFF with predictor {page.predictor}")
    if page.predictor == 2 and page.bits not in (8, 16, 32):
        raise UnusableImageError(f"a TIFF with differences of {page.bits} bits; save it without a predictor")
    if page.photometric == YCBCR and page.compression != JPEG:
        # Other decoders do not agree on their range and their place.
        raise UnusableImageError("a TIFF with YCbCr colors that are not compressed as JPEG; save it as RGB")
    if page.compression == JPEG and (page.bits not in (8, 12) or page.kind != UNSIGNED):
        raise UnusableImageError(f"a TIFF with JPEG compression of {page.bits} bits; save it with LZW or deflate")
    if page.compression == FAX and (page.bits, page.samples) != (1, 1):
        raise UnusableImageError("damaged: a TIFF with fax compression of more than one bit")
    if page.photometric == PALETTE and (len(page.colors) != 3 << page.bits or page.bits > 8 or page.kind != UNSIGNED):
        raise UnusableImageError("damaged: a TIFF with a palette of a wrong size")
    if page.samples < COLORS[page.photometric]:
        raise UnusableImageError(
            f"a TIFF with {page.samples} samples per pixel, of which its colors need {COLORS[page.photometric]}"
        )


def check_color(page: TiffPage) -> None:
    """Refuse a page with samples beyond those of a gray or RGB picture and its alpha, or with inverted numbers.

    Raises:
        UnusableImageError: it has.
    """
    if page.photometric == WHITE_IS_ZERO and page.kind != UNSIGNED:
        raise UnusableImageError("a TIFF with float or signed samples of which 0 is white; save it with 0 as black")
    colors = COLORS[page.photometric]
    marked = all(kind in (ASSOCIATED, STRAIGHT) for kind in page.extra) and len(page.extra) <= 1
    if not marked or (page.extra and (page.photometric == CMYK or page.kind != UNSIGNED or page.bits > 16)):
        raise UnusableImageError(
            f"a TIFF with {page.samples} samples per pixel, of which {colors} {'is' if colors == 1 else 'are'} color "
            "and the others are not marked as one alpha; if they are the channels of a sample, set dataset.channels to "
            "their names; else save it as RGB or gray"
        )
