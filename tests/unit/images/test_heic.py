"""HEIC: the header without a decoder, and the pixels if the optional package pillow-heif is installed."""

import io
import sys

import numpy as np
import pytest
from fixtures.heic import TURNED
from fixtures.pictures import smooth
from foldline.images.decoding import decode
from foldline.images.errors import UnusableImageError
from foldline.images.headers import read_header
from foldline.images.picture import Picture, upright
from PIL import Image


def test_the_header_needs_no_decoder() -> None:
    header = read_header(TURNED)
    assert (header.format, header.width, header.height, header.orientation) == ("HEIC", 24, 40, 1)
    with pytest.raises(UnusableImageError, match="damaged"):
        read_header(TURNED[:300])


def test_a_sequence_is_refused() -> None:
    with pytest.raises(UnusableImageError, match=r"^animated"):
        read_header(TURNED[:8] + b"msf1" + TURNED[12:])


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnusableImageError, match=r"lacks the package pillow-heif; run .* envs/heic\.lock") as caught:
        decode(TURNED, read_header(TURNED))
    assert "\n" not in str(caught.value)


def test_pixels_are_upright() -> None:
    pytest.importorskip("pillow_heif")
    found = decode(TURNED, read_header(TURNED)).pixels
    wanted = upright(Picture.whole(smooth(24, 40)), 6).pixels
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 12


@pytest.mark.parametrize(("mode", "most"), [("RGB", 4), ("L", 2), ("RGBA", 4), ("RGB;16", 4)])
def test_modes(mode: str, most: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    color, gray = smooth(24, 40), smooth(24, 40, 1, seed=3)
    samples = {
        "RGB": color,
        "L": gray,
        "RGBA": np.concatenate([color, gray], axis=2),
        "RGB;16": color.astype(np.uint16) * 257,
    }[mode]
    stream = io.BytesIO()
    heif.from_bytes(mode=mode, size=(40, 24), data=samples.tobytes()).save(stream, quality=-1, chroma=444)
    found = decode(stream.getvalue(), read_header(stream.getvalue()))
    wanted = {"L": gray, "RGBA": color * (gray / 255)}.get(mode, color)
    assert found.pixels.shape == wanted.shape
    assert np.abs(found.pixels.astype(int) - wanted).max() <= most
    assert (found.peak is not None) == (mode == "RGB;16")


def test_several_pictures_are_refused() -> None:
    heif = pytest.importorskip("pillow_heif")
    pictures = [Image.fromarray(smooth(24, 40, seed=seed)) for seed in range(3)]
    file = heif.from_pillow(pictures[0])
    for picture in pictures[1:]:
        file.add_from_pillow(picture)
    stream = io.BytesIO()
    file.save(stream)
    with pytest.raises(UnusableImageError, match="3 pictures"):
        decode(stream.getvalue(), read_header(stream.getvalue()))
