"""Reconstruction as regularisation: masking and the decoder (paper Section 4.1)."""

from typing import Any

import keras
from keras import ops

from layers.capsule import check_positive

Tensor = Any

HIDDEN_UNITS = (512, 1024)  # paper Fig. 2


def mask_capsules(capsules: Tensor, targets: Tensor) -> Tensor:
    """Keeps the class capsule [batch, classes, atoms] of each target [batch], zeroes all others."""
    keep = ops.one_hot(targets, capsules.shape[1], dtype=capsules.dtype)  # [batch, classes]
    return capsules * keep[..., None]


@keras.saving.register_keras_serializable('capsnet')
class Decoder(keras.layers.Layer):
    """Draws the image of one class capsule: 512 ReLU -> 1024 ReLU -> pixels sigmoid.

    The last layer's units are pixels in channel-first order, as in the release, so that its
    weights can be exchanged; the image given back is channel-last.

    Args:
      height, width: of the image, in pixels.
      depth: channels of the image.

    Input shape:
      [batch, classes, atoms], masked with `mask_capsules`

    Output shape:
      [batch, height, width, depth], pixels in (0, 1)

    Example:
      >>> Decoder(28, 28, 1)(keras.ops.zeros((2, 10, 16))).shape
      TensorShape([2, 28, 28, 1])
    """

    def __init__(self, height: int, width: int, depth: int, **kwargs: Any):
        super().__init__(**kwargs)
        check_positive(height=height, width=width, depth=depth)
        self.height, self.width, self.depth = height, width, depth
        units = (*HIDDEN_UNITS, height * width * depth)
        activations = ('relu', 'relu', 'sigmoid')
        self.stages = [
            keras.layers.Dense(
                count,
                activation=activation,
                kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.1),  # release
                bias_initializer=keras.initializers.Constant(0.1),  # release
                dtype=self.dtype_policy,
                name=f'recons_{number}',  # the release's name in checkpoints
            )
            for number, (count, activation) in enumerate(zip(units, activations, strict=True), 1)
        ]

    def build(self, input_shape: tuple) -> None:
        size = input_shape[1] * input_shape[2]
        for stage in self.stages:
            stage.build((None, size))
            size = stage.units

    def call(self, masked: Tensor) -> Tensor:
        hidden = ops.reshape(masked, (-1, masked.shape[1] * masked.shape[2]))
        for stage in self.stages:
            hidden = stage(hidden)
        pixels = ops.reshape(hidden, (-1, self.depth, self.height, self.width))
        return ops.transpose(pixels, (0, 2, 3, 1))  # [batch, height, width, depth]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.height, self.width, self.depth)

    def get_config(self) -> dict[str, Any]:
        sizes = {'height': self.height, 'width': self.width, 'depth': self.depth}
        return {**super().get_config(), **sizes}
