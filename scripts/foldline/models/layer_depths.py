"""How deep each layer of a network lies below its logits, counted in blocks of the backbone."""

import re

from foldline.models.networks import backbone_layers, flat_layers
from foldline.runtime.tensorflow import tf_keras

# Names of layers in a block: blocks_3_bn1 (Lite), block2a_expand_conv (Keras and the efficientnet package).
BLOCK = re.compile(r"blocks?_?(\d+[a-z]?)_")


def depths_below_logits(network: tf_keras.Model) -> dict[str, int]:
    """Depth of each layer by its name.

    0 is the head (all that is no backbone), 1 what follows the last block of the backbone, 2 the last block, and so on
    down to what comes before the first block. A backbone without blocks is one of depth 1.

    Args:
        network: a network of `heads.build_model`.
    """
    heights, height, block = dict[str, int](), 0, ""
    top = None
    for layer in backbone_layers(network):
        found = BLOCK.search(layer.name)
        name = found[1] if found else ""
        if name != block and (name or block):
            height += 1
        block = name
        heights[layer.name] = height
        top = height
    if top is None:
        return dict.fromkeys((layer.name for layer in flat_layers(network)), 0)
    return {layer.name: top - heights[layer.name] + 1 if layer.name in heights else 0 for layer in flat_layers(network)}
