"""What all unit tests share."""

import sys

import pytest

SEED = 333


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Draw the same networks in every test, whichever tests ran before; tests without TensorFlow do not import it."""
    if (keras := sys.modules.get("tf_keras")) is not None:
        keras.utils.set_random_seed(SEED)
