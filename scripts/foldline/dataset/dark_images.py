"""Tell from the inventory which images come out dark, because they leave much of the range, or show nothing at all."""

import pandas as pd

from foldline.errors import counted, listing
from foldline.images.samples import BRIGHT_PERCENT, DARK, MIN_CONTRAST

# More than this share of dark images means that the files do not use their range; fewer may be dark pictures.
SHARE = 0.5
SHOWN = 3


def dark_images(inventory: pd.DataFrame) -> str:
    """What to say of the images of a split if most of those with more than 8 bits come out dark; else "".

    Each image counts by itself: one bright image does not hide the others.

    Args:
        inventory: rows of the inventory (`tables.INVENTORY`).

    Returns:
        A clause without a capital and a full stop.
    """
    deep = inventory[inventory["white_sample"] > 0]
    dark = deep[deep["peak_sample"] <= DARK * deep["white_sample"]]
    if len(dark) <= SHARE * len(deep):
        return ""
    middle = float((dark["peak_sample"] / dark["white_sample"]).median())
    return (
        f"{len(dark):,} of {counted(len(deep), 'image')} with more than 8 bits ({len(dark) / len(deep):.0%}) "
        f"{'comes' if len(dark) == 1 else 'come'} out dark: {BRIGHT_PERCENT:g} % of the samples of each are at most "
        f"{DARK:.0%} of white, of half of them at most {middle:.1%}; set dataset.intensity to what snakemake "
        "--cores 2 measure says"
    )


def is_blank(inventory: pd.DataFrame) -> "pd.Series[bool]":
    """Whether each image of an inventory (`tables.INVENTORY`) shows nothing, such as one of one color alone."""
    return (inventory["contrast"] < MIN_CONTRAST) & (inventory["perceptual_hash"] != "")


def blank_images(inventory: pd.DataFrame) -> str:
    """What to say of the images of a split that show nothing, such as those with alpha 0 everywhere; else "".

    Args:
        inventory: rows of the inventory (`tables.INVENTORY`).

    Returns:
        A clause without a capital and a full stop.
    """
    blank = inventory[is_blank(inventory)]
    if blank.empty:
        return ""
    return (
        f"{counted(len(blank), 'image')} of {len(inventory):,} {'shows' if len(blank) == 1 else 'show'} nothing, such "
        f"as black ones where alpha is 0 everywhere: {listing(list(blank['path']), limit=SHOWN)}; the leak audit "
        "leaves images without contrast out; look at them, and replace them, or remove their rows from the table"
    )
