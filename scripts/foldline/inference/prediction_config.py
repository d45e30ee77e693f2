"""Settings of predictions; see `prediction` in `config/config.schema.yaml`."""

from dataclasses import dataclass

from foldline.errors import FoldlineError


@dataclass(frozen=True)
class PredictionConfig:
    """How rows are predicted.

    Attributes:
        views: test-time augmentation: mean over this many flips and quarter turns, 1, 2, 4 or 8.
        batch_size: images per step, over all devices together.
        split: if several networks share the views, the number of this one and their count; see `view_numbers`.
    """

    views: int
    batch_size: int
    split: tuple[int, int] | None = None

    @property
    def view_numbers(self) -> tuple[int, ...]:
        """Numbers of the views that the network averages, see `view_numbers`."""
        return view_numbers(self.views, self.split)


def view_numbers(views: int, split: tuple[int, int] | None = None) -> tuple[int, ...]:
    """Numbers of the views that a network averages; see `tta.VIEWS`.

    Args:
        views: number of views, 1, 2, 4 or 8: the first ones of `VIEWS`.
        split: (number, count) of the network among those that share the views: it has every `count`-th one, and with
            more networks than views a single one. All of them together have all views. None for all views.

    Raises:
        FoldlineError: the number of views is not allowed.
    """
    if views not in (1, 2, 4, 8):
        raise FoldlineError(f"views is {views}; set prediction.views to 1, 2, 4 or 8")
    number, count = split or (0, 1)
    return tuple(range(number, views, count)) or (number % views,)
