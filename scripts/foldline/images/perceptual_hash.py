"""A perceptual hash of 256 bits that survives resizing, recompression and small changes of brightness.

The bits are the signs of the 16 x 16 lowest cosine coefficients of the picture at 64 x 64 pixels. The usual 64 bits do
not tell apart pictures of one kind.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from foldline.images.picture import Picture
from foldline.images.resizing import resize_to_square

SIDE = 64
FREQUENCIES = 16
HASH_BITS = FREQUENCIES * FREQUENCIES

# Cosines as integers: signs are equal on every machine, and the coefficients of a blank picture are exactly 0.
_ANGLES = np.pi * np.outer(np.arange(FREQUENCIES), 2 * np.arange(SIDE) + 1) / (2 * SIDE)
COSINES = np.rint(4096 * np.cos(_ANGLES)).astype(np.int64)
LUMA = np.array([299, 587, 114])  # ITU-R BT.601, in thousandths


def perceptual_hash(pictures: Sequence[Picture]) -> str:
    """Hash a sample by the sum of its pictures, each stretched to a square.

    Args:
        pictures: the one picture of a sample, or one for each channel; an RGB picture counts by its luma.

    Returns:
        64 hexadecimal digits. Bit 16 u + v, counted from the highest, is set if the coefficient of vertical frequency u
        and horizontal frequency v is positive; the mean (u = v = 0) is always 0.
    """
    positive = (COSINES @ sum(map(_luma, pictures)) @ COSINES.T) > 0
    positive[0, 0] = False
    return np.packbits(positive).tobytes().hex()


def _luma(picture: Picture) -> npt.NDArray[np.int64]:
    """Brightness of the reduced picture, int64, (SIDE, SIDE)."""
    small = resize_to_square(picture, size=SIDE, aspect="stretch").astype(np.int64)
    return small @ LUMA if small.shape[2] == 3 else small[:, :, 0]


def hash_array(hashes: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Hashes as bytes: uint8, (n_hashes, 32)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), HASH_BITS // 8)


def symmetric_hashes(hashes: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the hashes under each of the eight symmetries of the square (flips and quarter turns), identity first.

    Mirroring a picture negates its odd cosine coefficients, transposing it transposes them: the new hash follows from
    the old one.

    Args:
        hashes: uint8, (n_hashes, 32).

    Yields:
        uint8, (n_hashes, 32), eight times.
    """
    odd = np.arange(FREQUENCIES) % 2 == 1
    for transposed in (False, True):
        base = _transpose(hashes) if transposed else hashes
        for upside_down in (False, True):
            for mirrored in (False, True):
                negated = (odd & upside_down)[:, None] ^ (odd & mirrored)[None, :]
                yield base ^ np.packbits(negated)[None, :]


def _transpose(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    out = np.empty_like(hashes)
    step = 1 << 14  # hashes at a time: unpacked, each bit takes a byte
    for start in range(0, len(hashes), step):
        bits = np.unpackbits(hashes[start : start + step], axis=1).reshape(-1, FREQUENCIES, FREQUENCIES)
        out[start : start + step] = np.packbits(bits.transpose(0, 2, 1).reshape(-1, HASH_BITS), axis=1)
    return out
