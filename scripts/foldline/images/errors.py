"""The exception for an image that cannot be used."""


class UnusableImageError(ValueError):
    """An image that cannot be used; the message is the reason, without the name of the file."""


def damaged(error: Exception) -> UnusableImageError:
    """The `UnusableImageError` for a file on which a decoder raised `error`."""
    return UnusableImageError(f"damaged: {' '.join(str(error).split()) or type(error).__name__}")
