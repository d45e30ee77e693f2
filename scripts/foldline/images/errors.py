"""The exception for an image that cannot be used."""

from foldline.errors import file_text

# Parts of what libraries say of damage, in lower case, and what the data are that they could not decode.
_CODECS = {
    "lzw": "LZW",
    "packbits": "PackBits",
    "lzma": "LZMA",
    "uncompress": "deflate",
    "inflate": "deflate",
    "zlib": "deflate",
    "zstd": "zstd",
    "ccitt": "fax",
    "dgif": "GIF",
    "jxl": "JPEG XL",
    "webp": "WebP",
    "avif": "AVIF",
    "heif": "HEIC",
    "charls": "JPEG-LS",
    "opj_": "JPEG 2000",
    "png_": "PNG",
    "packints": "packed",
    "jpeg_": "JPEG",
    "tjdecompress": "JPEG",
    "cannot identify": "image",
    "unpack requires": "image",
    "codec can't decode": "image",
}

COLORED_CHANNEL = "a color image, but the image of a channel is gray; save it with one channel"
# Characters of what a library says.
MOST_SAID = 200


class UnusableImageError(ValueError):
    """An image that cannot be used; the message is the reason, without the name of the file."""


def names_a_key(problem: str) -> bool:
    """Whether a problem of an image says which key of the configuration to set."""
    return "set dataset." in problem


def range_problem(samples: str) -> str:
    """What is wrong with an image of which no sample is known to be white.

    Args:
        samples: see `headers.Header.unranged`.
    """
    return (
        f"{samples}, whose range is not known; set dataset.intensity to {{max: VALUE}}, the sample that is white "
        "(`snakemake --cores 2 measure` finds it)"
    )


def with_remedy(problem: str) -> str:
    """A problem of an image and what to do about it."""
    if names_a_key(problem):
        return problem
    return f"{problem}; repair or replace the file, or remove its row from the table"


def beyond_palette(number: int, colors: int) -> UnusableImageError:
    """The `UnusableImageError` for a pixel that has no color: standards call it an error, decoders make it black."""
    return UnusableImageError(f"damaged: a pixel has color {number} of a palette, which ends at {colors - 1}")


def damaged(error: Exception) -> UnusableImageError:
    """The `UnusableImageError` for a file on which a decoder raised `error`, in words that name no library."""
    said = " ".join(str(error).split()) or type(error).__name__
    name = next((name for part, name in _CODECS.items() if part in said.lower()), "")
    if name:
        return UnusableImageError(f"damaged: its {name} data cannot be decoded")
    return UnusableImageError(f"damaged: {file_text(said, limit=MOST_SAID)}")
