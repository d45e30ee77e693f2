"""TIFF files of every layout, written by tifffile and Pillow: read as tifffile reads them, or refused by name."""

import io
import itertools
import struct
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from fixtures.pictures import saved, small_tiff, smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import DEFAULT, ImageOptions
from foldline.images.picture import Picture
from foldline.images.tiff import parse_page, read_pages
from foldline.images.tiff_decoding import read_samples
from PIL import Image

HEIGHT, WIDTH = 37, 53
LOSSLESS = (None, "lzw", "deflate", "packbits", "zstd", "lzma")
LAYOUTS: tuple[dict[str, Any], ...] = ({"rowsperstrip": 10}, {"tile": (16, 32)})


def written(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    if options.get("compression") == "jpeg":
        options.setdefault("compressionargs", {"level": 95})
    tifffile.imwrite(stream, samples, metadata=None, **options)
    return stream.getvalue()


def opened(data: bytes, options: ImageOptions = DEFAULT) -> Picture:
    return decode(data, read_header(data, options), options)


def raw(data: bytes) -> np.ndarray:
    """All samples as stored, (height, width, samples)."""
    return read_samples(data, parse_page(read_pages(data)[0], data))[0]


def random_samples(kind: str, bits: int, channels: int) -> np.ndarray:
    random = np.random.default_rng(bits * 10 + channels)
    shape = (HEIGHT, WIDTH, channels)
    if kind == "f":
        return random.normal(size=shape).astype(f"f{bits // 8}")
    if kind == "i":
        return random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape).astype(f"i{bits // 8}")
    return random.integers(0, 2**bits, shape).astype(f"u{1 if bits <= 8 else 2 if bits <= 16 else 4}")


def matrix() -> list[tuple[str, int, int, str, str | None, int]]:
    kinds = [("u", bits) for bits in (1, 2, 4, 8, 10, 12, 14, 16, 32)]
    kinds += [("i", bits) for bits in (8, 16, 32)] + [("f", bits) for bits in (16, 32, 64)]
    return [
        (kind, bits, channels, planar, compression, layout)
        for (kind, bits), channels, planar, compression, layout in itertools.product(
            kinds, (1, 2, 3, 4, 5), ("contig", "separate"), LOSSLESS, (0, 1)
        )
        if not (planar == "separate" and channels == 1)
    ]


def options_of(
    kind: str, bits: int, channels: int, planar: str, compression: str | None, layout: int
) -> dict[str, Any]:
    options = {**LAYOUTS[layout], "compression": compression, "byteorder": "<>"[layout]}
    options["photometric"] = "rgb" if channels >= 3 else "minisblack"
    if channels > 1:
        options["planarconfig"] = planar
    if bits not in (8, 16, 32, 64):
        options |= {"bitspersample": bits, "byteorder": "<"}  # tifffile packs the bits of big-endian files wrongly
    return options


def test_every_layout_of_samples_is_read_whole() -> None:
    """Samples x bits x planar x compression x strips or tiles, both byte orders: all samples, as stored."""
    read = 0
    for case in matrix():
        kind, bits, channels, planar, _, _ = case
        samples = random_samples(kind, bits, channels)
        stored = np.moveaxis(samples, 2, 0) if planar == "separate" else samples
        try:
            data = written(stored if channels > 1 else samples[:, :, 0], **options_of(*case))
        except (ValueError, NotImplementedError):
            continue  # tifffile does not write it
        np.testing.assert_array_equal(raw(data), samples, err_msg=str(case))
        read += 1
    assert read > 1000


@pytest.mark.parametrize("kind", ["u", "f"])
def test_predictors(kind: str) -> None:
    for bits, channels, planar, compression, layout in itertools.product(
        (8, 16, 32, 64), (1, 3, 5), ("contig", "separate"), ("lzw", "deflate", "zstd"), (0, 1)
    ):
        if (kind, bits) in (("f", 8), ("u", 64)) or (planar == "separate" and channels == 1):
            continue
        samples = random_samples(kind, bits, channels)
        stored = np.moveaxis(samples, 2, 0) if planar == "separate" else samples
        options = options_of(kind, bits, channels, planar, compression, layout)
        data = written(stored if channels > 1 else samples[:, :, 0], predictor=True, **options)
        np.testing.assert_array_equal(raw(data), samples, err_msg=str((bits, channels, planar, compression, layout)))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colors_are_scaled_from_the_range_of_their_bits(bits: int, channels: int, planar: str) -> None:
    samples = random_samples("u", bits, channels)
    samples[0, 0], samples[0, 1] = 0, 2**bits - 1
    stored = np.moveaxis(samples, 2, 0) if planar == "separate" else samples
    options = options_of("u", bits, channels, planar, "deflate" if bits in (8, 16) else None, 0)
    if channels == 1:
        options.pop("planarconfig", None)
    found = opened(written(stored.squeeze(), **options))
    np.testing.assert_array_equal(found.pixels, np.floor(samples / (2**bits - 1) * 255 + 0.5))
    assert (found.peak is None) == (bits <= 8)


def test_samples_beyond_the_colors_are_refused_and_never_dropped() -> None:
    """All that a gray or RGB picture does not hold, but one marked alpha."""
    four = random_samples("u", 8, 4)
    cases = {
        "2 samples per pixel, of which 1 is color": [
            written(four[:, :, :2], photometric="minisblack", planarconfig="contig"),
            written(np.moveaxis(four[:, :, :2], 2, 0), photometric="minisblack", planarconfig="separate"),
            written(random_samples("u", 16, 2), photometric="minisblack", planarconfig="contig"),
        ],
        "4 samples per pixel, of which 1 is color": [written(four, photometric="minisblack", planarconfig="contig")],
        "4 samples per pixel, of which 3 are color": [
            written(four, photometric="rgb", extrasamples=["unspecified"]),
            written(np.moveaxis(four, 2, 0), photometric="rgb", planarconfig="separate", extrasamples=["unspecified"]),
        ],
        "5 samples per pixel, of which 3 are color": [
            written(random_samples("u", 8, 5), photometric="rgb", extrasamples=["unassalpha", "unspecified"])
        ],
    }
    for words, files in cases.items():
        for data in files:
            with pytest.raises(UnusableImageError, match=words):
                read_header(data)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_marked_alpha_is_composited_on_black(planar: str, bits: int, channels: int, kind: str) -> None:
    samples = random_samples("u", bits, channels)
    full = 2**bits - 1
    color, alpha = samples[:, :, :-1].astype(float), samples[:, :, -1:] / full
    stored = np.moveaxis(samples, 2, 0) if planar == "separate" else samples
    photometric = "rgb" if channels == 4 else "minisblack"
    data = written(stored, photometric=photometric, planarconfig=planar, extrasamples=[kind])
    shown = color / full * (alpha if kind == "unassalpha" else 1)
    assert np.abs(opened(data).pixels - shown * 255).max() <= 0.5001


def test_the_range_of_float_signed_and_32_bit_samples_must_be_set() -> None:
    for kind, bits in (("f", 32), ("f", 64), ("f", 16), ("i", 16), ("u", 32)):
        samples = np.abs(random_samples(kind, bits, 1)[:, :, 0].astype(float))
        samples = (samples / samples.max() * 100).astype(f"{kind}{bits // 8}")
        data = written(samples, photometric="minisblack")
        with pytest.raises(UnusableImageError, match=r"range is not known; set dataset.intensity to \{max: VALUE\}"):
            opened(data)
        found = opened(data, ImageOptions(white=200)).pixels[:, :, 0]
        np.testing.assert_array_equal(found, np.floor(samples.astype(float) * 255 / 200 + 0.5))
        with pytest.raises(UnusableImageError, match="a sample of 100; samples are from 0 to 50"):
            opened(data, ImageOptions(white=50))
    signed = np.array([[1, 2]], np.int8)
    with pytest.raises(UnusableImageError, match="signed samples of 8 bits; save it with unsigned ones"):
        read_header(written(signed, photometric="minisblack"))
    inverted = written(np.array([[0.5, 1]], np.float32), photometric="miniswhite")
    with pytest.raises(UnusableImageError, match="of which 0 is white; save it with 0 as black"):
        read_header(inverted, ImageOptions(white=1))
    negative, endless = np.array([[0.5, -1]], np.float32), np.array([[0.5, np.nan]], np.float32)
    for samples, words in ((negative, "a sample of -1"), (endless, "no finite numbers")):
        with pytest.raises(UnusableImageError, match=words):
            opened(written(samples, photometric="minisblack"), ImageOptions(white=1))


def test_twelve_bits_in_sixteen() -> None:
    samples = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    data = written(samples, photometric="minisblack")
    assert len(np.unique(opened(data).pixels)) == 17
    found = opened(data, ImageOptions(white=4095))
    np.testing.assert_array_equal(found.pixels[:, :, 0], np.floor(samples / 4095 * 255 + 0.5))
    assert found.peak == (4091, 4095)
    with pytest.raises(UnusableImageError, match="a sample of 4095; samples are from 0 to 1023"):
        opened(data, ImageOptions(white=1023))
    # Images of 8 bits are not scaled.
    eight = smooth()
    np.testing.assert_array_equal(opened(saved(eight, "TIFF"), ImageOptions(white=4095)).pixels, eight)


def jpeg_files() -> dict[str, tuple[bytes, np.ndarray]]:
    """TIFF files with JPEG compression, and what they show: gray, YCbCr, planes of RGB, RGB with shared tables."""
    gray, color = smooth(64, 96, 1), smooth(64, 96)
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    files = {"Pillow": (saved(Image.fromarray(color), "TIFF", compression="jpeg", quality=95), color)}
    for layout in ({"rowsperstrip": 16}, {"tile": (32, 48)}):
        name = next(iter(layout))
        layout = {"compression": "jpeg", **layout}
        files[f"gray {name}"] = (written(gray.squeeze(), photometric="minisblack", **layout), gray)
        files[f"color {name}"] = (written(color, photometric="rgb", **layout), color)
        files[f"planes {name}"] = (written(np.moveaxis(color, 2, 0), **planes, **layout), color)
    return files


def test_jpeg_in_tiff_is_read_and_its_damage_refused() -> None:
    for name, (data, shown) in jpeg_files().items():
        found = opened(data).pixels
        assert found.shape == shown.shape
        assert np.abs(found.astype(int) - shown).mean() < 2, name
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            end = page.dataoffsets[-1] + page.databytecounts[-1] - 60
        with pytest.raises(UnusableImageError, match="damaged"):
            opened(data[:end] + b"\xff\xd9" + data[end + 2 :])


def test_pillow_files_with_fax_palette_and_cmyk() -> None:
    bits = Image.fromarray(smooth(channels=1).squeeze()).convert("1")
    for compression in ("group4", "raw", "packbits", "tiff_lzw"):
        found = opened(saved(bits, "TIFF", compression=compression)).pixels[:, :, 0]
        np.testing.assert_array_equal(found, np.asarray(bits) * 255)
    palette = Image.fromarray(smooth()).quantize(40)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate"):
        found = opened(saved(palette, "TIFF", compression=compression)).pixels
        np.testing.assert_array_equal(found, np.asarray(palette.convert("RGB")))
    cmyk = Image.fromarray(smooth()).convert("CMYK")
    for compression in ("raw", "tiff_lzw"):
        found = opened(saved(cmyk, "TIFF", compression=compression)).pixels
        np.testing.assert_array_equal(found, np.asarray(cmyk.convert("RGB")))


@pytest.mark.parametrize("compression", ["jpeg2000", "webp", "lerc", "jpegxl", "jpegxr"])
def test_other_compressions_are_refused_by_name(compression: str) -> None:
    names = {"jpeg2000": "JPEG 2000", "webp": "WebP", "lerc": "LERC", "jpegxl": "JPEG XL", "jpegxr": "JPEG XR"}
    data = written(smooth(64, 64), photometric="rgb", compression=compression)
    with pytest.raises(UnusableImageError, match=f"compression {names[compression]}; save it with LZW"):
        opened(data)


def test_one_page_is_read_by_its_number() -> None:
    pages = [smooth(seed=seed) for seed in range(3)]
    frames = [Image.fromarray(page) for page in pages]
    data = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with pytest.raises(UnusableImageError, match=r"3 pages; set dataset\.page"):
        opened(data)
    for number, page in enumerate(pages, start=1):
        np.testing.assert_array_equal(opened(data, ImageOptions(page=number)).pixels, page)
    with pytest.raises(UnusableImageError, match=r"dataset\.page is 4, but the TIFF file has 3 pages"):
        opened(data, ImageOptions(page=4))


def test_thumbnails_are_no_pages() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(smooth(), photometric="rgb", metadata=None)
        writer.write(smooth(8, 8), photometric="rgb", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(opened(stream.getvalue()).pixels, smooth())


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_bigtiff(byteorder: str) -> None:
    data = written(smooth(), photometric="rgb", bigtiff=True, byteorder=byteorder, compression="lzw")
    np.testing.assert_array_equal(opened(data).pixels, smooth())


def test_planes_of_16_bits_are_read() -> None:
    samples = np.random.default_rng(3).integers(0, 65536, (3, 5, 7)).astype(np.uint16)
    data = small_tiff(samples.reshape(5, 7, 3), planes=2)
    np.testing.assert_array_equal(raw(data), np.moveaxis(samples, 0, 2))


def edited(data: bytes, tag: int, value: int) -> bytes:
    """The file with another first value of a tag whose value is in its entry."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages[0].tags[tag]
        form = {3: "<H", 4: "<I"}[int(found.dtype)]
        place = found.valueoffset
    return data[:place] + struct.pack(form, value) + data[place + struct.calcsize(form) :]


FAULTS = {
    "a tile of 32,000 pixels squared in a small image": (
        {322: 32_000, 323: 32_000},
        "64 x 64 pixels with tiles of 32000 x 32000",
    ),
    "no columns": ({256: 0}, "0 x 64 pixels"),
    "more rows than tiles": ({257: 640}, "4 strips or tiles, of which its pixels have 40"),
    "tiles without rows": ({323: 0}, "tiles of no pixels"),
    "an unknown compression": ({259: 999}, "compression number 999"),
    "an unknown color": ({262: 77}, "colors of the kind number 77"),
    "another number of samples": ({277: 3}, "3 samples per pixel, of which 1 is color"),
    "an unknown predictor": ({317: 9}, "predictor 9"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_page_that_cannot_be_is_refused_before_it_is_decoded(fault: str) -> None:
    changes, words = FAULTS[fault]
    data = written(
        smooth(64, 64, 1).squeeze(), photometric="minisblack", tile=(32, 32), compression="lzw", predictor=True
    )
    for tag, value in changes.items():
        data = edited(data, tag, value)
    with pytest.raises(UnusableImageError, match=words):
        opened(data)


def test_directories_in_a_circle_are_refused() -> None:
    data = bytearray(written(smooth(), photometric="rgb"))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    with pytest.raises(UnusableImageError, match="form a circle"):
        read_header(bytes(data))


def test_a_short_strip_is_refused_whatever_its_compression() -> None:
    for compression in (None, "lzw", "deflate", "packbits", "zstd", "lzma"):
        data = written(smooth(64, 64), photometric="rgb", compression=compression, rowsperstrip=64)
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            count = file.pages[0].databytecounts[0]
        assert opened(data).pixels.shape == (64, 64, 3)
        with pytest.raises(UnusableImageError, match="damaged"):
            opened(edited(data, 279, count // 2)), compression


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_strip_of_lzw_that_lacks_bytes_is_read_right_or_refused(bits: int, layout: dict[str, Any]) -> None:
    samples = np.random.default_rng(bits).integers(0, 40, (HEIGHT, WIDTH, 3)).astype(f"u{bits // 8}")
    data = written(samples, photometric="rgb", compression="lzw", **layout)
    page = parse_page(read_pages(data)[0], data)
    refused = 0
    for number, cut in itertools.product(range(len(page.segments)), (1, 2, 3, 5)):
        places = [(start, count - cut * (place == number)) for place, (start, count) in enumerate(page.segments)]
        try:
            found, _ = read_samples(data, replace(page, segments=tuple(places)))
        except UnusableImageError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, samples)
    assert refused >= 2 * len(page.segments)


def test_the_strips_of_lzw_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagecodecs, "lzw_decode", None)
    for bits, channels, layout, predictor in itertools.product((8, 16), (1, 3, 4), (0, 1), (False, True)):
        samples = random_samples("u", bits, channels)
        options = options_of("u", bits, channels, "contig", "lzw", layout)
        data = written(samples if channels > 1 else samples[:, :, 0], predictor=predictor, **options)
        np.testing.assert_array_equal(raw(data), samples)


@pytest.mark.parametrize("colors", ["YCBCR", "RGB"])
def test_lossless_jpeg_of_colors(colors: str) -> None:
    samples = smooth(64, 96)
    layout = {"compression": "jpeg", "compressionargs": {"lossless": True, "outcolorspace": colors}, "tile": (32, 48)}
    data = written(samples, photometric="rgb", **layout)
    assert b"\xff\xc3" in data
    np.testing.assert_array_equal(opened(data).pixels, samples)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ((332, 3, 1, 2), r"a TIFF of inks other than cyan, magenta, yellow and black \(InkSet 2\); save it as RGB"),
        ((336, 3, 2, (255, 0)), r"from 255 \(no ink\) to 0 \(DotRange\), not from 0 to 255; save it as RGB"),
        ((336, 1, 8, (0, 255) * 3 + (16, 235)), "from 16 "),
        ((332, 3, 1, 1), ""),
        ((336, 3, 2, (0, 255)), ""),
        ((336, 1, 8, (0, 255) * 4), ""),
    ],
)
def test_other_inks_than_cmyk_are_refused(tag: tuple[Any, ...], reason: str) -> None:
    samples = random_samples("u", 8, 4)
    data = written(samples, photometric="separated", extratags=[(*tag, False)])
    if reason:
        with pytest.raises(UnusableImageError, match=reason):
            read_header(data)
        return
    np.testing.assert_array_equal(opened(data).pixels, np.asarray(Image.fromarray(samples, "CMYK").convert("RGB")))
