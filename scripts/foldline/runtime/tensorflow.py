"""TensorFlow and its Keras, imported in the one way that this project uses; all other modules import them from here.

The Keras is `tf_keras`, by name: it trains faster on CPU than Keras 3, and it works on TPUs, where Keras 3 fails. The
switch must be set before TensorFlow is first imported: it keeps TensorFlow from importing Keras 3 on its own, which
costs 3 s of CPU in every job (measured: 8.4 s of imports against 5.6 s).

Set the environment variable `TF_CPP_MIN_LOG_LEVEL=0` to see all messages of TensorFlow.
"""

import gc
import os
from contextlib import nullcontext

from foldline.runtime.native_messages import HARMLESS, WITHOUT_ACCELERATOR, filtered_messages, has_accelerator

os.environ["TF_USE_LEGACY_KERAS"] = "1"
# 2 shows errors, 3 shows none: where there is no accelerator, TensorFlow reports its absence as an error.
_LEVEL, _NOISE = ("2", HARMLESS) if has_accelerator() else ("3", HARMLESS + WITHOUT_ACCELERATOR)
_ALL = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", _LEVEL) == "0"

# The objects of these modules live as long as the process. Not searching them for garbage, neither now nor when the
# process ends, saves 1.2 s of CPU in every job (measured: 3.2 s for imports and exit against 2.0 s).
_COLLECTING = gc.isenabled()
gc.disable()
with nullcontext() if _ALL else filtered_messages(_NOISE):
    import tensorflow as tf
    import tf_keras
gc.freeze()
if _COLLECTING:
    gc.enable()

# Dropout draws from generators whose states are variables, so that a checkpoint restores them exactly. By default it
# draws from kernels whose states cannot be read.
tf_keras.backend.experimental.enable_tf_random_generator()

__all__ = ["tf", "tf_keras"]
