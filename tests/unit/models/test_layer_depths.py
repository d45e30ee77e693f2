"""Blocks are counted from the logits down."""

import pytest
from fixtures.settings import model_config
from fixtures.small_training import small_network
from foldline.dataset.input_spec import InputSpec
from foldline.dataset.metadata import Encoding
from foldline.models.layer_depths import depths_below_logits
from foldline.models.networks import build_network
from foldline.runtime.devices import use_device
from foldline.runtime.tensorflow import tf_keras


@pytest.mark.parametrize(
    ("backbone", "blocks", "expected"),
    [
        (
            "efficientnet-lite0",
            16,
            {"logits": 0, "pool": 1, "bn1": 1, "conv_head": 1, "blocks_15_bn2": 2, "blocks_0_bn1": 17, "conv_stem": 18},
        ),
        (
            "keras-efficientnet-b0",
            16,
            {"logits": 0, "top_conv": 1, "block7a_bn": 2, "block6d_se_reduce": 3, "block1a_bn": 17, "stem_conv": 18},
        ),
    ],
)
def test_depths_of_a_backbone(backbone: str, blocks: int, expected: dict[str, int]) -> None:
    config = model_config(backbone=backbone, image_size=32, hidden=[{"units": 3, "dropout": 0.1}])
    device = use_device("cpu", threads=1)
    network = build_network(
        config, InputSpec(32, Encoding(()), ()), weights="none", n_classes=2, device=device, trainable="all"
    )
    depths = depths_below_logits(network)
    assert {name: depths[name] for name in expected} == expected
    assert sorted(set(depths.values())) == list(range(blocks + 3))
    assert depths["hidden_0"] == depths["hidden_0_norm"] == 0


def test_a_backbone_without_blocks_has_depth_1_and_none_has_depth_0() -> None:
    depths = depths_below_logits(small_network())
    assert sorted(depths.values()) == [0, 0, 0, 1, 1, 1]
    inputs = tf_keras.Input((3,), name="metadata")
    assert set(depths_below_logits(tf_keras.Model(inputs, tf_keras.layers.Dense(1)(inputs))).values()) == {0}
