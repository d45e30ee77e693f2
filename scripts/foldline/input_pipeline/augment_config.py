"""Settings of the augmentation; see `models.MODEL.augment` in `config/config.schema.yaml`."""

from dataclasses import dataclass, field

# Views that take turns.
CYCLE = "cycle"


@dataclass(frozen=True)
class CoarseDropoutConfig:
    """Black squares.

    Attributes:
        probability: share of the images that are changed, in [0, 1].
        holes: number of squares, at least 1.
        size: side of a square as a share of the image's side, in (0, 1].
    """

    probability: float = 0.0
    holes: int = 8
    size: float = 0.1


@dataclass(frozen=True)
class CutMixConfig:
    """A box from another image of the batch.

    Attributes:
        probability: share of the images that are changed, in [0, 1].
        alpha: of the beta distribution of the area of the box, above 0.
    """

    probability: float = 0.0
    alpha: float = 1.0


@dataclass(frozen=True)
class MixUpConfig:
    """Weighted mean with another image of the batch.

    Attributes:
        probability: share of the images that are changed, in [0, 1]; with that of CutMix at most 1.
        alpha: of the beta distribution of the other image's weight, above 0.
    """

    probability: float = 0.0
    alpha: float = 0.2


@dataclass(frozen=True)
class AugmentConfig:
    """Random changes of the training images; the defaults change nothing.

    Attributes:
        flip_horizontal: mirror left and right with probability one half.
        flip_vertical: mirror top and bottom with probability one half.
        quarter_turns: rotate by 0, 90, 180 or 270 degrees.
        views: how flips and quarter turns are chosen, "random" or "cycle": another view of an image in each epoch.
        operations: number of the operations from `rotation` to `shift` and from `hue` to `brightness` that an image
            gets, drawn anew each time; None for all. See `operations`.
        rotation: standard deviations of an angle in degrees; one is picked for each image.
        shear: as `rotation`.
        zoom: standard deviations of a share of the height and of the width, as `rotation`.
        shift: as `zoom`, of the side.
        crop: smallest side of a random square crop as a share of the side, in (0, 1].
        color_space: where hue and saturation are changed, "yiq" or "hsv"; see `color_jitter`.
        hue: largest rotation of the hue as a share of the circle, in [0, 0.5].
        saturation: largest change of the saturation factor from 1, in [0, 1].
        contrast: largest change of the contrast factor from 1, in [0, 1].
        brightness: largest change of a pixel as a share of the full scale, in [0, 1].
        coarse_dropout: black squares.
        cutmix: boxes from other images.
        mixup: means with other images.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    quarter_turns: bool = False
    views: str = "random"
    operations: int | None = None
    rotation: tuple[float, ...] = ()
    shear: tuple[float, ...] = ()
    zoom: tuple[float, ...] = ()
    shift: tuple[float, ...] = ()
    crop: float = 1.0
    color_space: str = "yiq"
    hue: float = 0.0
    saturation: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    coarse_dropout: CoarseDropoutConfig = field(default_factory=CoarseDropoutConfig)
    cutmix: CutMixConfig = field(default_factory=CutMixConfig)
    mixup: MixUpConfig = field(default_factory=MixUpConfig)
