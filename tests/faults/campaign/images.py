"""Thousands of mutated image files: each is refused in words or decoded to a picture of its size, in bounded memory.

Usage: python tests/faults/campaign/images.py [COUNT] [SEED]

COUNT files of each kind (default 260, 11,440 in all) are made from the seed and decoded in another process, so that a
crash of a native decoder is seen. A line for each kind says how many were refused and decoded; a file that breaks a
rule is printed with its number, and the exit code is 1.

The rules: nothing is raised but `UnusableImageError`, in one line; the process neither dies nor hangs; it allocates at
most `BYTES_PER_PIXEL` for each pixel that `max_megapixels` allows, and `MEGABYTES` beside them; and the picture has the
size that the header says.
"""

import io
import json
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from pydicom.dataset import Dataset

if __name__ == "__main__":
    for folder in ("scripts", "tests"):
        sys.path.insert(0, str(Path(__file__).resolve().parents[3] / folder))

from faults.campaign.mutation import bounded, mutated
from fixtures.dicom import dicom_file
from fixtures.image_files import image_files
from fixtures.pictures import photograph, png_16_bit, png_chunk, saved
from foldline.images.decoding import decode
from foldline.images.dicom import JPEG, JPEG_2000, JPEG_LS
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import BYTES_PER_PIXEL, ImageOptions

COUNT, SEED = 260, 1
# Kinds of the table of formats.
OTHERS = (
    *("BMP, palette", "BMP, alpha", "GIF", "GIF, interlaced", "PBM", "PGM, text", "PPM, 16 bits", "PAM"),
    *("JPEG 2000", "JPEG 2000, code stream", "JPEG 2000, alpha", "JPEG 2000, high throughput", "JPEG 2000, 16 bits"),
    *("JPEG XL", "JPEG XL, alpha", "JPEG XL, 16 bits", "AVIF by Pillow", "AVIF, 10 bits", "npy", "npy, big-endian"),
)
MEGAPIXELS = 4
MEGABYTES, SECONDS = 200, 10
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def tiff(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    metadata = {"slices": 1} if options.get("imagej") else None
    tifffile.imwrite(stream, samples, metadata=metadata, **options)
    return stream.getvalue()


@cache
def originals() -> dict[str, bytes]:
    """An intact file of each kind."""
    color, gray = photograph(48, 64), photograph(48, 64, 1)
    image, alpha = Image.fromarray(color), np.concatenate([color, gray], axis=2)
    deep = color.astype(np.uint16) * 257
    planes, tile = {"photometric": "rgb", "planarconfig": "separate"}, {"photometric": "rgb", "tile": (16, 32)}
    return {
        "JPEG": saved(image, "JPEG"),
        "JPEG in scans": saved(image, "JPEG", progressive=True),
        "JPEG of CMYK": saved(image.convert("CMYK"), "JPEG"),
        "JPEG without loss": imagecodecs.jpeg8_encode(color, lossless=True),
        "JPEG of 12 bits": imagecodecs.jpeg8_encode(deep[:, :, 0] >> 4, bitspersample=12),
        "PNG": saved(image, "PNG"),
        "PNG with a palette": saved(image.quantize(40), "PNG"),
        "PNG of 16 bits": png_16_bit(np.concatenate([deep, deep[:, :, :1]], axis=2)),
        "WebP": saved(image, "WEBP"),
        "WebP without loss": saved(Image.fromarray(alpha), "WEBP", lossless=True),
        "TIFF with LZW": tiff(deep, photometric="rgb", compression="lzw", predictor=True, rowsperstrip=7),
        "TIFF with deflate": tiff(alpha, compression="deflate", extrasamples=["unassalpha"], **tile),
        "TIFF in planes": tiff(np.moveaxis(color, 2, 0), compression="zstd", **planes),
        "TIFF of 12 bits": tiff(deep[:, :, 0] >> 4, photometric="minisblack", bitspersample=12, rowsperstrip=9),
        "TIFF with JPEG": tiff(color, compression="jpeg", **tile),
        "TIFF of ImageJ": tiff(color[:, :, 0], imagej=True, compression="zlib"),
        "TIFF with fax": saved(image.convert("1"), "TIFF", compression="group4"),
        "JPEG with a profile": saved(image, "JPEG", icc_profile=imagecodecs.cms_profile("adobergb")),
        **{kind: image_files()[kind].data for kind in OTHERS},
        **dicom_files(color, gray[:, :, 0]),
    }


def dicom_files(color: np.ndarray, gray: np.ndarray) -> dict[str, bytes]:
    """DICOM files, with a window and compressed."""
    deep = gray.astype(np.uint16) << 4
    window = {"BitsStored": 12, "RescaleIntercept": "-9", "WindowCenter": "2000", "WindowWidth": "4000"}
    frames = {JPEG_2000[0]: imagecodecs.jpeg2k_encode(color, codecformat="j2k")}
    frames[JPEG_LS[0]] = imagecodecs.jpegls_encode(color)
    frames[JPEG[2]] = imagecodecs.jpeg8_encode(color, lossless=True)
    values, shown, group = Dataset(), Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept, shown.WindowCenter, shown.WindowWidth = 1, -9, 2000, 4000
    group.PixelValueTransformationSequence, group.FrameVOILUTSequence = [values], [shown]
    groups = {"SharedFunctionalGroupsSequence": [group], "PerFrameFunctionalGroupsSequence": [Dataset()]}
    return {
        "DICOM": dicom_file(deep, **window),
        "DICOM, enhanced": dicom_file(deep, BitsStored=12, **groups),
        "DICOM without preamble": dicom_file(deep, **window)[132:],
        **{f"DICOM {syntax}": dicom_file(color, frame, syntax=syntax) for syntax, frame in frames.items()},
    }


def with_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks have right checksums and end where the file does."""
    out, start = SIGNATURE, len(SIGNATURE)
    while start + 12 <= len(data):
        end = min(len(data), start + 12 + struct.unpack(">I", data[start : start + 4])[0])
        out += png_chunk(data[start + 4 : start + 8], data[start + 8 : end - 4])
        start = end
    return out + png_chunk(b"IEND", b"")


def recompressed(data: bytes, random: Random) -> bytes:
    """A PNG file with mutated lines."""
    start = data.index(b"IDAT") - 4
    (length,) = struct.unpack(">I", data[start : start + 4])
    lines = mutated(zlib.decompress(data[start + 8 : start + 8 + length]), random)
    return data[:start] + png_chunk(b"IDAT", zlib.compress(lines)) + data[start + 12 + length :]


def mutant(kind: str, number: int, seed: int) -> bytes:
    """One file; it follows from its arguments alone."""
    random = Random(f"{seed} {kind} {number}")
    data = originals()[kind]
    if kind.startswith("PNG"):
        if data.count(b"IDAT") == 1 and number % 3 == 0:
            return recompressed(data, random)
        return with_checksums(mutated(data, random)) if number % 3 == 1 else mutated(data, random)
    if number % 2:
        return mutated(data, random)
    # The header alone, which says what decoders allocate; a TIFF file may have it at its end.
    size = 300 if number % 4 else 40
    if kind.startswith("TIFF with fax") or number % 8 == 0:
        return data[:-size] + mutated(data[-size:], random)
    return mutated(data[:size], random) + data[size:]


def check(data: bytes, least: int) -> str:
    """Decode a file: "decoded", or the reason why it was refused; other exceptions are a broken rule."""
    options = ImageOptions(max_megapixels=MEGAPIXELS)
    try:
        header = read_header(data, options)
        picture = decode(data, header, options, min_width=least, min_height=least)
    except UnusableImageError as error:
        assert "\n" not in str(error), error
        return str(error)[:60]
    left, top, right, bottom = picture.box
    scale = (right - left) / header.width
    assert scale in (1, 0.5, 0.375, 0.25, 0.125), picture.box
    assert (bottom - top) == header.height * scale, picture.box
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape[2] in (1, 3)
    return "decoded"


def work(kind: str, start: int, end: int, seed: int) -> None:
    """Decode files of a kind, and print a line before and behind each."""
    warnings.simplefilter("ignore")
    # Libraries are loaded before memory is bounded.
    assert check(originals()[kind], 0) == "decoded", check(originals()[kind], 0)
    megabytes = MEGABYTES + BYTES_PER_PIXEL * MEGAPIXELS
    for number in range(start, end):
        print(json.dumps([number, "started"]), flush=True)
        data = mutant(kind, number, seed)
        try:
            with bounded(megabytes, SECONDS):
                found = check(data, (0, 20)[number % 2])
        except Exception as error:
            found = f"broke a rule: {type(error).__name__}: {error}"
        print(json.dumps([number, found]), flush=True)


def results(kind: str, count: int, seed: int) -> Iterator[tuple[int, str]]:
    """What became of each file; a process that dies is followed by another one."""
    start = 0
    while start < count:
        command = [sys.executable, __file__, "work", kind, str(start), str(count), str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS * (count - start))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        yield from ((number, found) for number, found in lines if found != "started")
        if done.returncode == 0:
            return
        assert lines, done.stderr
        start = lines[-1][0] + 1
        yield start - 1, f"broke a rule: the process ended with {done.returncode}"


def main(count: int = COUNT, seed: int = SEED) -> int:
    """Run the campaign and print what became of the files; the number of files that broke a rule."""
    total = 0
    for kind in originals():
        began = time.monotonic()
        found = dict(results(kind, count, seed))
        broken = [f"file {number}: {text}" for number, text in found.items() if text.startswith("broke")]
        decoded = sum(text == "decoded" for text in found.values())
        total += len(broken)
        print(
            f"{kind}: {len(found)} files, {len(found) - decoded - len(broken)} refused, {decoded} decoded, "
            f"{len(broken)} broke a rule, {time.monotonic() - began:.0f} s",
            *broken,
            sep="\n  ",
            flush=True,
        )
    return total


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        sys.exit(bool(main(*map(int, sys.argv[1:]))))
