"""CPU time of decoding whole images of each format: Foldline's decoder beside Pillow and OpenCV.

Run as python tests/benchmark/decoders.py IMAGE, a photograph. It is saved in each format and decoded from memory by
each in turns, checks of header and checksums included. Prints how many times as fast as Pillow and as OpenCV Foldline
is: the ratio of the medians.
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.images.decoding import decode
from foldline.images.headers import read_header

ROUNDS = 15
# Of a JPEG that is decoded at a reduced scale.
SIDE = 384


def files(photograph: Image.Image) -> dict[str, bytes]:
    """The photograph in each format."""
    pixels = np.asarray(photograph)
    gray, deep = photograph.convert("L"), pixels.astype(np.uint16) * 257
    return {
        "JPEG": _saved(photograph, "JPEG", quality=90),
        "PNG, RGB": _saved(photograph, "PNG"),
        "PNG, gray": _saved(gray, "PNG"),
        "PNG, 16 bits": imagecodecs.png_encode(deep),
        "WebP": _saved(photograph, "WEBP", quality=90),
        "WebP, lossless": _saved(photograph, "WEBP", lossless=True),
        "TIFF, no compression": _tiff(pixels),
        "TIFF, LZW": _tiff(pixels, compression="lzw"),
        "TIFF, deflate": _tiff(pixels, compression="deflate"),
        "BMP": _saved(photograph, "BMP"),
        "GIF": _saved(photograph.convert("P"), "GIF"),
        "PNM": _saved(photograph, "PPM"),
        "JPEG 2000": imagecodecs.jpeg2k_encode(pixels, level=40),
        "AVIF": imagecodecs.avif_encode(pixels, level=80, speed=8),
    }


def _saved(image: Image.Image, name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


def _tiff(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, photometric="rgb", rowsperstrip=64, **options)
    return stream.getvalue()


def ours(data: bytes, side: int = 0) -> object:
    """Decode as Foldline does."""
    return decode(data, read_header(data), min_width=side, min_height=side).pixels


def pillow(data: bytes) -> object:
    """Decode with Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))


def opencv(data: bytes) -> object:
    """Decode with OpenCV."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def milliseconds(decoders: dict[str, Callable[[bytes], object]], data: bytes) -> dict[str, float]:
    """Median time of each; NaN if it does not read the format."""
    times: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(ROUNDS):
        for name, decoder in decoders.items():
            start = time.process_time()
            done = decoder(data)
            times[name].append(1e3 * (time.process_time() - start) if done is not None else float("nan"))
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path)
    with Image.open(parser.parse_args().image) as opened:
        photo = opened.convert("RGB")
    cv2.setNumThreads(1)
    print(f"{photo.width} x {photo.height} pixels", "| format | ms | of Pillow | of OpenCV |", sep="\n")
    print("|---|---:|---:|---:|")
    three: dict[str, Callable[[bytes], object]] = {"ours": ours, "pillow": pillow, "opencv": opencv}
    for kind, content in files(photo).items():
        found = milliseconds(three, content)
        ratios = [found[name] / found["ours"] for name in ("pillow", "opencv")]
        print(f"| {kind} | {found['ours']:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)
        if kind == "JPEG":
            scaled = milliseconds({"ours": lambda data: ours(data, SIDE)}, content)["ours"]
            ratios = [found[name] / scaled for name in ("pillow", "opencv")]
            print(f"| JPEG for {SIDE} pixels | {scaled:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} |", flush=True)
