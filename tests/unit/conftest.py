"""What all unit tests share."""

import sys
from collections.abc import Iterator

import pytest

SEED = 333


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Draw the same networks in every test, whichever tests ran before; tests without TensorFlow do not import it."""
    if (keras := sys.modules.get("tf_keras")) is not None:
        keras.utils.set_random_seed(SEED)


@pytest.fixture(scope="module")
def short_lite0() -> Iterator[None]:
    """Make EfficientNet-Lite0 of 7 blocks in place of 16, half as wide: every kind of layer, but built in less time."""
    from foldline.models import lite0

    counts = (1, 2, 1, 1, 0, 1, 1)
    groups = zip(lite0.BLOCK_GROUPS, counts, strict=True)
    short = tuple(group._replace(blocks=blocks, channels=group.channels // 2) for group, blocks in groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lite0, "BLOCK_GROUPS", short)
        yield
