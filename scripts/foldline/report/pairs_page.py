"""The page of the duplicates: pairs of images side by side, in one HTML file that needs no other file."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from foldline.errors import counted
from foldline.report.html import NO_VALUE, KeyFigure, environment
from foldline.splits.leak_policy import CONFIRMED, EXACT, NEAR, TEST, TRAIN

TEMPLATE = "pairs_page.html"
# Pairs that the page shows, and images of a sample with channels.
MOST_PAIRS, MOST_CHANNELS = 100, 4
# What a kind means, in words.
KINDS: Mapping[str, str] = {
    EXACT: "equal decoded pixels",
    NEAR: (
        "the images agree in detail when they are aligned. Mostly one was made from the other, or both show the same; "
        "look whether it is so"
    ),
    CONFIRMED: "confirmed by you (leaks.confirmed)",
}
# Kinds in the order in which it is worth looking at them.
ORDER = {NEAR: 0, CONFIRMED: 1, EXACT: 2}


@dataclass(frozen=True)
class Image:
    """An image of a pair.

    Attributes:
        split: its split.
        id: its id.
        group: its group in the table.
        label: its label in words; "" in the test split.
        thumbnails: JPEG of each of its channels, or the one of an RGB image.
    """

    split: str
    id: str
    group: str
    label: str
    thumbnails: Sequence[bytes]

    def sources(self) -> list[str]:
        """The first thumbnails as URLs that hold them."""
        shown = self.thumbnails[:MOST_CHANNELS]
        return [f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}" for data in shown]


@dataclass(frozen=True)
class ShownPair:
    """Two images, and what the audit says of them: see `tables.LEAKS`."""

    first: Image
    second: Image
    kind: str
    distance: int
    same_label: str


def pairs_to_show(pairs: pd.DataFrame) -> pd.DataFrame:
    """The first pairs to look at: contradictory labels, then test images, then near before exact ones.

    Args:
        pairs: the pairs of all splits (`tables.LEAKS`), with the column `split`.
    """
    keys = pairs.assign(
        agrees=pairs["same_label"] != "no",
        inside=~((pairs["split"] == TEST) & (pairs["other_split"] != TEST)),
        order=pairs["kind"].map(ORDER),
        far=-pairs["distance"],
    )
    columns = ["agrees", "inside", "order", "far", "split", "id", "other_split", "other_id"]
    return pairs.loc[keys.sort_values(columns, kind="stable").index[:MOST_PAIRS]]


def pairs_page(
    shown: Sequence[ShownPair], pairs: pd.DataFrame, *, splits: Sequence[str], channels: Sequence[str]
) -> str:
    """Render the page as HTML.

    Args:
        shown: the pairs to show.
        pairs: all pairs, with the column `split`.
        splits: names of all splits.
        channels: names of the channels; empty for RGB images.
    """
    total = len(pairs)
    across = pairs[(pairs["split"] == TEST) & (pairs["other_split"] != TEST)]
    counts = {kind: int((pairs["kind"] == kind).sum()) for kind in KINDS}
    figures = [
        KeyFigure("Pairs", f"{total:,}", f"{len(shown):,} shown"),
        *(KeyFigure(kind.capitalize(), f"{count:,}") for kind, count in counts.items()),
        KeyFigure("Test images that are copies", f"{across['id'].nunique():,}" if TEST in splits else NO_VALUE),
    ]
    hidden = len(channels) - MOST_CHANNELS
    html: str = (
        environment()
        .get_template(TEMPLATE)
        .render(
            title="Pairs of duplicates",
            subtitle=f"{counted(total, 'pair')} among the images of {', '.join(_word(split) for split in splits)}",
            key_figures=figures,
            sections=[("about", "About"), ("pairs", "Pairs")],
            shown=shown,
            total=total,
            kinds=KINDS,
            word=_word,
            channels=channels[:MOST_CHANNELS],
            hidden=max(0, hidden),
        )
    )
    return html


def _word(split: str) -> str:
    return "training" if split == TRAIN else split
