"""The convolutional baselines that CapsNet is compared with."""

from typing import Any

import keras
import tensorflow as tf

from models.hparams import HParams
from models.model import Features, ImageInfo, Inferred, Model

DROPOUT_RATE = 0.5  # the paper gives none; Srivastava et al. (2014) use 0.5 for hidden layers


class ConvModel(Model):
    """A stack of convolutions and fully connected layers that ends in one logit a class."""

    def __init__(self, hparams: HParams, info: ImageInfo, seed: int = 0, **kwargs: Any):
        super().__init__(hparams, info, seed, **kwargs)
        self.convolutions: list[keras.layers.Conv2D] = []
        self.pool: keras.layers.MaxPooling2D | None = None  # after each convolution
        self.fully_connected: list[keras.layers.Dense] = []
        self.softmax_layer = keras.layers.Dense(
            info.num_classes, dtype='float32', name='softmax_layer', **_initializers(0.1)
        )

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


class BaselineModel(ConvModel):
    """The release's baseline: two 5x5 convolutions, each pooled by 2, and 1,024 units."""

    def __init__(self, hparams: HParams, info: ImageInfo, seed: int = 0, **kwargs: Any):
        super().__init__(hparams, info, seed, **kwargs)
        self.convolutions = [
            _convolution(f'conv{number}', channels, hparams.padding)
            for number, channels in enumerate((512, 256), 1)
        ]
        self.pool = keras.layers.MaxPooling2D(2, strides=2, padding='same')
        self.fully_connected = [_dense('fc1', 1024)]


class PaperBaselineModel(ConvModel):
    """The baseline of paper Section 5: 256, 256, 128 channels, then 328 and 192 units.

    35.4 million parameters on 28x28 images as in the paper, which holds for SAME padding only:
    the `padding` hyper-parameter has no say here.
    """

    def __init__(self, hparams: HParams, info: ImageInfo, seed: int = 0, **kwargs: Any):
        super().__init__(hparams, info, seed, **kwargs)
        self.convolutions = [
            _convolution(f'conv{number}', channels, 'SAME')
            for number, channels in enumerate((256, 256, 128), 1)
        ]
        self.fully_connected = [_dense('fc1', 328), _dense('fc2', 192)]

    def drop(self, hidden: tf.Tensor) -> tf.Tensor:
        # A function of the step, so that a resumed run drops the same units.
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.fold_in([self.seed, self.step], replica)
        return tf.nn.experimental.stateless_dropout(hidden, rate=DROPOUT_RATE, seed=seed)


def _convolution(name: str, channels: int, padding: str) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels,
        5,
        padding=padding.lower(),
        activation='relu',
        name=name,
        **_initializers(0.05),
    )


def _dense(name: str, units: int) -> keras.layers.Dense:
    return keras.layers.Dense(units, activation='relu', name=name, **_initializers(0.1))


def _initializers(stddev: float) -> dict[str, keras.initializers.Initializer]:
    """Those of the release."""
    return {
        'kernel_initializer': keras.initializers.TruncatedNormal(stddev=stddev),
        'bias_initializer': keras.initializers.Constant(0.1),
    }
