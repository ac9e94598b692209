"""Fully connected capsules: weights -> votes -> routing by agreement."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from layers import routing
from layers.fast import routing as fast_routing

Tensor = Any


@keras.saving.register_keras_serializable('capsnet')
class Capsule(keras.layers.Layer):
    """Fully connected capsules with routing by agreement (DigitCaps of the paper, Section 4).

    Every input capsule i has a matrix W_ij of its own for every output capsule j; its vote
    u_i W_ij is routed as in Procedure 1, with a bias added to each preactivation (release).

    Args:
      out_capsules: number of output capsules, one a class.
      out_atoms: components of one output capsule (16 in the paper).
      iterations: routing iterations (3 in the paper).
      leaky: whether routing is leaky (release), see `layers.routing`.
      method: how to route: 'fast' (`layers.fast.routing`: without votes), 'votes' (Procedure 1 as
        the paper writes it; equal to float rounding), another name in `layers.ROUTINGS`, or
        'auto', which is 'fast'.

    Input shape:
      [batch, in_capsules, in_atoms]

    Output shape:
      [batch, out_capsules, out_atoms]

    Raises:
      ValueError: if a size is not a positive integer, `method` is unknown, or the input does not
        have three axes with known sizes.

    Example:
      >>> primary = keras.random.normal((2, 1152, 8))
      >>> Capsule(10, 16)(primary).shape
      TensorShape([2, 10, 16])
    """

    def __init__(
        self,
        out_capsules: int,
        out_atoms: int,
        iterations: int = 3,
        leaky: bool = False,
        method: str = 'auto',
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_positive(out_capsules=out_capsules, out_atoms=out_atoms)
        routing.check_iterations(iterations)
        check_one_of(routing.ROUTINGS, method=method)
        self.out_capsules, self.out_atoms = out_capsules, out_atoms
        self.iterations, self.leaky, self.method = iterations, leaky, method

    def build(self, input_shape: tuple) -> None:
        check_axes('Capsule', input_shape, ('in_capsules', 'in_atoms'))
        self.weight = self.add_weight(
            name='weights',
            shape=(*input_shape[1:], self.out_capsules * self.out_atoms),
            initializer=keras.initializers.TruncatedNormal(stddev=0.1),  # release
        )
        self.bias = self.add_weight(
            name='biases',
            shape=(self.out_capsules, self.out_atoms),
            initializer=keras.initializers.Constant(0.1),  # release
        )

    def call(self, inputs: Tensor) -> Tensor:
        return self._route(inputs, self.iterations, with_coupling=False).activation

    def route(self, inputs: Tensor, iterations: int | None = None) -> routing.Routed:
        """Like calling the layer, with couplings and routing logits, after so many iterations."""
        return self._route(inputs, iterations or self.iterations, with_coupling=True)

    def _route(self, inputs: Tensor, iterations: int, with_coupling: bool) -> routing.Routed:
        weights, biases = ops.convert_to_tensor(self.weight), ops.convert_to_tensor(self.bias)
        route_votes = routing.ROUTINGS[self.method]
        if route_votes is None:
            return fast_routing.route(
                inputs, weights, biases, iterations, self.leaky, with_coupling
            )
        votes = ops.einsum('bia,iao->bio', inputs, weights)
        votes = ops.reshape(votes, (-1, weights.shape[0], self.out_capsules, self.out_atoms))
        return route_votes(votes, biases, iterations, self.leaky)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.out_capsules, self.out_atoms)

    def get_config(self) -> dict[str, Any]:
        names = ('out_capsules', 'out_atoms', 'iterations', 'leaky', 'method')
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable('capsnet')
class Length(keras.layers.Layer):
    """Length of each capsule: the probability that its entity is there (paper Sections 2 and 3).

    The gradient at an all-zero capsule is 0, see `layers.capsule_lengths`.

    Input shape:
      [..., capsules, atoms]

    Output shape:
      [..., capsules]

    Example:
      >>> float(Length()(keras.ops.array([[3.0, 4.0]]))[0])
      5.0
    """

    def call(self, capsules: Tensor) -> Tensor:
        return ops.cast(routing.capsule_lengths(capsules), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape[:-1])


def check_positive(**sizes: int) -> None:
    """Raises ValueError naming the first size that is no positive integer."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f'{name} must be a whole number >= 1, got {size!r}.')


def check_one_of(choices: Iterable[str], **values: str) -> None:
    """Raises ValueError naming the first value that is none of the choices."""
    for name, value in values.items():
        if value not in choices:
            raise ValueError(f'{name} must be one of {", ".join(choices)}, got {value!r}.')


def check_axes(layer: str, shape: tuple, axes: tuple[str, ...]) -> None:
    """Raises ValueError unless a shape is [batch, *axes] with known sizes."""
    if len(shape) != len(axes) + 1 or None in shape[1:]:
        wanted = ', '.join(('batch', *axes))
        raise ValueError(f'{layer} needs an input of known shape [{wanted}], got {tuple(shape)}.')
