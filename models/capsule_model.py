"""CapsNet: Conv1 -> PrimaryCapsules -> ClassCapsules -> lengths, and the decoder."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

import layers
from models.hparams import HParams
from models.model import Features, Inferred, Model

CONV1_CHANNELS = 256  # paper Section 4
KERNEL_SIZE = 9  # of both convolutions, paper Section 4
PRIMARY_ATOMS = 8  # paper Section 4
CLASS_ATOMS = 16  # paper Section 4


class CapsuleModel(Model):
    """The network of paper Section 4; see `models.model.Model` for the arguments."""

    score_name = 'length'

    def __init__(self, hparams: HParams, info: Any, seed: int = 0, **kwargs: Any):
        super().__init__(hparams, info, seed, **kwargs)
        self.conv1 = keras.layers.Conv2D(
            CONV1_CHANNELS,
            KERNEL_SIZE,
            strides=hparams.stride,
            padding=hparams.padding.lower(),
            activation='relu',
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.05),  # release
            bias_initializer=keras.initializers.Constant(0.1),  # release
            name='conv1',
        )
        self.primary_capsules = layers.ConvCapsule(
            hparams.num_prime_capsules,
            PRIMARY_ATOMS,
            kernel_size=KERNEL_SIZE,
            strides=2,
            padding=hparams.padding,
            leaky=hparams.leaky,
            method=hparams.conv_method,
            name='conv_capsule1',
        )
        # Routing sums a thousand small votes: float32 whatever the policy of the rest.
        self.class_capsules = layers.Capsule(
            info.num_classes,
            CLASS_ATOMS,
            iterations=hparams.routing,
            leaky=hparams.leaky,
            method=hparams.routing_method,
            dtype='float32',
            name='capsule2',
        )
        if hparams.remake:
            self.decoder = layers.Decoder(info.height, info.width, info.depth, name='recons')

    def build(self, input_shape: tuple | None = None) -> None:
        image = (None, self.info.height, self.info.width, self.info.depth)
        self.conv1.build(image)
        *maps, channels = self.conv1.compute_output_shape(image)
        grid = (*maps, 1, channels)  # one input capsule of all channels
        self.primary_capsules.build(grid)
        _, height, width, types, atoms = self.primary_capsules.compute_output_shape(grid)
        self.class_capsules.build((None, types * height * width, atoms))
        if self.decoder is not None:
            self.decoder.build((None, self.info.num_classes, CLASS_ATOMS))

    def refresh(self) -> None:
        self.primary_capsules.refresh_transform()

    def call(self, features: Features, training: bool = False) -> Inferred:
        primary = self.primary(features['images'], training)
        capsules = self.class_capsules(primary)  # [batch, classes, atoms]
        reconstructions = None
        if self.decoder is not None:
            reconstructions = self.reconstruct(capsules, features['target_labels'])
        return Inferred(self.scores(capsules), reconstructions)

    def primary(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[batch, height, width, depth] images -> [batch, primary capsules, 8] float32."""
        maps = ops.expand_dims(self.conv1(images), 3)  # [batch, y, x, 1, 256]
        grid = self.primary_capsules(maps, training=training)  # [batch, y, x, types, 8]
        return ops.cast(layers.flatten_grid(grid), 'float32')

    def route(self, images: tf.Tensor, iterations: int | None = None) -> layers.Routed:
        return self.class_capsules.route(self.primary(images), iterations)

    def released_variables(self) -> dict[str, keras.Variable]:
        variables = {
            'conv1/weights': self.conv1.kernel,
            'conv1/biases': self.conv1.bias,
            'conv_capsule1/weights': self.primary_capsules.weight,
            'conv_capsule1/biases': self.primary_capsules.bias,
            'capsule2/weights': self.class_capsules.weight,
            'capsule2/biases': self.class_capsules.bias,
        }
        for stage in self.decoder.stages if self.decoder is not None else ():
            variables[f'recons/{stage.name}/weights'] = stage.kernel
            variables[f'recons/{stage.name}/biases'] = stage.bias
        return variables

    def released_shape(self, name: str) -> tuple[int, ...]:
        shape = super().released_shape(name)
        # The release kept these for channel-first maps, with axes to stretch over the grid.
        return (*shape, 1, 1) if name == 'conv_capsule1/biases' else shape
