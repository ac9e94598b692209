"""Routing by agreement between fully connected capsules, without building the votes.

A vote is û_{j|i} = u_i W_ij. Routing uses votes in two places, and both are linear in them, so
the products with W can be done for a whole capsule j at once:

    s_j = sum_i c_ij u_i W_ij               one matrix product of (c_.j u) and W_j
    <û_{j|i}, v_j> = <u_i, W_ij v_j>        one of v_j and W_j^T, then a sum over atoms

The routing logits of an iteration are the agreement with the sum V_j of all activations so far.
Nothing but that sum ties input capsules together, so they are taken chunk by chunk: what a
chunk needs stays in the processor's cache, and memory does not grow with the layer.

The gradient is written by hand for the same reason. For one iteration, with the gradient g of
its preactivation s, the votes' own gradient has rank two,

    d/dû_{j|i} = c_ij g_j + l_ij V_j,       l_ij = c_ij (a_ij - sum_k c_ik a_ik),
                                            a_ij = <û_{j|i}, g_j>

(l is the gradient of the logits, through the softmax), so those of u, W and V are again sums and
agreements of the two kinds above. Derived here; `route_votes` differentiated by the backend is
what the tests compare with.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from layers import routing

Tensor = Any

CHUNK_BYTES = 4 << 20  # [out_capsules, batch, in_atoms, chunk] on a CPU: fastest of 1 to 16 MiB
GPU_CHUNK_BYTES = 1 << 30  # a GPU wants few large products
USUAL_BATCH = 128  # for a batch whose size is not known


class Chunks(NamedTuple):
    """Inputs and weights cut along the input capsules."""

    inputs: Tensor  # [chunks, batch, in_atoms, n]
    weights: Tensor  # [chunks, out_capsules, in_atoms * n, out_atoms]


def route(
    inputs: Tensor,
    weights: Tensor,
    biases: Tensor,
    iterations: int,
    leaky: bool = False,
    with_coupling: bool = True,
) -> routing.Routed:
    """Routing by agreement between two fully connected layers (paper Procedure 1).

    Gradients flow from `activation` through every iteration, as in the release, and once only
    (there are none of the second order); `coupling` and `routing_logits` are constants to them.

    Args:
      inputs: [batch, in_capsules, in_atoms] float tensor u.
      weights: [in_capsules, in_atoms, out_capsules * out_atoms] float tensor W, out_atoms
        fastest.
      biases: [out_capsules, out_atoms], added to every preactivation (release).
      iterations: how many times to route, at least 1.
      leaky: see `layers.coupling_coefficients`.
      with_coupling: whether couplings and routing logits are wanted; they are None otherwise.

    Returns:
      `Routed` with activation [batch, out_capsules, out_atoms].

    Raises:
      ValueError: if `iterations` is not a positive integer.
    """
    routing.check_iterations(iterations)
    in_capsules = weights.shape[0]
    out_capsules, out_atoms = biases.shape
    biases = ops.expand_dims(biases, 1)  # [out_capsules, 1, out_atoms]

    # First iteration: all couplings are equal, one product serves every output capsule.
    share = routing.uniform_coupling(out_capsules, leaky)
    flat_inputs = ops.reshape(inputs, (-1, in_capsules * weights.shape[1]))
    flat_weights = ops.reshape(weights, (-1, out_capsules * out_atoms))
    sums = ops.reshape(ops.matmul(flat_inputs, flat_weights), (-1, out_capsules, out_atoms))
    preactivation = ops.transpose(sums, (1, 0, 2)) * share + biases
    activation = routing.squash(preactivation)  # [out_capsules, batch, out_atoms]
    chunks = cut(inputs, weights, out_capsules)
    first_activation = activation
    if iterations > 1:
        activation = _make_iterations(iterations, leaky)(*chunks, biases, activation)
    activation = ops.transpose(activation, (1, 0, 2))  # [batch, out_capsules, out_atoms]
    if not with_coupling:
        return routing.Routed(activation, None, None)

    logits = ops.zeros_like(inputs[:, :, :1]) + ops.zeros((out_capsules,))
    if iterations > 1:
        u, w, bias, total = map(ops.stop_gradient, (*chunks, biases, first_activation))
        logits = _last_logits(u, w, bias, total, iterations, leaky)[:, :in_capsules]
    coupling = routing.coupling_coefficients(logits, leaky, axis=-1)  # over out_capsules
    return routing.Routed(activation, coupling, logits)


def cut(inputs: Tensor, weights: Tensor, out_capsules: int) -> Chunks:
    """Lays inputs and weights out by chunk of input capsules, the longest axis last.

    What is missing to a last full chunk is filled with zeros: such capsules vote for nothing.
    """
    in_capsules, in_atoms, _ = weights.shape
    count = count_chunks(inputs.shape, out_capsules)
    size = -(-in_capsules // count)
    if missing := count * size - in_capsules:
        inputs = ops.pad(inputs, [[0, 0], [0, missing], [0, 0]])
        weights = ops.pad(weights, [[0, missing], [0, 0], [0, 0]])
    inputs = ops.reshape(inputs, (-1, count, size, in_atoms))
    weights = ops.reshape(weights, (count, size, in_atoms, out_capsules, -1))
    weights = ops.transpose(weights, (0, 3, 2, 1, 4))  # [chunks, out, in_atoms, n, out_atoms]
    return Chunks(
        inputs=ops.transpose(inputs, (1, 0, 3, 2)),  # [chunks, batch, in_atoms, n]
        weights=ops.reshape(weights, (count, out_capsules, in_atoms * size, -1)),
    )


def count_chunks(inputs_shape: tuple, out_capsules: int) -> int:
    """Into how many chunks the [batch, in_capsules, in_atoms] inputs are cut."""
    batch, in_capsules, in_atoms = inputs_shape
    limit = GPU_CHUNK_BYTES if keras.distribution.list_devices('gpu') else CHUNK_BYTES
    column = 4 * (batch or USUAL_BATCH) * out_capsules * in_atoms
    return -(-in_capsules // max(1, limit // column))


class _Iterations(NamedTuple):
    """What the gradient needs of the iterations after the first, in their order."""

    preactivations: list[Tensor]  # [out_capsules, batch, out_atoms]
    totals: list[Tensor]  # sum of all activations before, [out_capsules, batch, out_atoms]
    couplings: list[Tensor]  # [chunks, out_capsules, batch, n]


def _iterate(
    inputs: Tensor, weights: Tensor, biases: Tensor, total: Tensor, iterations: int, leaky: bool
) -> _Iterations:
    """Iterations 2, 3, ... of Procedure 1, given the first one's activation as `total`."""
    done = _Iterations([], [], [])
    for iteration in range(1, iterations):

        def route_chunk(u, w, total=total):
            logits = _agreement(u, w, total)
            coupling = routing.coupling_coefficients(logits, leaky, axis=0)  # over out_capsules
            return ops.matmul(_coupled(coupling, u), w), coupling

        sums, coupling = _map(route_chunk, inputs, weights)
        preactivation = ops.sum(sums, axis=0) + biases  # [out_capsules, batch, out_atoms]
        done.preactivations.append(preactivation)
        done.totals.append(total)
        done.couplings.append(coupling)
        if iteration < iterations - 1:
            total = total + routing.squash(preactivation)
    return done


def _last_logits(
    inputs: Tensor, weights: Tensor, biases: Tensor, total: Tensor, iterations: int, leaky: bool
) -> Tensor:
    """Routing logits of the last iteration: [batch, in_capsules and fill, out_capsules]."""
    total = _iterate(inputs, weights, biases, total, iterations, leaky).totals[-1]
    logits = _map(lambda u, w: _agreement(u, w, total), inputs, weights)
    logits = ops.transpose(logits, (2, 0, 3, 1))  # [batch, chunks, n, out_capsules]
    return ops.reshape(logits, (-1, logits.shape[1] * logits.shape[2], logits.shape[3]))


def _make_iterations(iterations: int, leaky: bool) -> Callable[..., Tensor]:
    """`squash` of the last preactivation of `_iterate`, with its gradient by hand."""

    @ops.custom_gradient
    def route_on(inputs, weights, biases, first_activation):
        done = _iterate(inputs, weights, biases, first_activation, iterations, leaky)

        def gradient(*args, upstream=None):
            gradients = [0.0, 0.0, 0.0]  # of inputs, weights, biases
            grad_activation = args[-1] if upstream is None else upstream
            grad_total = 0.0  # of the sum that this iteration and all later ones agree with
            for preactivation, total, coupling in reversed(list(zip(*done, strict=True))):
                grad_sum = squash_gradient(preactivation, grad_activation)

                def chunk_gradient(u, w, c, grad_sum=grad_sum, total=total):
                    return _chunk_gradient(u, w, c, grad_sum, total)

                *found, towards_total = _map(chunk_gradient, inputs, weights, coupling)
                found.append(ops.sum(grad_sum, axis=1, keepdims=True))
                gradients = [old + new for old, new in zip(gradients, found, strict=True)]
                grad_total = grad_total + ops.sum(towards_total, axis=0)
                grad_activation = grad_total
            return *gradients, grad_total

        return routing.squash(done.preactivations[-1]), gradient

    return route_on


def _chunk_gradient(
    inputs: Tensor, weights: Tensor, coupling: Tensor, grad_sum: Tensor, total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of one chunk's inputs and weights and of `total`, as in the module's docstring."""
    pulled = _pull(inputs, weights, grad_sum)  # W_ij g_j
    grad_coupling = coupling * ops.sum(pulled * inputs, axis=2)  # [out_capsules, batch, n]
    grad_logits = grad_coupling - coupling * ops.sum(grad_coupling, axis=0, keepdims=True)
    grad_inputs = ops.sum(ops.expand_dims(coupling, 2) * pulled, axis=0)
    pulled = _pull(inputs, weights, total)  # W_ij V_j
    grad_inputs = grad_inputs + ops.sum(ops.expand_dims(grad_logits, 2) * pulled, axis=0)
    coupled, agreed = _coupled(coupling, inputs), _coupled(grad_logits, inputs)
    grad_weights = ops.einsum('jbk,jbo->jko', coupled, grad_sum)
    grad_weights = grad_weights + ops.einsum('jbk,jbo->jko', agreed, total)
    return grad_inputs, grad_weights, ops.matmul(agreed, weights)


def squash_gradient(preactivation: Tensor, upstream: Tensor) -> Tensor:
    """Gradient of `squash` along the last axis.

    With n = |s|, squash(s) = f s where f = n / (1 + n^2), and df/dn = (1 - n^2) / (1 + n^2)^2.
    """
    squared = ops.sum(ops.square(preactivation), axis=-1, keepdims=True)
    is_zero = ops.equal(squared, 0)
    norm = ops.sqrt(ops.where(is_zero, ops.ones_like(squared), squared))
    along = ops.sum(preactivation * upstream, axis=-1, keepdims=True)
    turned = (1 - squared) / (norm * ops.square(1 + squared)) * along
    found = norm / (1 + squared) * upstream + turned * preactivation
    return ops.where(is_zero, ops.zeros_like(found), found)


def _pull(inputs: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """W_ij v_j of [out_capsules, batch, out_atoms] vectors: [out_capsules, batch, in_atoms, n]."""
    pulled = ops.einsum('jbo,jko->jbk', vectors, weights)
    return ops.reshape(pulled, (weights.shape[0], -1, *inputs.shape[1:]))


def _agreement(inputs: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """<û_{j|i}, v_j>: [out_capsules, batch, n]."""
    return ops.sum(_pull(inputs, weights, vectors) * inputs, axis=2)


def _coupled(coupling: Tensor, inputs: Tensor) -> Tensor:
    """c_ij u_i: [out_capsules, batch, in_atoms * n]."""
    coupled = ops.expand_dims(coupling, 2) * inputs
    return ops.reshape(coupled, (coupling.shape[0], -1, inputs.shape[1] * inputs.shape[2]))


def _map(function: Callable, *chunked: Tensor) -> Any:
    """Calls the function with each chunk and stacks what it gives."""
    return ops.map(lambda parts: function(*parts), chunked)
