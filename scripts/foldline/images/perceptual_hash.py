"""A fingerprint of what a picture shows, which survives resizing, recompression and small changes of brightness.

256 bits: the signs of the 16 x 16 lowest cosine coefficients of the picture at 64 x 64. The usual 64 bits are too few
where all pictures are of one kind.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from foldline.images.decoding import Picture
from foldline.images.resizing import fitted

SIDE = 64
# A JPEG that is reduced no further than this has the hash of the whole picture, within a few bits.
LEAST_SIDE = 2 * SIDE
FREQUENCIES = 16
HASH_BITS = FREQUENCIES * FREQUENCIES

# Cosines as integers, so that the signs are the same on every machine and the coefficients of a blank picture are 0.
_ANGLES = np.pi * np.outer(np.arange(FREQUENCIES), 2 * np.arange(SIDE) + 1) / (2 * SIDE)
COSINES = np.rint(4096 * np.cos(_ANGLES)).astype(np.int64)
LUMA = np.array([299, 587, 114])  # ITU-R BT.601, in thousandths


def perceptual_hash(pictures: Sequence[Picture]) -> str:
    """Hash a sample by the sum of its pictures, each stretched to a square.

    Args:
        pictures: the one picture of a sample, or those of its channels; an RGB picture counts by its luma.

    Returns:
        64 hexadecimal digits. Bit 16 u + v, the first being the highest, says whether the coefficient of vertical
        frequency u and horizontal frequency v is positive; the mean (u = v = 0) does not count and is always 0.
    """
    positive = (COSINES @ sum(map(_luma, pictures)) @ COSINES.T) > 0
    positive[0, 0] = False
    return np.packbits(positive).tobytes().hex()


def _luma(picture: Picture) -> np.ndarray:
    """Brightness of the reduced picture, int64, (SIDE, SIDE)."""
    small = fitted(picture, size=SIDE, aspect="stretch").astype(np.int64)
    return small @ LUMA if small.shape[2] == 3 else small[:, :, 0]


def as_array(hashes: Sequence[str]) -> np.ndarray:
    """Hashes as bytes: uint8, (n_hashes, 32)."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), HASH_BITS // 8)


def turned(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the hashes of the pictures as they are, then turned and mirrored in the seven other ways.

    A mirrored picture has the same cosine coefficients with the odd ones negated, a transposed one has them
    transposed: its hash follows from the hash.

    Args:
        hashes: uint8, (n_hashes, 32).

    Yields:
        uint8, (n_hashes, 32), eight times.
    """
    odd = np.arange(FREQUENCIES) % 2 == 1
    for transposed in (False, True):
        base = _transposed(hashes) if transposed else hashes
        for upside_down in (False, True):
            for mirrored in (False, True):
                negated = (odd & upside_down)[:, None] ^ (odd & mirrored)[None, :]
                yield base ^ np.packbits(negated)[None, :]


def _transposed(hashes: np.ndarray) -> np.ndarray:
    out = np.empty_like(hashes)
    step = 1 << 14  # hashes at a time: their bits take a byte each
    for start in range(0, len(hashes), step):
        bits = np.unpackbits(hashes[start : start + step], axis=1).reshape(-1, FREQUENCIES, FREQUENCIES)
        out[start : start + step] = np.packbits(bits.transpose(0, 2, 1).reshape(-1, HASH_BITS), axis=1)
    return out
