"""The optimizer of a training: Adam, with decoupled weight decay and a learning rate of its own for each block."""

from collections.abc import Iterable
from typing import Any

from foldline.models.layer_depths import depths_below_logits
from foldline.models.networks import flat_layers
from foldline.runtime.devices import Device
from foldline.runtime.precision import MIXED_FLOAT16, Precision
from foldline.runtime.tensorflow import tf, tf_keras
from foldline.training.training_config import TrainingConfig

# The average of the weights keeps (1 + t) / (10 + t) of itself in step t, from 0, while that is less than its decay (as
# in tf.train.ExponentialMovingAverage).
WARMUP_OFFSET = 10


class LayerwiseAdamW(tf_keras.optimizers.Adam):
    """Adam with weight decay that does not pass through its moments, and with a factor of the rate for each variable.

    Kingma and Ba 2015, Adam (arXiv 1412.6980); Loshchilov and Hutter 2019, Decoupled weight decay regularization (arXiv
    1711.05101). A step removes rate * factor * decay of a variable, then moves it by Adam with rate * factor.
    """

    def __init__(self, learning_rate: float, *, average_warms_up: bool, **options: Any) -> None:
        """As the optimizer of Keras.

        Args:
            learning_rate: the rate before `learning_rate` is assigned.
            average_warms_up: whether the average of the weights forgets faster in the first steps.
            **options: of the optimizer of Keras.
        """
        super().__init__(learning_rate, **options)
        self._average_warms_up = average_warms_up
        self._scales: dict[Any, tuple[float, float]] = {}

    def set_scales(self, scales: Iterable[tuple[tf.Variable, float, float]]) -> None:
        """Set variable, factor of the learning rate and weight decay of each variable; call it after `build`."""
        self._scales = {self._var_key(variable): (factor, decay) for variable, factor, decay in scales}

    @property
    def ema_momentum(self) -> Any:
        """Share of itself that the average of the weights keeps in this step."""
        if not self._average_warms_up:
            return self._ema_momentum
        steps = tf.cast(self.iterations, tf.float32)
        return tf.minimum(self._ema_momentum, (1 + steps) / (WARMUP_OFFSET + steps))

    @ema_momentum.setter
    def ema_momentum(self, momentum: float) -> None:
        self._ema_momentum = momentum

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Change a variable and its moments by its gradient."""
        key = self._var_key(variable)
        factor, decay = self._scales[key]
        rate = tf.cast(self.learning_rate, variable.dtype) * factor
        step = tf.cast(self.iterations + 1, variable.dtype)
        mean, square = self._momentums[self._index_dict[key]], self._velocities[self._index_dict[key]]
        mean.assign_add((gradient - mean) * (1 - self.beta_1))
        square.assign_add((tf.square(gradient) - square) * (1 - self.beta_2))
        correction = tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
        move = rate * correction * mean / (tf.sqrt(square) + self.epsilon)
        variable.assign_sub(move + rate * decay * variable if decay else move)


def make_optimizer(
    network: tf_keras.Model, config: TrainingConfig, precision: Precision, device: Device
) -> tf_keras.optimizers.Optimizer:
    """The optimizer of the trained variables.

    Args:
        network: the network, a model of `heads.build_model`.
        config: settings of the training: averaged weights if `ema_decay` is set, and what `optimizer` adds to Adam.
        precision: in float16 the loss is scaled.
        device: where to compute.
    """
    added = config.optimizer
    options = {} if config.ema_decay is None else {"use_ema": True, "ema_momentum": config.ema_decay}
    with device.strategy.scope():
        if (added.weight_decay, added.layer_decay, config.ema_warmup) == (0, 1, False):
            optimizer = tf_keras.optimizers.Adam(config.learning_rate, global_clipnorm=added.clip_norm, **options)
            optimizer.build(network.trainable_variables)
        else:
            optimizer = LayerwiseAdamW(
                config.learning_rate,
                average_warms_up=config.ema_warmup,
                global_clipnorm=added.clip_norm,
                **options,
            )
            optimizer.build(network.trainable_variables)
            optimizer.set_scales(_scales(network, added.weight_decay, added.layer_decay))
        if precision.name == MIXED_FLOAT16:
            # Small gradients would become 0 in 16 bits: the loss is multiplied by a factor that follows their size.
            optimizer = tf_keras.mixed_precision.LossScaleOptimizer(optimizer)
            optimizer.build(network.trainable_variables)
    return optimizer


def _scales(
    network: tf_keras.Model, weight_decay: float, layer_decay: float
) -> Iterable[tuple[tf.Variable, float, float]]:
    """Variable, factor of the learning rate and weight decay; biases and normalization do not decay."""
    depths = depths_below_logits(network)
    for layer in flat_layers(network):
        for variable in layer.trainable_variables:
            decays = len(variable.shape) > 1
            yield variable, layer_decay ** depths[layer.name], weight_decay if decays else 0.0
