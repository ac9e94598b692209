"""The convolutional baselines that CapsNet is compared with."""

from typing import Any

import keras
import tensorflow as tf

from layers.fast.convolution import convolve, is_chosen
from models.hparams import HParams
from models.model import Features, Inferred, Model

DROPOUT_RATE = 0.5  # the paper gives none; Srivastava et al. (2014) use 0.5 for hidden layers


class ConvModel(Model):
    """5x5 convolutions and fully connected layers that end in one logit a class."""

    channels: tuple[int, ...]  # of each convolution
    units: tuple[int, ...]  # of each fully connected layer before the logits
    pools = False  # by 2 after each convolution
    padding: str | None = None  # in place of the hyper-parameter

    def __init__(self, hparams: HParams, info: Any, seed: int = 0, **kwargs: Any):
        super().__init__(hparams, info, seed, **kwargs)
        self.softmax_layer = keras.layers.Dense(
            info.num_classes, dtype='float32', name='softmax_layer', **_initializers(0.1)
        )
        convolution = {'padding': (self.padding or hparams.padding).lower(), 'activation': 'relu'}
        methods = ('direct', *[hparams.conv_method] * (len(self.channels) - 1))
        self.convolutions = [
            _Convolution(method, count, 5, name=f'conv{n}', **convolution, **_initializers(0.05))
            for n, (method, count) in enumerate(zip(methods, self.channels, strict=True), 1)
        ]
        self.pool = keras.layers.MaxPooling2D(2, strides=2, padding='same') if self.pools else None
        self.fully_connected = [
            keras.layers.Dense(count, activation='relu', name=f'fc{n}', **_initializers(0.1))
            for n, count in enumerate(self.units, 1)
        ]

    def build(self, input_shape: tuple | None = None) -> None:
        shape = (None, self.info.height, self.info.width, self.info.depth)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            if min(shape[1:3]) < 1:
                raise ValueError(
                    f'{convolution.name} needs a larger image than '
                    f'{self.info.height}x{self.info.width}'
                )
            if self.pool is not None:
                shape = self.pool.compute_output_shape(shape)
        size = shape[1] * shape[2] * shape[3]
        for dense in (*self.fully_connected, self.softmax_layer):
            dense.build((None, size))
            size = dense.units

    def call(self, features: Features, training: bool = False) -> Inferred:
        maps = features['images']
        for convolution in self.convolutions:
            maps = convolution(maps)
            maps = maps if self.pool is None else self.pool(maps)
        channel_first = tf.transpose(maps, [0, 3, 1, 2])  # the order the release flattens in
        hidden = tf.reshape(channel_first, [-1, maps.shape[1] * maps.shape[2] * maps.shape[3]])
        for dense in self.fully_connected:
            hidden = dense(hidden)
        if training:
            hidden = self.drop(hidden)
        return Inferred(tf.cast(self.softmax_layer(hidden), tf.float32), None)

    def drop(self, hidden: tf.Tensor) -> tf.Tensor:
        """What happens in training before the last layer: nothing, unless a subclass says so."""
        return hidden

    def released_variables(self) -> dict[str, keras.Variable]:
        variables = {}
        for layer in (*self.convolutions, *self.fully_connected, self.softmax_layer):
            variables[f'{layer.name}/weights'] = layer.kernel
            variables[f'{layer.name}/biases'] = layer.bias
        return variables


class _Convolution(keras.layers.Conv2D):
    """Keras' own with a stride of 1, by values at points where these are faster."""

    def __init__(self, method: str, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.method = method

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        sizes = inputs.shape, kernel.shape, 1, self.padding
        if not is_chosen(self.method, self.compute_dtype, *sizes):
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, tf.convert_to_tensor(kernel), 1, self.padding)


class BaselineModel(ConvModel):
    """The release's baseline: two 5x5 convolutions, each pooled by 2, and 1,024 units."""

    channels, units, pools = (512, 256), (1024,), True


class PaperBaselineModel(ConvModel):
    """The baseline of paper Section 5: 256, 256, 128 channels, then 328 and 192 units.

    35.4 million parameters on 28x28 images as in the paper, which holds for SAME padding only:
    the `padding` hyper-parameter has no say here.
    """

    channels, units, padding = (256, 256, 128), (328, 192), 'SAME'

    def drop(self, hidden: tf.Tensor) -> tf.Tensor:
        # A function of the step, so that a resumed run drops the same units.
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.fold_in([self.seed, self.step], replica)
        return tf.nn.experimental.stateless_dropout(hidden, rate=DROPOUT_RATE, seed=seed)


def _initializers(stddev: float) -> dict[str, keras.initializers.Initializer]:
    """Those of the release."""
    return {
        'kernel_initializer': keras.initializers.TruncatedNormal(stddev=stddev),
        'bias_initializer': keras.initializers.Constant(0.1),
    }
