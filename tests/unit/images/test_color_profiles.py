"""ICC profiles: colors become sRGB in every format that can have one, and profiles that are sRGB change nothing."""

import imagecodecs
import numpy as np
import pytest
from fixtures.pictures import png_chunk, saved, smooth
from foldline.images.color_profiles import BROKEN, CONVERTED
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.options import ImageOptions
from foldline.images.picture import Picture
from foldline.images.resizing import record_image
from PIL import Image, ImageCms

# Primaries of Display P3 and of sRGB, both with the white of D65; x, y of red, green, blue.
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
BT709 = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
WHITE = (0.3127, 0.3290)
GAMMA = 2.2
WIDE = imagecodecs.cms_profile(
    "rgb", whitepoint=[*WHITE, 1.0], primaries=[value for pair in P3 for value in (*pair, 1.0)], gamma=GAMMA
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PIXELS = smooth(48, 64)


def to_xyz(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Matrix from linear RGB to XYZ; (3, 3)."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    x, y = WHITE
    return columns * np.linalg.solve(columns, [x / y, 1, (1 - x - y) / y])


def converted(pixels: np.ndarray) -> np.ndarray:
    """The colors of `WIDE` in sRGB, by the formulas of IEC 61966-2-1."""
    linear = (pixels / 255) ** GAMMA @ to_xyz(P3).T @ np.linalg.inv(to_xyz(BT709)).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def with_profile(name: str, profile: bytes) -> bytes:
    """A file of a format with a profile, without loss or nearly so."""
    options = {
        "JPEG": {"quality": 98, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    if name == "JPEG2000":
        data = saved(PIXELS, name)
        start = data.index(b"colr") - 4
        box = b"colr\2\0\0" + profile
        head = data.index(b"jp2h") - 4
        length = int.from_bytes(data[head : head + 4], "big") + len(box) + 4 - 15
        data = data[:start] + (len(box) + 4).to_bytes(4, "big") + box + data[start + 15 :]
        return data[:head] + length.to_bytes(4, "big") + data[head + 4 :]
    return saved(PIXELS, name, icc_profile=profile, **options.get(name, {}))


def decoded(data: bytes, **options: str) -> Picture:
    reading = ImageOptions(**options)
    return decode(data, read_header(data, reading), reading)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000"])
def test_colors_become_srgb(name: str) -> None:
    data = with_profile(name, WIDE)
    stored, found = decoded(data, color_profile="ignore"), decoded(data)
    assert (stored.profile, found.profile) == ("", CONVERTED)
    assert np.abs(found.pixels - converted(stored.pixels)).max() <= 2
    assert np.abs(found.pixels.astype(int) - stored.pixels).max() > 20


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000"])
def test_a_profile_that_is_srgb_changes_nothing(name: str) -> None:
    data = with_profile(name, SRGB)
    found = decoded(data)
    assert found.profile == ""
    np.testing.assert_array_equal(found.pixels, decoded(data, color_profile="ignore").pixels)


def test_a_file_is_copied_into_a_record_only_if_its_colors_are_srgb() -> None:
    kwargs = {"size": 32, "aspect": "stretch", "jpeg_quality": 95}
    for name in ("JPEG", "PNG"):
        same, wide = (saved(smooth(32, 32), name, icc_profile=profile) for profile in (SRGB, WIDE))
        assert record_image(same, **kwargs) == same
        assert record_image(wide, ImageOptions(color_profile="ignore"), **kwargs) == wide
        record = record_image(wide, **kwargs)
        assert record != wide
        stored = decoded(wide, color_profile="ignore").pixels
        # The record has chroma of half the resolution.
        assert np.abs(decoded(record).pixels - converted(stored)).mean() < 5 < np.abs(converted(stored) - stored).mean()


def broken() -> dict[str, bytes]:
    """Files whose profiles cannot be used."""
    lost_part = bytearray(saved(PIXELS, "JPEG", icc_profile=WIDE))
    lost_part[lost_part.index(b"ICC_PROFILE\0") + 13] = 2
    png = saved(PIXELS, "PNG")
    return {
        "no profile": saved(PIXELS, "PNG", icc_profile=b"hello" * 9),
        "cut": saved(PIXELS, "TIFF", icc_profile=WIDE[:200]),
        "gray": saved(PIXELS, "PNG", icc_profile=imagecodecs.cms_profile("gray", gamma=2.2)),
        "lost part": bytes(lost_part),
        "too large": saved(PIXELS, "WEBP", icc_profile=WIDE + bytes(1 << 22)),
        "too large for a TIFF": saved(PIXELS, "TIFF", icc_profile=WIDE + bytes(1 << 22)),
        "not compressed": png[:33] + png_chunk(b"iCCP", b"a\0\0b") + png[33:],
    }


@pytest.mark.parametrize("name", broken())
def test_a_broken_profile_is_ignored_and_named(name: str) -> None:
    found = decoded(broken()[name])
    assert found.profile == BROKEN
    np.testing.assert_array_equal(found.pixels, decoded(broken()[name], color_profile="ignore").pixels)


def test_gray_pictures_keep_their_values() -> None:
    gray = smooth(channels=1)
    data = saved(gray, "PNG", icc_profile=imagecodecs.cms_profile("gray", gamma=1.0))
    found = decoded(data)
    assert found.profile == ""
    np.testing.assert_array_equal(found.pixels, gray)


@pytest.mark.parametrize(("code", "name"), [((9, 16), "PQ"), ((12, 13), "Display P3")])
def test_other_colors_without_a_profile_are_refused(code: tuple[int, int], name: str) -> None:
    png = saved(PIXELS, "PNG")
    data = png[:33] + png_chunk(b"cICP", bytes([*code, 0, 1])) + png[33:]
    with pytest.raises(UnusableImageError, match=f"colors are .*{name}.*, without an ICC profile"):
        read_header(data)
    assert decoded(data, color_profile="ignore").pixels.shape == PIXELS.shape
    usual = png[:33] + png_chunk(b"cICP", bytes([1, 13, 0, 1])) + png[33:]
    assert decoded(usual).pixels.shape == PIXELS.shape


def test_a_narrow_range_is_refused() -> None:
    for pixels in (PIXELS, PIXELS[:, :, :1]):
        png = saved(pixels, "PNG")
        data = png[:33] + png_chunk(b"cICP", bytes([1, 13, 0, 0])) + png[33:]
        with pytest.raises(
            UnusableImageError, match=r"colors are in a narrow range \(of 0 to 255, black is 16 and white"
        ):
            read_header(data)
        assert decoded(data, color_profile="ignore").pixels.shape == pixels.shape


@pytest.mark.parametrize(("channels", "space", "name"), [(3, 17, "gray has 1"), (1, 16, "sRGB has 3")])
@pytest.mark.parametrize("alpha", [0, 1])
def test_a_color_space_of_other_components_is_refused(channels: int, space: int, name: str, alpha: int) -> None:
    pixels = np.concatenate([PIXELS[:, :, :channels], PIXELS[:, :, :alpha]], axis=2)
    data = bytearray(saved(pixels, "JPEG2000"))
    place = data.index(b"colr") + 7
    assert decoded(bytes(data)).pixels.shape[2] == channels
    data[place : place + 4] = space.to_bytes(4, "big")
    with pytest.raises(
        UnusableImageError, match=f"with {channels} components of color, of which its color space {name}"
    ):
        read_header(bytes(data))


def test_cmyk_is_converted_by_its_profile() -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    data = saved(image, "TIFF", icc_profile=cmyk_profile())
    found, plain = decoded(data), decoded(data, color_profile="ignore")
    assert (found.profile, plain.profile) == (CONVERTED, "")
    np.testing.assert_array_equal(plain.pixels, np.asarray(image.convert("RGB")))
    lab = np.asarray(ImageCms.applyTransform(Image.fromarray(found.pixels), to_lab()))
    # Ink of any color makes this paper darker, without a color.
    ink = np.asarray(image).astype(float).sum(axis=2) / 4 / 255
    assert np.abs(lab[:, :, 0] / 2.55 - 100 * (1 - ink)).mean() < 2


def to_lab() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")


def cmyk_profile() -> bytes:
    """A profile of version 2 whose lightness is 100 less the mean of the inks in percent."""
    levels = [round(0xFF00 * (1 - sum(map(int, f"{number:04b}")) / 4)) for number in range(16)]
    cells = np.array([(level, 0x8000, 0x8000) for level in levels], ">u2").tobytes()
    identity = np.array([1, 0, 0, 0, 1, 0, 0, 0, 1], ">i4") * 65536
    ramp = np.array([0, 65535], ">u2").tobytes()
    table = b"mft2" + bytes(4) + bytes([4, 3, 2, 0]) + identity.astype(">i4").tobytes()
    table += np.array([2, 2], ">u2").tobytes() + ramp * 4 + cells + ramp * 3
    white = b"XYZ " + bytes(4) + np.array([0.9642, 1.0, 0.8249] @ np.eye(3) * 65536).astype(">i4").tobytes()
    tags = [(b"A2B0", table), (b"wtpt", white)]
    start = 128 + 4 + 12 * len(tags)
    entries, body = len(tags).to_bytes(4, "big"), b""
    for name, value in tags:
        entries += name + (start + len(body)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body += value + bytes(-len(value) % 4)
    header = bytearray(128)
    header[0:4] = (start + len(body)).to_bytes(4, "big")
    header[8:12], header[12:16], header[16:20], header[20:24] = b"\x02\x10\0\0", b"prtr", b"CMYK", b"Lab "
    header[36:40] = b"acsp"
    header[68:80] = (np.array([0.9642, 1.0, 0.8249]) * 65536).astype(">i4").tobytes()
    return bytes(header) + entries + body
