"""The header of a file that is no JPEG, PNG, WebP or TIFF image, by its first bytes."""

from collections.abc import Callable

from foldline.images import avif, bmp, gif, heic, jpeg2000, jpegxl, npy, pnm
from foldline.images.raster import Raster

READERS: tuple[tuple[tuple[bytes, ...], Callable[[bytes], Raster]], ...] = (
    (bmp.SIGNATURES, bmp.read_bmp_header),
    (gif.SIGNATURES, gif.read_gif_header),
    (pnm.SIGNATURES, pnm.read_pnm_header),
    (jpeg2000.SIGNATURES, jpeg2000.read_jpeg2000_header),
    (jpegxl.SIGNATURES, jpegxl.read_jpegxl_header),
    (npy.SIGNATURES, npy.read_npy_header),
)


def read_raster(data: bytes, planes: int = 0) -> Raster | None:
    """Parse the header of a file; None if its format is unknown.

    Args:
        data: the bytes of the file.
        planes: see `options.ImageOptions`.

    Raises:
        UnusableImageError: the file is truncated, damaged, animated, or of a kind that is not read.
    """
    if avif.is_avif(data):
        return avif.read_avif_header(data)
    if heic.is_heic(data):
        return heic.read_heic_header(data)
    if planes and data.startswith(npy.SIGNATURES):
        return npy.read_npy_header(data, planes)
    readers = (read for signatures, read in READERS if data.startswith(signatures))
    reader = next(readers, None)
    return reader(data) if reader else None
