"""Tell from the inventory whether images with more than 8 bits come out dark, because they leave much of the range."""

import pandas as pd

from foldline.errors import counted

# Share of white that the largest sample of a split should reach.
DARK = 0.3


def dark_images(inventory: pd.DataFrame) -> str:
    """What to say of the images of a split if all of them that have more than 8 bits come out dark; else "".

    Args:
        inventory: rows of the inventory (`tables.INVENTORY`).

    Returns:
        A clause without a capital and a full stop.
    """
    deep = inventory[inventory["white_sample"] > 0]
    if deep.empty:
        return ""
    most = deep.loc[(deep["peak_sample"] / deep["white_sample"]).idxmax()]
    peak, white = float(most["peak_sample"]), float(most["white_sample"])
    if peak >= DARK * white:
        return ""
    return (
        f"the largest sample of {counted(len(deep), 'image')} with more than 8 bits is {peak:g}, but {white:g} is "
        "white, so they come out dark; set dataset.intensity to what snakemake --cores 2 measure says"
    )
