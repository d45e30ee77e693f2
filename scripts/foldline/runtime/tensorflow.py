"""TensorFlow and its Keras, imported in the one way that this project uses; all other modules import them from here.

The Keras is `tf_keras`, by name: it trains faster on CPU than Keras 3, and it works on TPUs, where Keras 3 fails. The
switch must be set before TensorFlow is first imported: it keeps TensorFlow from importing Keras 3 on its own, which
costs 3 s of CPU in every job (measured: 8.4 s of imports against 5.6 s).
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tf_keras

# Dropout draws from generators whose states are variables, so that a training can go on from a checkpoint exactly. By
# itself it draws from kernels whose states nobody can read.
tf_keras.backend.experimental.enable_tf_random_generator()

__all__ = ["tf", "tf_keras"]
