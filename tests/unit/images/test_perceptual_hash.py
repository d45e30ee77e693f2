"""Perceptual hashes: few different bits for copies, many for other pictures; hashes of mirrored pictures."""

import numpy as np
import pytest
from fixtures.pictures import photograph, saved
from foldline.images.decoding import decode
from foldline.images.headers import read_header
from foldline.images.options import THUMBNAIL_SIDE
from foldline.images.perceptual_hash import HASH_BITS, hash_array, perceptual_hash, symmetric_hashes
from foldline.images.picture import Picture
from PIL import Image
from scipy.fft import dctn

SMALL, LIMIT = 5, 12


def hash_of(pixels: np.ndarray) -> str:
    return perceptual_hash([Picture.whole(np.ascontiguousarray(pixels))])


def bits_between(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def copies(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Copies of a picture after common changes, by name."""
    image = Image.fromarray(pixels.squeeze())
    height, width = pixels.shape[:2]

    def resized(factor: float) -> np.ndarray:
        return np.asarray(image.resize((round(width * factor), round(height * factor)), Image.Resampling.LANCZOS))

    def recompressed(quality: int) -> np.ndarray:
        data = saved(pixels, "JPEG", quality=quality)
        return decode(data, read_header(data)).pixels

    made = {
        "JPEG 75": recompressed(75),
        "JPEG 40": recompressed(40),
        "half": resized(0.5),
        "double": resized(2),
        "stretched": np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR)),
        "dimmer": (pixels * 0.8).astype(np.uint8),
        "less contrast": (pixels * 0.7 + 38).astype(np.uint8),
    }
    return {name: copy.reshape(*copy.shape[:2], pixels.shape[2]) for name, copy in made.items()}


@pytest.mark.parametrize("channels", [1, 3])
def test_copies_have_nearly_the_same_hash(channels: int) -> None:
    for seed in range(5):
        pixels = photograph(240, 300, channels, seed)
        for name, copy in copies(pixels).items():
            assert bits_between(hash_of(pixels), hash_of(copy)) <= LIMIT, name


def test_different_pictures_have_different_hashes() -> None:
    hashes = [hash_of(photograph(120, 150, seed=seed)) for seed in range(12)]
    distances = [bits_between(hashes[i], hashes[j]) for i in range(12) for j in range(i)]
    assert min(distances) > 60


def test_bits_are_the_signs_of_the_cosine_transform() -> None:
    pixels = photograph(64, 64, 1)
    signs = dctn(pixels[:, :, 0].astype(float))[:16, :16] > 0
    signs[0, 0] = False
    assert bits_between(hash_of(pixels), np.packbits(signs).tobytes().hex()) <= 1


def test_a_color_picture_has_the_hash_of_its_luma() -> None:
    pixels = photograph(120, 150)
    gray = np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    assert bits_between(hash_of(pixels), hash_of(gray)) <= SMALL


def test_a_blank_picture_has_the_hash_zero() -> None:
    for value in (0, 7, 255):
        assert hash_of(np.full((30, 50, 3), value, np.uint8)) == "0" * (HASH_BITS // 4)


def test_a_reduced_decode_has_nearly_the_same_hash() -> None:
    data = saved(photograph(801, 1003), "JPEG", quality=90)
    header = read_header(data)
    reduced = decode(data, header, min_width=THUMBNAIL_SIDE, min_height=THUMBNAIL_SIDE)
    assert reduced.pixels.shape[0] < 220
    assert bits_between(perceptual_hash([reduced]), perceptual_hash([decode(data, header)])) <= SMALL


def test_hashes_of_flipped_and_rotated_pictures_follow_from_the_hash() -> None:
    pixels = photograph(120, 150)
    views = []
    for base in (pixels, pixels.transpose(1, 0, 2)):
        views += [base, base[:, ::-1], base[::-1], base[::-1, ::-1]]
    found = [view.tobytes().hex() for view in symmetric_hashes(hash_array([hash_of(pixels)]))]
    assert len(found) == len(views) == 8
    for hashed, view in zip(found, views, strict=True):
        assert bits_between(hashed, hash_of(view)) <= 2


def test_a_hash_array_holds_the_bytes_of_each_hash() -> None:
    names = ["00" * 31 + "01", "ff" * 32]
    array = hash_array(names)
    assert (array.shape, array.dtype) == ((2, 32), np.uint8)
    assert [row.tobytes().hex() for row in array] == names
    assert hash_array([]).shape == (0, 32)
