"""The registry names networks and weights that exist in their packages."""

from importlib import import_module

import pytest
from foldline.errors import FoldlineError
from foldline.models.backbone_registry import BACKBONES, KERAS, KERAS_V2, PACKAGE, check_backbone, is_weights_file
from foldline.runtime.tensorflow import tf_keras


def test_every_name_is_a_network_of_its_package() -> None:
    """Row 19."""
    package = import_module("efficientnet.model")
    for backbone in BACKBONES.values():
        variant = backbone.variant.upper()
        if backbone.family == PACKAGE:
            assert hasattr(package, f"EfficientNet{variant}")
        elif backbone.family in (KERAS, KERAS_V2):
            version = "V2" if backbone.family == KERAS_V2 else ""
            assert hasattr(tf_keras.applications, f"EfficientNet{version}{variant}")


def test_named_weights_of_the_package_are_in_it() -> None:
    known = import_module("efficientnet.weights")
    tables = {"imagenet": known.IMAGENET_WEIGHTS_HASHES, "noisy-student": known.NS_WEIGHTS_HASHES}
    for name, backbone in BACKBONES.items():
        if backbone.family == PACKAGE:
            assert backbone.weights == tuple(which for which, table in tables.items() if name in table)


@pytest.mark.parametrize(
    ("name", "weights", "size", "message"),
    [
        ("resnet50", "imagenet", 224, "no backbone 'resnet50'; set backbone to one of efficientnet-lite0, "),
        ("efficientnet-l2", "noisy-student", 800, "set weights to none, or to the path"),
        ("efficientnet-lite0", "noisy-student", 224, "set weights to imagenet, none, or to the path"),
        ("keras-efficientnet-b0", "noisy-student", 224, "set weights to imagenet, none, or to the path"),
        ("efficientnet-b0", "imagenet", 31, "set image_size to 32 or more"),
        ("efficientnet-b0", "data/lite0.pth", 64, r"does not read PyTorch weights \(data/lite0\.pth\)"),
    ],
)
def test_a_wrong_name_size_or_weights_is_an_error(name: str, weights: str, size: int, message: str) -> None:
    with pytest.raises(FoldlineError, match=message):
        check_backbone(name, weights=weights, image_size=size)


def test_weights_are_a_file_by_their_extension() -> None:
    assert [is_weights_file(name) for name in ("b0.h5", "data/lite0.pth", "imagenet", "none")] == [
        True,
        True,
        False,
        False,
    ]
    check_backbone("efficientnet-b0", weights="data/b0.h5", image_size=64)
