"""Images that ask for more memory than they should get: refused by their header, or decoded within the stated bytes."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from fixtures.dicom import dicom_file
from fixtures.faults import run_code
from fixtures.pictures import png_16_bit, saved
from foldline.images.decoding_memory import decoding_memory
from foldline.images.dicom import JPEG_2000
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import BYTES_PER_PIXEL, PROCESS_MB, ImageOptions, memory_mb
from PIL import Image

SIDE = 2500


def tiff(samples: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, compression="deflate", **options)
    return stream.getvalue()


def large_files() -> dict[str, bytes]:
    """Small files of large pictures, in the formats that need most memory for a pixel."""
    color = np.zeros((SIDE, SIDE, 3), np.uint8)
    alpha = np.full((SIDE, SIDE, 4), 255, np.uint8)
    gray, deep = np.zeros((SIDE, SIDE), np.uint8), alpha.astype(np.uint16) * 257
    straight = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    return {
        "JPEG": saved(Image.fromarray(color), "JPEG"),
        "JPEG of inks": saved(Image.fromarray(alpha, "CMYK"), "JPEG"),
        "JPEG in scans": saved(Image.fromarray(color), "JPEG", progressive=True, subsampling=0),
        "JPEG without loss": imagecodecs.jpeg8_encode(color, lossless=True),
        "PNG": saved(Image.fromarray(alpha), "PNG"),
        "PNG, gray": saved(Image.fromarray(gray), "PNG"),
        "PNG, color": saved(Image.fromarray(color), "PNG"),
        "PNG with a transparent color": saved(Image.fromarray(color), "PNG", transparency=(1, 2, 3)),
        "PNG with a palette": saved(Image.fromarray(color[:, :, 0]).convert("P"), "PNG", transparency=0),
        "PNG of 16 bits": png_16_bit(deep),
        "WebP": saved(Image.fromarray(alpha), "WEBP", lossless=True),
        "TIFF in one strip": tiff(deep, rowsperstrip=SIDE, **straight),
        "TIFF of 8 bits": tiff(color, rowsperstrip=16, photometric="rgb"),
        "TIFF with differences": tiff(deep[:, :, :3], rowsperstrip=SIDE, photometric="rgb", predictor=True),
        "TIFF of floats": tiff(gray.astype(np.float32), rowsperstrip=SIDE, predictor=True),
        "TIFF in planes": tiff(np.moveaxis(deep, 2, 0), planarconfig="separate", **straight),
    }


def large_rasters() -> dict[str, bytes]:
    """The same in the formats whose headers say how much their decoders need."""
    color, palette = np.zeros((SIDE, SIDE, 3), np.uint8), Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).convert("P")
    alpha = np.full((SIDE, SIDE, 4), 255, np.uint8)
    deep = alpha.astype(np.uint16) * 257
    return {
        "BMP": saved(palette, "BMP"),
        "GIF": saved(palette, "GIF", transparency=0),
        "PNM": b"P3 %d %d 65535\n" % (SIDE, SIDE) + b"1 " * color.size,
        "JPEG 2000": imagecodecs.jpeg2k_encode(deep[:, :, :3], level=0, reversible=True),
        "JPEG 2000, alpha": saved(Image.fromarray(alpha), "JPEG2000", tile_size=(2048, 2048)),
        "JPEG XL": imagecodecs.jpegxl_encode(deep, lossless=True),
        "AVIF": imagecodecs.avif_encode(deep >> 4, level=80, speed=10, bitspersample=12),
    }


def large_dicom_and_pages() -> dict[str, bytes]:
    """DICOM files with and without compression, and a TIFF file with three pages."""
    color = np.zeros((SIDE, SIDE, 3), np.uint8)
    deep, frame = color[:, :, 0].astype(np.uint16), imagecodecs.jpeg2k_encode(color, codecformat="j2k", level=0)
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((3, 1500, SIDE, 3), np.uint16), metadata=None, photometric="rgb")
    return {
        "DICOM": dicom_file(deep),
        "DICOM of 12 bits": dicom_file(deep, BitsStored=12),
        "DICOM, color": dicom_file(color),
        "DICOM, JPEG 2000": dicom_file(color, frame, syntax=JPEG_2000[0]),
        "TIFF, pages": stream.getvalue(),
    }


def test_no_format_needs_more_memory_than_is_stated_and_the_usual_ones_not_much_less(tmp_path: Path) -> None:
    options = ImageOptions(page=1, white=65535)
    rasters = large_rasters()
    files = {**large_files(), **rasters, **large_dicom_and_pages()}
    for number, data in enumerate(files.values()):
        (tmp_path / f"{number:02d}.image").write_bytes(data)
    done = run_code(
        """
        import ctypes
        from pathlib import Path
        from foldline.images.options import ImageOptions
        from foldline.images.resizing import record_image

        def memory(name):
            line = next(line for line in open("/proc/self/status") if line.startswith(name))
            return int(line.split()[1]) / 1000

        # M_MMAP_THRESHOLD: memory of an image that is gone goes back to the system.
        ctypes.CDLL(None).mallopt(-3, 1 << 22)
        files = [path.read_bytes() for path in sorted(Path().glob("*.image"))]
        for data in files:
            Path("/proc/self/clear_refs").write_text("5")
            before = memory("VmRSS")
            record_image(data, ImageOptions(page=1, white=65535), size=64, aspect="stretch", jpeg_quality=90)
            print(memory("VmHWM") - before)
        """,
        megabytes=4000,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    used = dict(zip(files, map(float, done.stdout.split()), strict=True))
    stated = {}
    for name, data in files.items():
        header = read_header(data, options)
        needed = decoding_memory(header, len(data))
        # The eighth of a side of a JPEG.
        most = (needed.fixed + needed.scaled * header.width * header.height / 64) / 1e6
        stated[name] = most if header.raster else min(most, BYTES_PER_PIXEL * SIDE * SIDE / 1e6)
    # Libraries need about 30 MB when they are first used, and the file was there before.
    assert {name: (used[name], most) for name, most in stated.items() if used[name] > 30 + most} == {}
    # Other decoders need that much with files that are made for it.
    usual = [name for name in stated if name not in rasters]
    assert {name: (used[name], stated[name]) for name in usual if stated[name] > 30 + 2 * used[name]} == {}


def test_a_limit_by_key() -> None:
    data = saved(np.zeros((1000, 1001, 3), np.uint8), "PNG")
    with pytest.raises(
        UnusableImageError, match=r"^1001 x 1000 pixels, 1.0 megapixels; dataset.max_megapixels allows 1$"
    ):
        read_header(data, ImageOptions(max_megapixels=1))
    assert read_header(data, ImageOptions(max_megapixels=1.1)).width == 1001


def test_canvases_of_webp_files_are_not_allocated() -> None:
    data = bytearray(
        saved(Image.fromarray(np.zeros((30, 30, 4), np.uint8)), "WEBP", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0")
    )
    assert data[12:16] == b"VP8X"
    data[24:30] = (16_382).to_bytes(3, "little") * 2
    with pytest.raises(UnusableImageError, match="16383 x 16383 pixels"):
        read_header(bytes(data))


def test_samples_of_many_bytes_are_refused() -> None:
    samples = np.zeros((1000, 990, 5), np.float32)
    data = tiff(samples, photometric="minisblack", planarconfig="contig")
    with pytest.raises(
        UnusableImageError, match=r"MB to decode; dataset\.max_megapixels allows 16 bytes for each pixel"
    ):
        read_header(data, ImageOptions(max_megapixels=1))


def test_tags_of_many_values_are_refused_before_they_are_read() -> None:
    data = bytearray(saved(np.zeros((30, 30, 3), np.uint8), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place)[0] == 273:
            struct.pack_into("<I", data, place + 4, 2**31)
    with pytest.raises(UnusableImageError, match="TIFF tag 273 has 2147483648 values"):
        read_header(bytes(data))


def test_memory_of_a_step() -> None:
    assert memory_mb(ImageOptions(max_megapixels=150).most_mb, images=2) == 3 * PROCESS_MB + 2 * 150 * BYTES_PER_PIXEL
    assert memory_mb(99.2, images=2) == 3 * PROCESS_MB + 199
