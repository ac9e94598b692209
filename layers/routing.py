"""Squash, coupling coefficients and routing by agreement, as pure functions.

Notation follows "Dynamic Routing Between Capsules" (arXiv:1710.09829): votes are the
prediction vectors û_{j|i} of Eq. 2, coupling is c_ij of Eq. 3, activation is v_j of Eq. 1.
`in_capsules` counts the capsules i of the layer below, `out_capsules` the capsules j of the
layer above, and atoms (the components of one capsule) are always the last axis.

Routing comes in two forms that give the same numbers. `route_votes` is Procedure 1 written
down; it needs every vote in memory. `layers.route` (layers/fast/routing.py) is what fully connected
capsules use unless they are told another: it never builds the votes.

To try another way of routing, write it as a function beside `route_votes` and name it in
`ROUTINGS`: `Capsule(..., method=NAME)` and `--hparams_override=routing_method=NAME` then use it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

Tensor = Any  # whatever the Keras backend computes with


class Routed(NamedTuple):
    """What routing found. `coupling` and `routing_logits` are those of the last iteration."""

    activation: Tensor  # [..., out_capsules, out_atoms]
    coupling: Tensor | None  # [..., in_capsules, out_capsules]
    routing_logits: Tensor | None  # [..., in_capsules, out_capsules]


def squash(preactivation: Tensor, axis: int = -1) -> Tensor:
    """Shrinks vectors to a length in [0, 1) without turning them (paper Eq. 1).

    `squash(s) = |s|^2 / (1 + |s|^2) * s / |s|`, computed as `s * |s| / (1 + |s|^2)`: the
    release divides by |s| and is NaN at s = 0, this is 0 there and so is its gradient.

    Args:
      preactivation: float tensor of any shape; the result has the same.
      axis: the axis that holds the atoms of one capsule.
    """
    squared_norm = ops.sum(ops.square(preactivation), axis=axis, keepdims=True)
    is_zero = ops.equal(squared_norm, 0)
    # The root's gradient at 0 is infinite and 0 * inf is NaN: keep the root away from 0.
    norm = ops.sqrt(ops.where(is_zero, ops.ones_like(squared_norm), squared_norm))
    scale = ops.where(is_zero, ops.zeros_like(norm), norm / (1 + squared_norm))
    return preactivation * scale


def capsule_lengths(capsules: Tensor) -> Tensor:
    """Lengths ‖v_j‖, how sure a capsule is that its entity is there (paper Section 2).

    [..., atoms] -> [...] in float32 or wider; 1e-15 in place of 0.
    """
    capsules = ops.cast(capsules, keras.backend.result_type(capsules.dtype, 'float32'))
    squared = ops.sum(ops.square(capsules), axis=-1)
    # The root's gradient at 0 is infinite: an all-zero capsule must not spoil the step.
    return ops.sqrt(ops.maximum(squared, 1e-30))


def coupling_coefficients(routing_logits: Tensor, leaky: bool = False, axis: int = -1) -> Tensor:
    """Softmax of the routing logits over the output capsules (paper Eq. 3).

    Every input capsule deals out one whole unit among the capsules above it, so couplings
    sum to 1 over `axis`. Leaky routing (release) adds a zero logit beside the output capsules
    and drops its share: an input capsule that fits nowhere may leave the sum below 1.

    Args:
      routing_logits: [..., in_capsules, out_capsules] float tensor b_ij (for axis=-1).
      leaky: whether to add the zero logit.
      axis: the axis of the *output* capsules.
    """
    # Spelled out: four times as fast as the library's softmax along a first axis (CPU).
    highest = ops.max(routing_logits, axis=axis, keepdims=True)
    if leaky:
        highest = ops.maximum(highest, 0.0)
    highest = ops.stop_gradient(highest)  # it cancels
    weight = ops.exp(routing_logits - highest)
    total = ops.sum(weight, axis=axis, keepdims=True)
    if leaky:
        total = total + ops.exp(-highest)
    return weight / total


def uniform_coupling(out_capsules: int, leaky: bool = False) -> float:
    """The coupling of every pair while all routing logits are zero."""
    return 1.0 / (out_capsules + 1 if leaky else out_capsules)


def route_votes(votes: Tensor, biases: Tensor, iterations: int, leaky: bool = False) -> Routed:
    """Routing by agreement over materialised votes (paper Procedure 1).

    Gradients flow through every iteration, as in the release.

    Args:
      votes: [..., in_capsules, out_capsules, out_atoms] float tensor.
      biases: [out_capsules, out_atoms], added to the preactivation in every iteration
        (release; the paper has none).
      iterations: how many times to route, at least 1.
      leaky: see `coupling_coefficients`.

    Raises:
      ValueError: if `iterations` is not a positive integer.
    """
    check_iterations(iterations)
    routing_logits = ops.zeros_like(votes[..., 0])  # [..., in_capsules, out_capsules]
    for iteration in range(iterations):
        coupling = coupling_coefficients(routing_logits, leaky, axis=-1)  # over out_capsules
        preactivation = ops.sum(coupling[..., None] * votes, axis=-3) + biases  # sum over i
        activation = squash(preactivation)  # [..., out_capsules, out_atoms]
        if iteration < iterations - 1:
            # <û_{j|i}, v_j> for every pair: [..., in_capsules, out_capsules]
            agreement = ops.sum(votes * ops.expand_dims(activation, -3), axis=-1)
            routing_logits = routing_logits + agreement
    return Routed(activation, coupling, routing_logits)


# Ways of routing by name, each with the arguments and result of `route_votes` (one that has no
# couplings or logits gives None in their place). None is the fast form, which takes no votes.
ROUTINGS: dict[str, Callable[[Tensor, Tensor, int, bool], Routed] | None] = {
    'auto': None,
    'fast': None,
    'votes': route_votes,
}


def check_iterations(iterations: int) -> None:
    """Raises ValueError unless `iterations` is a positive integer."""
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
        raise ValueError(f'Routing needs a whole number of iterations >= 1, got {iterations!r}.')
