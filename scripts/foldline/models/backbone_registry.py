"""Names, sizes and pretrained weights of the backbones.

No TensorFlow here, so that a wrong name fails before any job starts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foldline.errors import did_you_mean, listing, problems_error

LITE, PACKAGE, KERAS, KERAS_V2 = "efficientnet-lite", "efficientnet", "keras-efficientnet", "keras-efficientnetv2"
NO_WEIGHTS = "none"


@dataclass(frozen=True)
class Backbone:
    """A network without its classification layers.

    Attributes:
        family: family of networks, which decides the code that builds it.
        variant: name within the family, such as "b0".
        min_image_size: smallest image edge in pixels.
        native_image_size: image edge in pixels that its authors trained and tuned it for.
        weights: names of its pretrained weights; "none" and a local file are always allowed.
    """

    family: str
    variant: str
    min_image_size: int
    native_image_size: int
    weights: tuple[str, ...]


# 32 px is one cell of the last feature map. Native sizes: Tan and Le 2019 (arXiv 1905.11946), for L2 Xie et al. 2020
# (1911.04252), for V2 Tan and Le 2021 (2104.00298). There are no public weights of L2.
_NATIVE_SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "b4": 380, "b5": 456, "b6": 528, "b7": 600}
_NATIVE_SIZES_V2 = {"b0": 224, "b1": 240, "b2": 260, "b3": 300, "s": 384, "m": 480, "l": 480}
BACKBONES: dict[str, Backbone] = {
    **{
        f"efficientnet-{name}": Backbone(LITE, name, 32, size, ("imagenet",))
        for name, size in {"lite0": 224, "lite1": 240, "lite2": 260}.items()
    },
    **{
        f"efficientnet-{name}": Backbone(PACKAGE, name, 32, size, ("imagenet", "noisy-student"))
        for name, size in _NATIVE_SIZES.items()
    },
    "efficientnet-l2": Backbone(PACKAGE, "l2", 32, 800, ()),
    **{
        f"keras-efficientnet-{name}": Backbone(KERAS, name, 32, size, ("imagenet",))
        for name, size in _NATIVE_SIZES.items()
    },
    **{
        f"keras-efficientnetv2-{name}": Backbone(KERAS_V2, name, 32, size, ("imagenet",))
        for name, size in _NATIVE_SIZES_V2.items()
    },
}


def find_backbone(name: str) -> Backbone:
    """Find a backbone by name.

    Raises:
        FoldlineError: there is no backbone of this name.
    """
    if name not in BACKBONES:
        raise problems_error(list(backbone_problems(name)))
    return BACKBONES[name]


def check_backbone(name: str, *, weights: str, image_size: int) -> None:
    """Check that a backbone exists, and that it has these weights and accepts images of this size.

    Args:
        name: a name of `BACKBONES`.
        weights: "none", the name of pretrained weights, or the path of a weights file.
        image_size: edge of the square images in pixels.

    Raises:
        FoldlineError: one of these is not so; the message says what is allowed.
    """
    if problems := list(backbone_problems(name, weights=weights, image_size=image_size)):
        raise problems_error(problems)


def backbone_problems(name: str, *, weights: str = NO_WEIGHTS, image_size: int | None = None) -> Iterator[str]:
    """A line for each problem that `check_backbone` names; without an image size, it is not checked."""
    if name not in BACKBONES:
        known = listing(list(BACKBONES), limit=len(BACKBONES))
        yield f"no backbone {name!r}{did_you_mean(name, BACKBONES)}; set backbone to one of {known}"
        return
    backbone = BACKBONES[name]
    if image_size is not None and image_size < backbone.min_image_size:
        yield (
            f"{name} does not accept images of {image_size} px; set image_size to {backbone.min_image_size} or more "
            f"(its pretrained weights were made with {backbone.native_image_size})"
        )
    if weights != NO_WEIGHTS and weights not in backbone.weights and not is_weights_file(weights):
        allowed = listing([*backbone.weights, NO_WEIGHTS])
        yield (
            f"{name} has no weights {weights!r}; set weights to {allowed}, or to the path of a local file (.h5, for "
            "the efficientnet-lite backbones also .pth)"
        )
    if Path(weights).suffix == ".pth" and backbone.family != LITE:
        yield f"{name} does not read PyTorch weights ({weights}); set weights to an HDF5 file (.h5) of that network"


def is_weights_file(weights: str) -> bool:
    """Whether `weights` is a path, by its file extension; the file need not exist."""
    return Path(weights).suffix in (".h5", ".pth")
