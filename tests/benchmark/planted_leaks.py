"""How many planted copies the leak audit finds, by kind, and how many pairs it reports that are no copies.

    python tests/benchmark/planted_leaks.py FOLDER [--pattern '*.jpg'] [--per-kind 100] [--limit N] [--seed 0]
        [--groups TABLE.CSV ... --id image_name --group patient_id] [--tiles 128]

Copies of images of the folder are made, of each kind of a random sample, and all images are scanned and compared as in
the workflow, but without embeddings. Pairs of two images that do not come from one image, nor from images of one group
(such as a lesion), are listed: look at them, because one lesion may have been photographed under two ids. With --tiles,
images are cut into tiles of that many pixels first; tiles without contrast are left out.
"""

import argparse
import io
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from foldline.images.perceptual_hash import hash_array
from foldline.leaks.copies import near_copies
from foldline.leaks.views import views_of
from foldline.splits.duplicates import merged_groups
from foldline.tfrecords.image_sources import scan_sample

Pixels = np.ndarray
Random = np.random.Generator
MIN_TILE_CONTRAST = 4


def clipped(values: Pixels) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def resize(pixels: Pixels, random: Random) -> Pixels:
    """A quarter to four times as large."""
    factor = math.exp(random.uniform(math.log(0.25), math.log(4)))
    height, width = pixels.shape[:2]
    size = max(8, round(width * factor)), max(8, round(height * factor))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def crop(pixels: Pixels, random: Random) -> Pixels:
    """Up to 20 % of each side cut off."""
    height, width = pixels.shape[:2]
    rows, columns = (round(side * random.uniform(0.8, 0.98)) for side in (height, width))
    top, left = random.integers(height - rows + 1), random.integers(width - columns + 1)
    return pixels[top : top + rows, left : left + columns]


def rotation(pixels: Pixels, random: Random) -> Pixels:
    """By 3-5 degrees, by 17, by quarter turns or by any angle; the corners black, white or mirrored, or cut off."""
    small = random.uniform(3, 5) * random.choice([-1, 1])
    angle = float(random.choice([small, 17.0, 90.0, 180.0, 270.0, random.uniform(0, 360)]))
    gray, kind = pixels.ndim == 2, random.integers(4)
    if kind < 2:
        fill = 255 * int(kind)
        image = Image.fromarray(pixels)
        turned = image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=fill if gray else (fill,) * 3)
        return np.asarray(turned)
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, 1)
    border = cv2.BORDER_REFLECT if kind == 2 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=border)


def mirror(pixels: Pixels, random: Random) -> Pixels:
    return [pixels[:, ::-1], pixels[::-1], np.swapaxes(pixels, 0, 1)][random.integers(3)]


def text(pixels: Pixels, random: Random) -> Pixels:
    """One to three lines of text, each 8-20 % of the height."""
    image, (height, width) = Image.fromarray(pixels), pixels.shape[:2]
    draw, size = ImageDraw.Draw(image), round(height * random.uniform(0.08, 0.2))
    color = int(random.choice([0, 255])) if pixels.ndim == 2 else tuple(map(int, random.integers(0, 256, 3)))
    for _ in range(random.integers(1, 4)):
        words = "".join(random.choice(list("ABCDEF0123456789 "), random.integers(5, 14)))
        place = random.uniform(0, width / 2), random.uniform(0, height - size)
        draw.text(place, words, fill=color, font=ImageFont.load_default(size=size))
    return np.asarray(image)


def ruler(pixels: Pixels, random: Random) -> Pixels:
    """A ruler over the whole width, 10-20 % of the height."""
    image, (height, width) = Image.fromarray(pixels), pixels.shape[:2]
    draw, thickness, ticks = ImageDraw.Draw(image), height * random.uniform(0.1, 0.2), random.integers(10, 40)
    top = float(random.choice([0, height - thickness, random.uniform(0, height - thickness)]))
    draw.rectangle([0, top, width, top + thickness], fill="white")
    for tick in range(ticks + 1):
        x, length = tick * width / ticks, thickness * (0.8 if tick % 5 == 0 else 0.4)
        draw.line([x, top, x, top + length], fill="black")
    return np.asarray(image)


def blur(pixels: Pixels, random: Random) -> Pixels:
    """Standard deviation of 0.5-2 % of the height."""
    radius = pixels.shape[0] * random.uniform(0.005, 0.02)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def gray(pixels: Pixels, random: Random) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def brightness(pixels: Pixels, random: Random) -> Pixels:
    factor = random.choice([random.uniform(0.6, 0.9), random.uniform(1.1, 1.4)])
    shift = random.uniform(15, 40) * random.choice([-1, 1])
    return clipped(pixels * factor) if random.integers(2) else clipped(pixels + shift)


def contrast(pixels: Pixels, random: Random) -> Pixels:
    factor = random.choice([random.uniform(0.5, 0.8), random.uniform(1.2, 1.6)])
    return clipped(pixels.mean() + (pixels - pixels.mean()) * factor)


def gamma(pixels: Pixels, random: Random) -> Pixels:
    return clipped(255 * (pixels / 255) ** random.choice([random.uniform(0.5, 0.8), random.uniform(1.25, 2)]))


def unchanged(pixels: Pixels, random: Random) -> Pixels:
    return pixels


KINDS: dict[str, Callable[[Pixels, Random], Pixels]] = {
    "exact pixels": unchanged,
    "other format": unchanged,
    "re-encoded": unchanged,
    "resized": resize,
    "cropped": crop,
    "rotated": rotation,
    "mirrored": mirror,
    "text": text,
    "ruler": ruler,
    "blurred": blur,
    "gray": gray,
    "brightness": brightness,
    "contrast": contrast,
    "gamma": gamma,
}


def encoded(pixels: Pixels, kind: str, source: str, random: Random) -> bytes:
    """Encode a copy: exact pixels in a lossless format, another format as JPEG or PNG, all else as JPEG."""
    options: dict[str, object] = {"format": "JPEG", "quality": 90}
    if kind == "exact pixels":
        options = {"format": str(random.choice(["PNG", "BMP", "TIFF"]))}
    elif kind == "other format" and source.endswith((".jpg", ".jpeg")):
        options = {"format": "PNG"}
    elif kind == "re-encoded":
        options["quality"] = int(random.integers(20, 91))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, **options)
    return buffer.getvalue()


def tiles_of(files: list[Path], side: int, folder: Path) -> list[Path]:
    """Cut gray images into tiles, and write those with contrast as PNG."""
    found = []
    for file in files:
        pixels = np.asarray(Image.open(file))
        for top in range(0, pixels.shape[0] - side + 1, side):
            for left in range(0, pixels.shape[1] - side + 1, side):
                tile = pixels[top : top + side, left : left + side]
                if tile.std() > MIN_TILE_CONTRAST:
                    found.append(folder / f"{file.stem} {top} {left}.png")
                    Image.fromarray(tile).save(found[-1])
    return found


def plant(files: list[Path], folder: Path, options: argparse.Namespace) -> list[tuple[Path, int, str]]:
    """Write the copies; path, number of the source and kind of each."""
    random, planted = np.random.default_rng(options.seed), []
    for kind, change in KINDS.items():
        for source in random.choice(len(files), min(options.per_kind, len(files)), replace=False):
            image = Image.open(files[source])
            pixels = np.asarray(image.convert("L" if image.mode == "L" else "RGB"))
            if kind == "gray" and pixels.ndim == 2:
                continue
            path = folder / f"{kind} {source}"
            path.write_bytes(encoded(change(pixels, random), kind, files[source].name, random))
            planted.append((path, int(source), kind))
    return planted


def audit(paths: list[Path]) -> np.ndarray:
    """Pairs that the audit finds, (n, 2)."""
    scanned = [scan_sample([str(path)], image_feature="image", gray=False) for path in paths]
    assert not any(one.cells["problem"] for one in scanned), [one.cells["problem"] for one in scanned]
    start = time.process_time()
    hashes = hash_array([str(one.cells["perceptual_hash"]) for one in scanned])
    found = near_copies(
        views_of([one.thumbnails for one in scanned]), hashes, own_start=0, further=np.empty((0, 2), np.int64)
    )
    print(f"audit of {len(paths)} images: {time.process_time() - start:.0f} CPU-s, {found.similar} look-alikes")
    return found.pairs[:, :2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pattern", default="*.jpg")
    parser.add_argument("--per-kind", type=int, default=100)
    parser.add_argument("--limit", type=int, help="use this many images only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", type=Path, nargs="*", default=[], help="tables of the groups")
    parser.add_argument("--id", help="column of the file name without suffix")
    parser.add_argument("--group", help="column of the group")
    parser.add_argument("--tiles", type=int)
    options = parser.parse_args()
    files = sorted(options.folder.rglob(options.pattern))[: options.limit]
    tables = [pd.read_csv(path, dtype=str).set_index(options.id)[options.group] for path in options.groups]
    groups = pd.concat(tables).to_dict() if tables else {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = tiles_of(files, options.tiles, folder) if options.tiles else files
        planted = plant(files, folder, options)
        pairs = audit([*files, *(path for path, _, _ in planted)])
    sources = [*range(len(files)), *(source for _, source, _ in planted)]
    found = {(int(first), int(second)) for first, second in pairs}
    # A copy is found if it is in one group with its source, directly or by way of another copy.
    names = list(map(str, range(len(sources))))
    group_of = merged_groups(names, names, [(str(a), str(b)) for a, b in found if sources[a] == sources[b]])
    totals, hits = Counter(kind for *_, kind in planted), Counter()
    for number, (_, source, kind) in enumerate(planted, start=len(files)):
        hits[kind] += group_of[number] == group_of[source]
    for kind, total in totals.items():
        print(f"  {kind:13} {hits[kind]:4} of {total:4}  {hits[kind] / total:.3f}")
    print(f"  {'all':13} {hits.total():4} of {totals.total():4}  {hits.total() / totals.total():.3f}")
    group = [groups.get(files[source].stem, source) for source in sources]
    others = sorted({tuple(sorted((sources[a], sources[b]))) for a, b in found if group[a] != group[b]})
    print(f"pairs of different images: {len(others)}, {1000 * len(others) / len(files):.2f} per 1,000 images")
    for first, second in others[:20]:
        print(f"  {files[first].name} {files[second].name}")


if __name__ == "__main__":
    main()
