"""Convolutional capsules: a kernel -> votes -> routing by agreement at every grid position."""

from typing import Any

import keras
from keras import ops

from layers import routing
from layers.capsule import check_axes, check_one_of, check_positive
from layers.fast import convolution

Tensor = Any


@keras.saving.register_keras_serializable('capsnet')
class ConvCapsule(keras.layers.Layer):
    """Convolutional capsules: votes by a shared kernel, routed at every grid position.

    Each input capsule is convolved with the same kernel to give its votes for all output
    capsules at a position; votes of all input capsules there are then routed (release). With
    one iteration the couplings are all 1/out_capsules and routing is a sum, so the primary
    capsules of the paper (Section 4) are `squash(conv(inputs) / out_capsules + biases)`.

    Args:
      out_capsules: number of capsule types at each output position.
      out_atoms: components of one output capsule.
      kernel_size: height and width of the kernel (9 in the paper).
      strides: step of the kernel (2 in the paper).
      padding: 'valid' or 'same', in either case.
      iterations: routing iterations (1 in the release: there is no routing between Conv1 and
        the primary capsules).
      leaky: whether routing is leaky (release), see `layers.routing`.
      method: how to convolve: 'direct', 'winograd' (`layers.fast.convolution`; equal to float
        rounding), or 'auto', the faster one for the shape and device.

    Input shape:
      [batch, height, width, in_capsules, in_atoms]

    Output shape:
      [batch, out_height, out_width, out_capsules, out_atoms]

    Raises:
      ValueError: if a size is not a positive integer, `padding` is unknown, or the input does
        not have five axes with known sizes, or is smaller than the kernel of a valid padding.

    Example:
      >>> grid = keras.random.normal((2, 20, 20, 1, 256))
      >>> ConvCapsule(32, 8)(grid).shape
      TensorShape([2, 6, 6, 32, 8])
    """

    _transformed: keras.Variable | None = None  # the kernel, for inference

    def __init__(
        self,
        out_capsules: int,
        out_atoms: int,
        kernel_size: int = 9,
        strides: int = 2,
        padding: str = 'valid',
        iterations: int = 1,
        leaky: bool = False,
        method: str = 'auto',
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_positive(out_capsules=out_capsules, out_atoms=out_atoms)
        check_positive(kernel_size=kernel_size, strides=strides)
        routing.check_iterations(iterations)
        if str(padding).lower() not in ('valid', 'same'):
            raise ValueError(f"padding must be 'valid' or 'same', got {padding!r}.")
        check_one_of(convolution.CONV_METHODS, method=method)
        self.out_capsules, self.out_atoms = out_capsules, out_atoms
        self.kernel_size, self.strides, self.padding = kernel_size, strides, padding.lower()
        self.iterations, self.leaky, self.method = iterations, leaky, method

    def build(self, input_shape: tuple) -> None:
        check_axes('ConvCapsule', input_shape, ('height', 'width', 'in_capsules', 'in_atoms'))
        least = self.kernel_size if self.padding == 'valid' else 1
        if min(input_shape[1:3]) < least:
            raise ValueError(
                f'ConvCapsule needs an input of at least {least}x{least}, got {tuple(input_shape)}.'
            )
        out_channels = self.out_capsules * self.out_atoms
        self.weight = self.add_weight(
            name='weights',
            shape=(self.kernel_size, self.kernel_size, input_shape[-1], out_channels),
            initializer=keras.initializers.TruncatedNormal(stddev=0.1),  # release
        )
        self.bias = self.add_weight(
            name='biases',
            shape=(self.out_capsules, self.out_atoms),
            initializer=keras.initializers.Constant(0.1),  # release
            autocast=False,  # added within routing
        )
        self._maps_shape = (None, *input_shape[1:3], input_shape[-1])

    def refresh_transform(self) -> None:
        """Transforms the kernel as it is now, once for many batches of inference.

        It is used in calls with `training=False` alone, and stands until the next call of this:
        call it again when weights have changed. Nothing is kept where it saves nothing: for a
        direct convolution, where it is too large, and with other backends than TensorFlow (JAX
        would take it for a constant of what it compiles).
        """
        if keras.backend.backend() != 'tensorflow' or not self._by_winograd(self._maps_shape):
            return
        kernel = ops.convert_to_tensor(self.weight)
        found = convolution.transform_kernel(self._maps_shape, kernel, self.strides, self.padding)
        if found is not None and self._transformed is not None:
            self._transformed.assign(found)
        elif found is not None:
            # Past the layer's own assignment: it is no weight, to be counted or saved.
            object.__setattr__(self, '_transformed', keras.Variable(found, trainable=False))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        is_kept = training is False and inputs.shape[1:3] == self._maps_shape[1:3]
        kept = self._transformed if is_kept else None
        if self.iterations == 1:
            # Equal couplings: the sum over input capsules moves in front of the convolution.
            maps = ops.sum(inputs, axis=-2)
            votes = self._convolve(maps, kept)  # [b, y, x, out_capsules, out_atoms]
            share = routing.uniform_coupling(self.out_capsules, self.leaky)
            activation = routing.squash(votes * share + self.bias)
            return ops.cast(activation, self.compute_dtype)
        height, width, in_capsules, in_atoms = inputs.shape[1:]
        maps = ops.transpose(inputs, (0, 3, 1, 2, 4))  # [b, in_capsules, height, width, in_atoms]
        maps = ops.reshape(maps, (-1, height, width, in_atoms))
        votes = self._convolve(maps, kept)  # [b * in_capsules, y, x, out_capsules, out_atoms]
        votes = ops.reshape(votes, (-1, in_capsules, *votes.shape[1:]))
        votes = ops.transpose(votes, (0, 2, 3, 1, 4, 5))  # [b, y, x, in, out, out_atoms]
        routed = routing.route_votes(votes, self.bias, self.iterations, self.leaky)
        return ops.cast(routed.activation, self.compute_dtype)

    def _convolve(self, maps: Tensor, kept: keras.Variable | None) -> Tensor:
        """[n, height, width, in_atoms] -> [n, y, x, out_capsules, out_atoms]."""
        if kept is not None or self._by_winograd(maps.shape):
            kernel = ops.convert_to_tensor(self.weight)
            transformed = None if kept is None else ops.convert_to_tensor(kept)
            maps = convolution.convolve(maps, kernel, self.strides, self.padding, transformed)
        else:
            maps = ops.conv(maps, self.weight, strides=self.strides, padding=self.padding)
        # Routing stays in the variables' precision under a mixed policy.
        maps = ops.cast(maps, self.variable_dtype)
        return ops.reshape(maps, (-1, *maps.shape[1:3], self.out_capsules, self.out_atoms))

    def _by_winograd(self, shape: tuple) -> bool:
        sizes = shape, self.weight.shape, self.strides, self.padding
        return convolution.is_chosen(self.method, self.compute_dtype, *sizes)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        kernel = self.kernel_size if self.padding == 'valid' else 1
        grid = ((size - kernel) // self.strides + 1 for size in input_shape[1:3])
        return (input_shape[0], *grid, self.out_capsules, self.out_atoms)

    def get_config(self) -> dict[str, Any]:
        sizes = ('out_capsules', 'out_atoms', 'kernel_size', 'strides', 'padding')
        names = (*sizes, 'iterations', 'leaky', 'method')
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def flatten_grid(capsules: Tensor) -> Tensor:
    """Lists the capsules of a grid type by type: index = type * H * W + y * W + x (release).

    [batch, height, width, types, atoms] -> [batch, types * height * width, atoms]
    """
    height, width, types, atoms = capsules.shape[1:]
    by_type = ops.transpose(capsules, (0, 3, 1, 2, 4))  # [batch, types, height, width, atoms]
    return ops.reshape(by_type, (-1, types * height * width, atoms))
