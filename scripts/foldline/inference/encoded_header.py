"""Read the header of an encoded image inside a TensorFlow graph, so that an exported model knows what it is given.

It follows `images.headers` and `images.jpeg`. What they accept and a graph cannot decode is a problem here, in words.
"""

from typing import NamedTuple

from foldline.images.options import SRGB, ImageOptions
from foldline.runtime.tensorflow import tf

JPEG_MARK, PNG_MARK = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
EXIF_MARK, XMP_MARK, MPF_MARK = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"MPF\0"
ICC_MARK, WHOLE = b"ICC_PROFILE\0", b"\1\1"
# The first bytes of the usual profile of sRGB (Hewlett-Packard, 1998-02-09): size, makers, time, "IEC sRGB".
USUAL_SRGB = bytes.fromhex(
    "00000c484c696e6f021000006d6e74725247422058595a2007ce00020009000600310000616373704d534654000000004945432073524742"
)
# Of a PNG file: primaries and transfer that are those of sRGB.
SRGB_CODES = b"\1\x0d"
# Texts of a PNG file in which Pillow looks for an orientation.
XMP_TEXT, EXIF_TEXT = b"XML:com.adobe.xmp\0", b"Raw profile type exif\0"
ORIENTATION_TAG = 0x0112
# `\C` is any byte: XMP need not be UTF-8. A packet without an orientation stays as it is.
XMP_ORIENTATION = r'(?s)^\C*?tiff:Orientation(?:="|>)([1-8])["<]\C*$'
SAVE = "save it as a JPEG or PNG of 8 bits"
# Factors of the first component, beside which the others have 1 and 1.
USUAL_SAMPLING = (0x11, 0x21, 0x12, 0x22, 0x41, 0x14)


class EncodedHeader(NamedTuple):
    """Scalars about an encoded image.

    Attributes:
        problem: why it cannot be used, string; "" if it can.
        jpeg: whether it is a JPEG, else a PNG.
        width: pixels as stored, int64.
        height: pixels as stored, int64.
        orientation: EXIF orientation, 1 to 8, int64.
        gray: whether it is gray.
        deep: whether samples have 16 bits.
        plain: whether it is nothing but one upright gray or RGB image of 8 bits; see `images.headers.Header`.
        converted: whether its colors would have to be converted to sRGB, or may have to be.
    """

    problem: tf.Tensor
    jpeg: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    orientation: tf.Tensor
    gray: tf.Tensor
    deep: tf.Tensor
    plain: tf.Tensor
    converted: tf.Tensor


def read_encoded_header(data: tf.Tensor, reading: ImageOptions) -> EncodedHeader:
    """Read the header of an image file.

    Args:
        data: the bytes of the file, string ().
        reading: how to read images.
    """
    is_jpeg, is_png = (_starts(data, 0, mark) for mark in (JPEG_MARK, PNG_MARK))
    header: EncodedHeader = tf.cond(
        is_jpeg, lambda: _jpeg_header(data), lambda: tf.cond(is_png, lambda: _png_header(data), _foreign_header)
    )
    megapixels = tf.cast(header.width, tf.float64) * tf.cast(header.height, tf.float64) / 1e6
    problem = _first_problem(
        (header.problem != "", header.problem),
        (
            megapixels > reading.max_megapixels,
            f"more than {reading.max_megapixels:g} megapixels (dataset.max_megapixels)",
        ),
        (
            header.converted & (reading.color_profile == SRGB),
            "a color profile, which an exported model does not apply; save it as sRGB without a profile",
        ),
    )
    return EncodedHeader(problem, *header[1:])


def _foreign_header() -> EncodedHeader:
    nothing, no = tf.constant(0, tf.int64), tf.constant(False)
    return EncodedHeader(tf.constant(f"not a JPEG or PNG; {SAVE}"), no, nothing, nothing, nothing, no, no, no, no)


@tf.function(autograph=True, input_signature=[tf.TensorSpec([], tf.string)])
def _jpeg_header(data: tf.Tensor) -> EncodedHeader:
    """Header of a JPEG file, from its markers up to the first scan (ITU-T T.81)."""
    size = _length(data)
    position, frame = tf.constant(2, tf.int64), tf.constant(0, tf.int64)
    from_exif, from_xmp = tf.constant(0, tf.int64), tf.constant(0, tf.int64)
    problem, more_images, searching = tf.constant(""), tf.constant(False), tf.constant(True)
    profile = tf.constant(False)
    while searching:
        pair = _number(data, position, 2)
        marker = pair % 256
        end = position + 2 + _number(data, position + 2, 2)
        if position + 2 > size:
            problem = "damaged: the JPEG file is truncated"
        elif pair < 0xFF00:
            problem = f"bytes between JPEG markers; {SAVE}"
        elif marker == 0xFF:
            position += 1
        elif marker == 0x01 or (marker >= 0xD0 and marker <= 0xD8):
            position += 2
        elif marker == 0xD9 or marker == 0xDA:
            searching = False
        elif end < position + 4 or end > size:
            problem = "damaged: the JPEG file is truncated, or a marker has a wrong length"
        else:
            body = tf.strings.substr(data, position + 4, end - position - 4)
            if (marker >= 0xC0 and marker <= 0xCF and marker % 4 != 0) or marker == 0xC0 or marker == 0xF7:
                if frame > 0:
                    problem = "damaged: the JPEG file has two frames"
                frame = position
            elif marker == 0xE1 and _starts(body, 0, EXIF_MARK) and from_exif == 0:
                from_exif = _exif_orientation(body)
            elif marker == 0xE1 and _starts(body, 0, XMP_MARK) and from_xmp == 0:
                from_xmp = _xmp_orientation(body)
            elif marker == 0xE2 and _starts(body, 0, MPF_MARK):
                more_images = True
            elif marker == 0xE2 and _starts(body, 0, ICC_MARK):
                profile = profile or not _starts(body, 0, ICC_MARK + WHOLE + USUAL_SRGB)
            position = end
        searching = searching and problem == ""
    kind, precision, components = (_number(data, frame + offset, 1) for offset in (1, 4, 9))
    problem = tf.where(problem == "", _frame_problem(data, frame, kind, precision, components), problem)
    orientation = tf.where(from_exif > 0, from_exif, tf.maximum(from_xmp, 1))
    return EncodedHeader(
        problem,
        jpeg=tf.constant(True),
        width=_number(data, frame + 7, 2),
        height=_number(data, frame + 5, 2),
        orientation=orientation,
        gray=components == 1,
        deep=tf.constant(False),
        plain=orientation == 1 and not more_images,
        converted=profile and components != 1,
    )


def _frame_problem(
    data: tf.Tensor, frame: tf.Tensor, kind: tf.Tensor, precision: tf.Tensor, components: tf.Tensor
) -> tf.Tensor:
    """Why the frame of a JPEG cannot be decoded here; "" if it can."""
    first, second, third = (_number(data, frame + 11 + 3 * component, 1) for component in range(3))
    usual = tf.reduce_any(first == tf.constant(USUAL_SAMPLING, tf.int64)) & (second == 0x11) & (third == 0x11)
    empty = (_number(data, frame + 5, 2) == 0) | (_number(data, frame + 7, 2) == 0)
    return _first_problem(
        (frame == 0, "damaged: the JPEG file has no frame"),
        (kind > 0xC2, f"a lossless, hierarchical or arithmetically coded JPEG; {SAVE}"),
        (precision != 8, tf.strings.join(["a JPEG of ", tf.strings.as_string(precision), f" bits; {SAVE}"])),
        (components == 4, f"a CMYK JPEG; {SAVE} in RGB"),
        ((components != 1) & (components != 3), f"a JPEG of other than 1 or 3 components; {SAVE}"),
        (empty, "damaged: a JPEG without pixels"),
        ((components == 3) & ~usual, f"unusual JPEG chroma sampling; {SAVE}"),
    )


@tf.function(autograph=True, input_signature=[tf.TensorSpec([], tf.string)])
def _png_header(data: tf.Tensor) -> EncodedHeader:
    """Header of a PNG file, from its chunks."""
    size = _length(data)
    position, orientation = tf.constant(8, tf.int64), tf.constant(0, tf.int64)
    problem, transparent, searching = tf.constant(""), tf.constant(False), tf.constant(True)
    before_pixels, profile, codes = tf.constant(True), tf.constant(False), tf.constant(False)
    while searching:
        length = _number(data, position, 4)
        end = position + 12 + length
        if end > size:
            problem = "damaged: the PNG file is truncated"
        else:
            kind = tf.strings.substr(data, position + 4, 4)
            body = tf.strings.substr(data, position + 8, length)
            if kind == b"IDAT":
                before_pixels = False
            elif kind == b"eXIf":
                orientation = _exif_orientation(body)
            elif kind == b"tRNS":
                transparent = True
            elif kind == b"iCCP":
                profile = not _starts(_unpacked_profile(body), 0, USUAL_SRGB)
            elif kind == b"cICP":
                codes = not _starts(body, 0, SRGB_CODES)
            elif kind == b"acTL" and _number(body, 0, 4) > 1:
                problem = "animated"
            elif before_pixels and (kind == b"iTXt" or kind == b"tEXt" or kind == b"zTXt"):
                problem = _text_problem(body)
            elif kind == b"IEND":
                searching = False
            position = end
        searching = searching and problem == ""
    depth, color = _number(data, 24, 1), _number(data, 25, 1)
    shade = f"a PNG with one transparent color; {SAVE} with an alpha channel"
    problem = tf.where(problem == "" and transparent and color != 3, shade, problem)
    orientation = tf.maximum(orientation, 1)
    return EncodedHeader(
        problem,
        jpeg=tf.constant(False),
        width=_number(data, 16, 4),
        height=_number(data, 20, 4),
        orientation=orientation,
        gray=color % 4 == 0,
        deep=depth == 16,
        plain=orientation == 1 and depth == 8 and (color == 0 or color == 2),
        converted=codes or (profile and color % 4 != 0),
    )


def _unpacked_profile(chunk: tf.Tensor) -> tf.Tensor:
    """The ICC profile of a PNG chunk: its name, 0, the method of compression, and the compressed profile."""
    name = tf.strings.length(tf.strings.regex_replace(chunk, r"(?s)\x00\C*$", ""))
    packed = tf.strings.substr(chunk, tf.minimum(name + 2, tf.strings.length(chunk)), tf.int32.max)
    return tf.io.decode_compressed(packed, "ZLIB")


def _text_problem(text: tf.Tensor) -> tf.Tensor:
    """Why a text of a PNG file keeps it from being used: it turns the picture, or may do so; "" if it does not."""
    xmp = _starts(text, 0, XMP_TEXT)
    compressed = xmp & (_number(text, len(XMP_TEXT), 1) == 1)
    turned = xmp & (_xmp_orientation(text) > 1)
    return tf.where(
        turned | compressed | _starts(text, 0, EXIF_TEXT),
        "an orientation, or EXIF data, in a text of the PNG file; save it upright and without metadata",
        "",
    )


def _exif_orientation(block: tf.Tensor) -> tf.Tensor:
    """Orientation that an EXIF block has, 1 to 8, int64; 0 if it has none or is unreadable."""
    behind_mark = tf.strings.substr(block, tf.minimum(_length(block), len(EXIF_MARK)), tf.int64.max)
    block = tf.where(_starts(block, 0, EXIF_MARK), behind_mark, block)
    little = _starts(block, 0, b"II*\0")
    start = _number(block, 4, 4, little)
    room = tf.maximum(_length(block) - start - 2, 0) // 12
    count = tf.minimum(_number(block, start, 2, little), room)
    entries = tf.reshape(_bytes(block, start + 2, 12 * count), [-1, 12])

    def field(first: int, last: int) -> tf.Tensor:
        return _joined(entries[:, first:last], little)

    kind = field(2, 4)
    short, long, byte = field(8, 10), field(8, 12), entries[:, 8]
    value = tf.where(kind == 3, short, tf.where(kind == 4, long, tf.where(kind == 1, byte, 0)))
    valid = (field(0, 2) == ORIENTATION_TAG) & (field(4, 8) == 1) & (value >= 1) & (value <= 8)
    readable = little | _starts(block, 0, b"MM\0*")
    return tf.where(readable, tf.reduce_max(tf.concat([[0], tf.where(valid, value, 0)], 0)), 0)


def _xmp_orientation(packet: tf.Tensor) -> tf.Tensor:
    """Orientation that an XMP packet has, 1 to 8, int64; 0 if it has none."""
    digit = tf.strings.regex_replace(packet, XMP_ORIENTATION, r"\1")
    return tf.where(_length(digit) == 1, _number(digit, 0, 1) - ord("0"), 0)


def _first_problem(*problems: tuple[tf.Tensor, tf.Tensor | str]) -> tf.Tensor:
    """The text of the first condition that holds; "" if none does."""
    found = tf.constant("")
    for holds, text in reversed(problems):
        found = tf.where(holds, text, found)
    return found


def _starts(data: tf.Tensor, start: int, mark: bytes) -> tf.Tensor:
    """Whether a string has `mark` at a position."""
    return tf.strings.substr(data, tf.minimum(_length(data), start), len(mark)) == mark


def _length(data: tf.Tensor) -> tf.Tensor:
    """Bytes of a string, int64 ()."""
    return tf.cast(tf.strings.length(data), tf.int64)


def _bytes(data: tf.Tensor, start: tf.Tensor | int, count: tf.Tensor | int) -> tf.Tensor:
    """Bytes of a string, int64 (count,); 0 behind its end."""
    start, count = tf.cast(start, tf.int64), tf.cast(count, tf.int64)
    piece = tf.strings.substr(data, tf.minimum(start, _length(data)), count)
    values = tf.cast(tf.io.decode_raw(piece, tf.uint8), tf.int64)
    return tf.pad(values, [[0, count - tf.size(values, tf.int64)]])


def _joined(values: tf.Tensor, little: tf.Tensor | bool) -> tf.Tensor:
    """Numbers of bytes, (..., n), little-endian or big-endian: int64 (...)."""
    count = values.shape[-1]
    powers = [256**place for place in range(count)]
    weights = tf.where(little, tf.constant(powers, tf.int64), tf.constant(powers[::-1], tf.int64))
    return tf.reduce_sum(values * weights, axis=-1)


def _number(data: tf.Tensor, start: tf.Tensor | int, count: int, little: tf.Tensor | bool = False) -> tf.Tensor:
    """The number in `count` bytes of a string, int64 ()."""
    return _joined(tf.ensure_shape(_bytes(data, start, count), [count]), little)
