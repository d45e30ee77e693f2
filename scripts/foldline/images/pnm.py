"""The headers of PNM files: PBM, PGM and PPM as text or binary, and PAM.

Source: the manual pages of Netpbm.
"""

import re

from foldline.errors import file_text
from foldline.images.errors import UnusableImageError
from foldline.images.raster import Raster, check_sides

SIGNATURES = tuple(b"P%d%c" % (number, space) for number in range(1, 8) for space in b"\t\n\v\f\r #")
BITMAPS, TEXT = ("P1", "P4"), ("P1", "P2", "P3")
# Bytes of text that are parsed at a time.
CHUNK = 1 << 20
CHANNELS = {"P1": 1, "P2": 1, "P3": 3, "P4": 1, "P5": 1, "P6": 3}
_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([0-9]{1,9})(?=[\s#])")
_PAM_LINE = re.compile(rb"([A-Z]+)[ \t]+([^\n]*)")
_NUMBER = re.compile(r"[0-9]{1,9}")
SIZES = ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")
TUPLES = {
    ("", 1),
    ("BLACKANDWHITE", 1),
    ("GRAYSCALE", 1),
    ("RGB", 3),
    ("BLACKANDWHITE_ALPHA", 2),
    ("GRAYSCALE_ALPHA", 2),
    ("RGB_ALPHA", 4),
}
# Bytes of a header, comments included.
MOST_HEADER = 1 << 16


def read_pnm_header(data: bytes) -> Raster:
    """Parse the header of a file.

    Raises:
        UnusableImageError: the file is truncated or damaged.
    """
    kind = data[:2].decode("ascii")
    if kind == "P7":
        width, height, channels, most, start = _pam_header(data)
    else:
        numbers, place = [], 2
        for _ in range(2 if kind in BITMAPS else 3):
            match = _TOKEN.match(data, place, MOST_HEADER)
            if match is None:
                raise UnusableImageError("damaged: the PNM file has no size")
            numbers.append(int(match[1]))
            place = match.end()
        width, height, *rest = numbers
        channels, most, start = CHANNELS[kind], rest[0] if rest else 1, place + 1
    check_sides(width, height, "a PNM")
    if not 1 <= most <= 65535:
        raise UnusableImageError(f"damaged: a PNM with the largest value {most}; it is from 1 to 65535")
    layout = kind if kind in (*TEXT, "P4") else "u1" if most < 256 else ">u2"
    if layout in ("u1", ">u2", "P4"):
        line = -(-width // 8) if layout == "P4" else width * channels * int(layout[-1])
        if start + line * height > len(data):
            raise UnusableImageError("damaged: the PNM file is truncated")
        if data[start + line * height :].lstrip().startswith(SIGNATURES):
            raise UnusableImageError("a PNM file with several images; save each as a file")
    bits = most.bit_length()
    size = 2 if layout in TEXT or bits > 8 else 1
    needed = len(data) + width * height * channels * (size + 1) + (9 * CHUNK if layout in TEXT else 0)
    return Raster("PNM", width, height, (channels,), bits, needed, white=most, start=start, layout=layout)


def _pam_header(data: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, channels, largest value, and where the samples start."""
    end = data.find(b"\nENDHDR\n", 0, MOST_HEADER)
    if end < 0:
        raise UnusableImageError("damaged: the PAM file has no end of its header")
    found = {}
    for line in data[2:end].split(b"\n"):
        match = _PAM_LINE.fullmatch(line.strip())
        if match:
            found[match[1].decode("ascii")] = match[2].decode("ascii", "replace")
    sizes = [found.get(name, "") for name in SIZES]
    if not all(map(_NUMBER.fullmatch, sizes)):
        raise UnusableImageError("damaged: the PAM file has no size")
    width, height, depth, most = map(int, sizes)
    kind = found.get("TUPLTYPE", "")
    if (kind, depth) not in TUPLES:
        raise UnusableImageError(
            f"a PAM of the kind {file_text(repr(kind))} with {depth} samples; save it as RGB or GRAYSCALE"
        )
    return width, height, depth, most, end + len("\nENDHDR\n")
