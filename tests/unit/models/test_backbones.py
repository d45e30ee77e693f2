"""Backbones: their names, their weights, their scaling, and Lite0 against a slow forward pass."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from foldline.errors import FoldlineError
from foldline.models import backbones
from foldline.models import lite0 as lite0_module
from foldline.models.backbone_registry import BACKBONES, KERAS, KERAS_V2, PACKAGE, check_backbone
from foldline.models.backbones import build_backbone, freeze
from foldline.models.channel_adaptation import IMAGENET_MEAN, IMAGENET_STD, RGB
from foldline.models.lite0 import LITE0_STAGES
from foldline.models.torch_weights import read_torch_weights
from foldline.models.weights_file import load_weights, save_weights
from foldline.runtime.tensorflow import tf_keras
from unit.models.test_torch_weights import LITE0

SIZE = 32


@pytest.fixture(scope="module")
def lite0() -> tf_keras.Model:
    return build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE)


@pytest.fixture(scope="module")
def copy(lite0: tf_keras.Model) -> tf_keras.Model:
    """A Lite0 that tests may spoil."""
    return tf_keras.models.clone_model(lite0)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)


def convolve(values: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """(n, h, w, in) with a PyTorch kernel (out, in, kh, kw), or (channels, 1, kh, kw) for each channel alone."""
    taps = kernel.shape[-1]
    edge = -(-values.shape[1] // stride)
    missing = max((edge - 1) * stride + taps - values.shape[1], 0)
    values = np.pad(values, [(0, 0), *2 * [(missing // 2, missing - missing // 2)], (0, 0)])
    total = 0
    for row in range(taps):
        for column in range(taps):
            split = values[:, row : row + edge * stride : stride, column : column + edge * stride : stride]
            split = split[:, :edge, :edge]
            weight = kernel[:, :, row, column]
            depthwise = weight.shape[1] == 1 and split.shape[-1] > 1
            total = total + (split * weight[:, 0] if depthwise else split @ weight.T)
    return total


def slow_forward(images: np.ndarray, *, blocks: int) -> np.ndarray:
    """Stem and first blocks of Lite0 in inference, in float64 and from the tensors of the file."""
    tensors = {name: tensor.astype(float) for name, tensor in read_torch_weights(LITE0).items()}

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        scale = tensors[f"{name}.weight"] / np.sqrt(tensors[f"{name}.running_var"] + 1e-3)
        return (values - tensors[f"{name}.running_mean"]) * scale + tensors[f"{name}.bias"]

    values = convolve((images - 127.0) / 128.0, tensors["_conv_stem.weight"], 2)
    values = np.clip(norm(values, "_bn0"), 0, 6)
    strides = [(expansion, s) for _, stride, expansion, _, count in LITE0_STAGES for s in [stride] + [1] * (count - 1)]
    for number, (expansion, stride) in enumerate(strides[:blocks]):
        name, start = f"_blocks.{number}", values
        if expansion > 1:
            values = convolve(values, tensors[f"{name}._expand_conv.weight"], 1)
            values = np.clip(norm(values, f"{name}._bn0"), 0, 6)
        values = convolve(values, tensors[f"{name}._depthwise_conv.weight"], stride)
        values = np.clip(norm(values, f"{name}._bn1"), 0, 6)
        values = norm(convolve(values, tensors[f"{name}._project_conv.weight"], 1), f"{name}._bn2")
        if values.shape == start.shape:
            values = values + start
    return values


def test_lite0_is_the_slow_forward_pass(lite0: tf_keras.Model, images: np.ndarray) -> None:
    # Blocks 0 to 4 have every kind: with and without expansion, stride 2 with kernels 3 and 5, with and without sum.
    split = tf_keras.Model(lite0.input, lite0.get_layer("blocks_4_add").output)
    np.testing.assert_allclose(split(images), slow_forward(images, blocks=5), rtol=1e-3, atol=1e-3)


def test_lite0_takes_bytes_and_floats(lite0: tf_keras.Model, images: np.ndarray) -> None:
    features = lite0(images).numpy()
    assert features.shape == (2, 1, 1, 1280)
    assert features.dtype == np.float32
    assert 0 < features.mean() < 1
    np.testing.assert_array_equal(features, lite0(images.astype(np.float32)))


@pytest.mark.parametrize("change", ["absent", "foreign", "shape"])
def test_lite0_takes_all_tensors_of_its_file(copy, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    tensors = read_torch_weights(LITE0)
    if change == "absent":
        del tensors["_bn1.bias"]
    elif change == "foreign":
        tensors["_blocks.16._bn1.bias"] = np.zeros(3, np.float32)
    else:
        tensors["_conv_head.weight"] = np.zeros((1280, 319, 1, 1), np.float32)
    monkeypatch.setattr(lite0_module, "read_torch_weights", lambda path: tensors)
    with pytest.raises(FoldlineError, match="Lite0"):
        lite0_module.load_lite0_tensors(copy, "some.pth")


def test_all_names_are_networks_of_their_packages() -> None:
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
    ("name", "weights", "size", "said"),
    [
        ("resnet50", "imagenet", 224, "no backbone 'resnet50'"),
        ("efficientnet-l2", "noisy-student", 800, "there are none"),
        ("efficientnet-lite0", "noisy-student", 224, "there are imagenet, none"),
        ("keras-efficientnet-b0", "noisy-student", 224, "there are imagenet, none"),
        ("efficientnet-b0", "imagenet", 31, "image_size 32 or more"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_built(name: str, weights: str, size: int, said: str) -> None:
    with pytest.raises(FoldlineError, match=said):
        check_backbone(name, weights=weights, image_size=size)


def test_a_weights_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FoldlineError, match=r"nowhere\.h5"):
        build_backbone("efficientnet-lite0", weights="nowhere.h5", image_size=SIZE)


def scaling_of(model: tf_keras.Model) -> np.ndarray:
    """What the normalization layer makes of pixels of 51, a fifth of the full scale."""
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
    return tf_keras.Model(model.input, layer.output)(np.full((1, SIZE, SIZE, 3), 51, np.uint8))[0, 0, 0].numpy()


def test_a_network_of_the_package_scales_its_input_and_takes_a_file(tmp_path: Path, images: np.ndarray) -> None:
    model = build_backbone("efficientnet-b0", weights="none", image_size=SIZE)
    np.testing.assert_allclose(scaling_of(model), (0.2 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-4)
    features = model(images).numpy()
    assert features.shape == (2, 1, 1, 1280)
    model.layers[-1].save_weights(tmp_path / "published.h5")
    loaded = build_backbone("efficientnet-b0", weights=str(tmp_path / "published.h5"), image_size=SIZE)
    np.testing.assert_array_equal(loaded(images), features)
    save_weights(model, tmp_path / "ours.weights.h5")
    load_weights(loaded, tmp_path / "ours.weights.h5")
    np.testing.assert_array_equal(loaded(images), features)
    freeze(loaded, trainable="upper")
    trained = [layer.name for layer in loaded.layers[-1].layers if layer.trainable_weights]
    assert trained[0] == "block4a_dwconv"
    assert trained[-1] == "top_bn"


def test_the_deviation_in_the_file_of_keras_does_not_spoil_the_scaling(tmp_path: Path) -> None:
    model = build_backbone("keras-efficientnet-b0", weights="none", image_size=SIZE)
    np.testing.assert_allclose(scaling_of(model), (0.2 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-4)
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
    layer.set_weights([IMAGENET_MEAN, IMAGENET_STD, 0])
    kernel = model.get_layer("top_conv").get_weights()[0]
    model.save_weights(tmp_path / "published.h5")
    loaded = build_backbone("keras-efficientnet-b0", weights=str(tmp_path / "published.h5"), image_size=SIZE)
    np.testing.assert_allclose(scaling_of(loaded), (0.2 - IMAGENET_MEAN) / IMAGENET_STD, rtol=1e-4)
    np.testing.assert_array_equal(loaded.get_layer("top_conv").get_weights()[0], kernel)
    with pytest.raises(FoldlineError, match="do not fit efficientnet-lite0"):
        build_backbone("efficientnet-lite0", weights=str(tmp_path / "published.h5"), image_size=SIZE)


def test_a_failing_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(backbone, weights, image_size, channels):
        if weights:
            raise Exception("URL fetch failure on https://somewhere: None -- no network")
        return tf_keras.Sequential([tf_keras.Input((SIZE, SIZE, 3))])

    monkeypatch.setattr(backbones, "_build_package", fail)
    with pytest.raises(FoldlineError, match="give its path as the model's weights"):
        build_backbone("efficientnet-b0", weights="imagenet", image_size=SIZE)


def test_frozen_is_what_it_says(lite0: tf_keras.Model, copy: tf_keras.Model) -> None:
    def trained(model: tf_keras.Model, trainable: str) -> set[str]:
        freeze(model, trainable=trainable)
        return {layer.name for layer in model.layers if layer.trainable_weights}

    everything, upper = trained(lite0, "all"), trained(copy, "upper")
    assert "conv_stem" in everything
    assert upper == {
        name
        for name in everything
        if name in ("conv_head", "bn1") or (name.startswith("blocks_") and int(name.split("_")[1]) >= 5)
    } - {"blocks_5_expand_conv", "blocks_5_bn0"}
    assert trained(copy, "head") == set()
    with pytest.raises(FoldlineError, match="'some'"):
        freeze(copy, trainable="some")


FOUR = (*RGB, "yellow")


def stem_of(model: tf_keras.Model) -> np.ndarray:
    """Kernel of the first convolution, (h, w, channels, out)."""
    return next(value for value in model.get_weights() if value.ndim == 4)


def test_the_stem_of_four_channels_takes_imagenet_weights(lite0: tf_keras.Model, images: np.ndarray) -> None:
    """Row 17: yellow goes with ImageNet weights; red, green and blue keep theirs, yellow takes their mean."""
    model = build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE, channels=FOUR)
    rgb, four = stem_of(lite0), stem_of(model)
    np.testing.assert_allclose(four[:, :, :3], rgb * 3 / 4, rtol=1e-6)
    np.testing.assert_allclose(four[:, :, 3], rgb.mean(axis=2) * 3 / 4, rtol=1e-5, atol=1e-7)
    for one, other in zip(model.get_weights()[1:], lite0.get_weights()[1:], strict=True):
        np.testing.assert_array_equal(one, other)
    gray = images[..., :1]
    np.testing.assert_allclose(model(gray.repeat(4, 3)), lite0(gray.repeat(3, 3)), rtol=1e-3, atol=1e-4)
    assert np.abs(model(gray.repeat(4, 3)).numpy() - model(images[..., [0, 1, 2, 0]]).numpy()).max() > 0.1


def test_channels_go_by_their_names_and_others_by_the_mean(lite0: tf_keras.Model) -> None:
    channels = ("blue", "dapi", "red")
    kernel, rgb = (
        stem_of(build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE, channels=channels)),
        stem_of(lite0),
    )
    wanted = np.stack([rgb[:, :, 2], rgb.mean(axis=2), rgb[:, :, 0]], axis=2)
    np.testing.assert_allclose(kernel, wanted, rtol=1e-5, atol=1e-7)
    one = stem_of(build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE, channels=("dapi",)))
    np.testing.assert_allclose(one[:, :, 0], rgb.sum(axis=2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["efficientnet-b0", "keras-efficientnet-b0", "keras-efficientnetv2-b0"])
def test_every_family_scales_and_fits_four_channels(name: str, tmp_path: Path, images: np.ndarray) -> None:
    rgb = build_backbone(name, weights="none", image_size=SIZE)
    inside = next((layer for layer in rgb.layers if isinstance(layer, tf_keras.Model)), rgb)
    inside.save_weights(tmp_path / "published.h5")
    model = build_backbone(name, weights=str(tmp_path / "published.h5"), image_size=SIZE, channels=FOUR)
    mean, deviation = (np.append(values, values.mean()) for values in (IMAGENET_MEAN, IMAGENET_STD))
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Normalization))
    scaled = tf_keras.Model(model.input, layer.output)(np.full((1, SIZE, SIZE, 4), 51, np.uint8))[0, 0, 0]
    np.testing.assert_allclose(scaled, (0.2 - mean) / deviation, rtol=1e-4)
    kernel = stem_of(rgb)
    wanted = np.concatenate([kernel, kernel.mean(axis=2, keepdims=True)], axis=2) * 3 / 4
    np.testing.assert_allclose(stem_of(model), wanted, rtol=1e-5, atol=1e-7)
    rest = [[v for v in one.get_weights() if v.ndim and v.shape[-1] > 4] for one in (rgb, model)]
    assert len(rest[0]) > 100
    for one, other in zip(*(values[1:] for values in rest), strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.isfinite(model(images[..., [0, 1, 2, 0]])).all()


def test_the_larger_networks_of_the_second_version_keep_their_scaling() -> None:
    model = build_backbone("keras-efficientnetv2-s", weights="none", image_size=SIZE, channels=FOUR)
    layer = next(layer for layer in model.layers if isinstance(layer, tf_keras.layers.Rescaling))
    assert (layer.scale, layer.offset) == (1 / 128, -1)
    assert not any(isinstance(layer, tf_keras.layers.Normalization) for layer in model.layers)
