"""The package that decodes HEIC files: optional, as its license (GPL, for the codec x265) is not that of the others."""

import importlib.util
import sys

PACKAGE = "pillow_heif"


def decoder_problem() -> str:
    """What to do if this Python lacks the package that decodes HEIC files; "" if it is installed."""
    if importlib.util.find_spec(PACKAGE):
        return ""
    return (
        f"a HEIC image, for which {sys.executable} lacks the package pillow-heif; run python -m pip install "
        "--requirement envs/heic.lock in the folder of Foldline, or save the image as JPEG"
    )
