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
from typing import Any

from keras import ops

from layers import routing
from layers.fast import devices, fusion, gradients

Tensor = Any

CHUNK_BYTES = 4 << 20  # [out_capsules, batch, in_atoms, chunk] on a CPU: fastest of 1 to 16 MiB
GPU_CHUNK_BYTES = 1 << 30  # a GPU wants few large products (measured, H200: benchmarks/README.md)
LINE = 16  # float32 numbers of a cache line, and of the widest registers
USUAL_BATCH = 128  # for a batch whose size is not known


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
    activation, total = _iterate(chunks, biases, activation, iterations, leaky)
    activation = ops.transpose(activation, (1, 0, 2))  # [batch, out_capsules, out_atoms]
    if not with_coupling:
        return routing.Routed(activation, None, None)

    logits = ops.zeros_like(ops.repeat(inputs[:, :, :1], out_capsules, axis=2))
    if iterations > 1:
        u, w, total = map(ops.stop_gradient, (*chunks, total))
        logits = _measure_logits(u, w, total)[:, :in_capsules]
    coupling = routing.coupling_coefficients(logits, leaky, axis=-1)  # over out_capsules
    return routing.Routed(activation, coupling, logits)


def cut(inputs: Tensor, weights: Tensor, out_capsules: int) -> tuple[Tensor, Tensor]:
    """Lays inputs and weights out by chunk of input capsules, the longest axis last.

    [chunks, batch, in_atoms, n], [chunks, out_capsules, in_atoms * n, out_atoms]. What is missing
    to a last full chunk is filled with zeros: such capsules vote for nothing.
    """
    in_capsules, in_atoms, _ = weights.shape
    size = choose_chunk(inputs.shape, out_capsules)
    count = -(-in_capsules // size)
    if missing := count * size - in_capsules:
        inputs = ops.pad(inputs, [[0, 0], [0, missing], [0, 0]])
        weights = ops.pad(weights, [[0, missing], [0, 0], [0, 0]])
    inputs = ops.reshape(inputs, (-1, count, size, in_atoms))
    weights = ops.reshape(weights, (count, size, in_atoms, out_capsules, -1))
    weights = ops.transpose(weights, (0, 3, 2, 1, 4))  # [chunks, out, in_atoms, n, out_atoms]
    weights = ops.reshape(weights, (count, out_capsules, in_atoms * size, -1))
    inputs = ops.transpose(inputs, (1, 0, 3, 2))  # [chunks, batch, in_atoms, n]
    return inputs, weights


def choose_chunk(inputs_shape: tuple, out_capsules: int) -> int:
    """How many of the capsules of [batch, in_capsules, in_atoms] inputs are taken at a time."""
    batch, in_capsules, in_atoms = inputs_shape
    limit = GPU_CHUNK_BYTES if devices.has_gpu() else CHUNK_BYTES
    column = 4 * (batch or USUAL_BATCH) * out_capsules * in_atoms
    largest = max(1, limit // column)
    if in_capsules <= largest:
        return in_capsules
    multiple = LINE if largest >= LINE else 1
    count = -(-in_capsules // (largest - largest % multiple))
    return -(-in_capsules // (count * multiple)) * multiple  # as equal as whole lines allow


def _measure_logits(inputs: Tensor, weights: Tensor, total: Tensor) -> Tensor:
    """Agreement with all activations so far: [batch, in_capsules and fill, out_capsules]."""
    logits = _map(lambda u, w: _agreement(u, w, total), inputs, weights)
    logits = ops.transpose(logits, (2, 0, 3, 1))  # [batch, chunks, n, out_capsules]
    return ops.reshape(logits, (-1, logits.shape[1] * logits.shape[2], logits.shape[3]))


def _iterate(
    chunks: tuple[Tensor, Tensor], biases: Tensor, total: Tensor, iterations: int, leaky: bool
) -> tuple[Tensor, Tensor]:
    """Iterations 2, 3, ... of Procedure 1: the last activation, the sum of all those before it."""
    route_on = _make_iteration(leaky)
    activation = total
    for iteration in range(1, iterations):
        total = total if iteration == 1 else total + activation
        activation = routing.squash(route_on(*chunks, total) + biases)
    return activation, total


def _make_iteration(leaky: bool) -> Callable[..., Tensor]:
    """Inputs, weights and sum of activations -> sum_i c_ij u_i W_ij, with its gradient by hand."""

    @gradients.by_hand
    def route_on(inputs, weights, total):
        sums, couplings = _route_chunks(inputs, weights, total, leaky=leaky)

        def gradient(grad_sum):
            return _chunk_gradients(inputs, weights, couplings, grad_sum, total)

        return sums, gradient

    return route_on


@fusion.trace_once
def _route_chunks(
    inputs: Tensor, weights: Tensor, total: Tensor, leaky: bool
) -> tuple[Tensor, Tensor]:
    """sum_i c_ij u_i W_ij, and c_ij [chunks, out_capsules, batch, n]."""

    def route_chunk(u, w):
        coupled, coupling = _couple(u, _pull(u, w, total), leaky=leaky)
        return ops.matmul(_flatten_atoms(coupled), w), coupling

    sums, couplings = _map(route_chunk, inputs, weights)
    return ops.sum(sums, axis=0), couplings


@fusion.trace_once
def _chunk_gradients(
    inputs: Tensor, weights: Tensor, couplings: Tensor, grad_sum: Tensor, total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`_chunk_gradient` of all chunks."""
    of_inputs, of_weights, of_total = _map(
        lambda u, w, c: _chunk_gradient(u, w, c, grad_sum, total), inputs, weights, couplings
    )
    return of_inputs, of_weights, ops.sum(of_total, axis=0)


def _chunk_gradient(
    inputs: Tensor, weights: Tensor, coupling: Tensor, grad_sum: Tensor, total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of one chunk's inputs and weights and of `total`, as in the module's docstring."""
    pulled = _pull(inputs, weights, grad_sum), _pull(inputs, weights, total)
    grad_inputs, *products = _couple_gradient(inputs, coupling, *pulled)
    coupled, agreed = map(_flatten_atoms, products)
    grad_weights = ops.einsum('jbk,jbo->jko', coupled, grad_sum)
    grad_weights = grad_weights + ops.einsum('jbk,jbo->jko', agreed, total)
    return grad_inputs, grad_weights, ops.matmul(agreed, weights)


@fusion.fuse
def _couple(inputs: Tensor, pulled: Tensor, leaky: bool) -> tuple[Tensor, Tensor]:
    """From W_ij V_j, c_ij u_i [out_capsules, batch, in_atoms, n] and c_ij."""
    logits = ops.sum(pulled * inputs, axis=2)  # [out_capsules, batch, n]
    coupling = routing.coupling_coefficients(logits, leaky, axis=0)  # over out_capsules
    return ops.expand_dims(coupling, 2) * inputs, coupling


@fusion.fuse
def _couple_gradient(
    inputs: Tensor, coupling: Tensor, of_grad: Tensor, of_total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """From W_ij g_j and W_ij V_j, the gradient of the inputs, c_ij u_i and l_ij u_i."""
    grad_coupling = coupling * ops.sum(of_grad * inputs, axis=2)  # [out_capsules, batch, n]
    grad_logits = grad_coupling - coupling * ops.sum(grad_coupling, axis=0, keepdims=True)
    coupling, grad_logits = (ops.expand_dims(x, 2) for x in (coupling, grad_logits))
    grad_inputs = ops.sum(coupling * of_grad, axis=0) + ops.sum(grad_logits * of_total, axis=0)
    return grad_inputs, coupling * inputs, grad_logits * inputs


def _pull(inputs: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """W_ij v_j of [out_capsules, batch, out_atoms] vectors: [out_capsules, batch, in_atoms, n]."""
    pulled = ops.einsum('jbo,jko->jbk', vectors, weights)
    return ops.reshape(pulled, (weights.shape[0], -1, *inputs.shape[1:]))


def _agreement(inputs: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """<û_{j|i}, v_j>: [out_capsules, batch, n]."""
    return ops.sum(_pull(inputs, weights, vectors) * inputs, axis=2)


def _flatten_atoms(coupled: Tensor) -> Tensor:
    """[out_capsules, batch, in_atoms, n] -> [out_capsules, batch, in_atoms * n]."""
    out_capsules, _, in_atoms, size = coupled.shape
    return ops.reshape(coupled, (out_capsules, -1, in_atoms * size))


def _map(function: Callable, *chunked: Tensor) -> Any:
    """Calls the function with each chunk and stacks what it gives."""
    return ops.map(lambda parts: function(*parts), chunked)
