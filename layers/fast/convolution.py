"""Strided convolution by values at points (Winograd): the same numbers for a sixth of the products.

**Phases.** A convolution with stride s over x is a sum of s^2 convolutions with stride 1, one
for each phase (p, q): y[i] = sum_p sum_j x_p[i + j] k_p[j], where x_p[i] = x[s i + p] and
k_p[j] = k[s j + p] along each axis. The phases count as channels, so one convolution with
T = ceil(kernel / s) taps over s^2 times the channels is left.

**Tiles.** m outputs along an axis need N = m + T - 1 points of x_p; a larger map is cut into
tiles that overlap by T - 1 points.

**Points.** Polynomials are multiplied by multiplying their values at N points, and a correlation
is the transpose of such a product (Winograd 1980): one matrix takes x to N numbers X, one k to its
values K, one X K to y (`layers.fast.transforms`). The roots of unity would make them Fourier
transforms, whose numbers are complex but for two; real points alone would cost float32 its
accuracy. Ours are eight real points and, for the others, roots of unity.

**Products.** With two axes there is one product for each pair of points. Half of the complex ones
mirror the others, and a complex product takes three real ones (Gauss): with P1 = (Xr + Xi) Kr,
P2 = Xr (Ki - Kr) and P3 = Xi (Kr + Ki),

    Re(X K) = P1 - P3        Im(X K) = P1 + P2

All of this is linear in x, in k and in the products, so three constant real matrices hold it:
INPUT [R, N^2], KERNEL [R, T^2] and OUTPUT [m^2, R], where R is the number of real products,
and y = OUTPUT ((INPUT x) * (KERNEL k)) with a matrix product over the channels for each of the
R rows. For the 9x9 stride-2 convolution of CapsNet over 20x20, N = 10 and R = 118: 472 products
for each pair of channels in place of 2,916. Gradients are those of the three matrix products.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from layers.fast import devices, fusion, gradients
from layers.fast.transforms import Plan, cut_kernel, cut_maps

Tensor = Any

# A transformed kernel of up to so much is made whole, as that of the MNIST network; a larger one in
# pieces: those of 64 MB are as fast as those of 128 MB, and CIFAR-10 takes a tenth less memory.
WHOLE_BYTES = 128 << 20
PIECE_BYTES = 64 << 20
CONV_METHODS = ('auto', 'direct', 'winograd')  # of a layer; auto is the faster for shape and device
MIN_CHANNELS = 64  # below this the transforms cost more than the products they save
MIN_BATCH = 16  # below this the kernel's transform, done once a batch, costs more (measured, CPU)
MIN_SAVING = 2.5  # how many times fewer products pay for the transforms (measured, CPU)


def convolve(
    maps: Tensor, kernel: Tensor, stride: int, padding: str, transformed: Tensor | None = None
) -> Tensor:
    """What `keras.ops.conv` gives, to float rounding.

    Args:
      maps: [batch, height, width, in_channels] float32.
      kernel: [size, size, in_channels, out_channels] float32.
      stride: along both axes.
      padding: 'valid' or 'same'.
      transformed: what `transform_kernel` gave for this kernel, to save it for each batch.

    Returns:
      [batch, out_height, out_width, out_channels]
    """
    plan = Plan.of(maps.shape, kernel.shape[0], stride, padding)
    values = _transform_maps(maps, plan=plan)
    if transformed is None:
        result = _multiply(values, kernel, plan)
    else:
        result = ops.matmul(values, transformed)
    return _transform_result(result, plan=plan)


def transform_kernel(shape: tuple, kernel: Tensor, stride: int, padding: str) -> Tensor | None:
    """The kernel's side of the products, the same for every batch of a shape.

    Returns:
      [R, stride * stride * in_channels, out_channels]; None if that is too large to be kept.
    """
    plan = Plan.of(shape, kernel.shape[0], stride, padding)
    if not _is_whole(kernel.shape, plan):
        return None
    return _transform_kernel(cut_kernel(kernel, plan), plan=plan, start=0, stop=plan.products)


def is_chosen(
    method: str, dtype: str, shape: tuple, kernel_shape: tuple, stride: int, padding: str
) -> bool:
    """Whether a layer convolves so, by its method and the dtype it computes in.

    The one rule for 'auto': in float32, where it `pays`. On a GPU under JAX alone, whose products
    can keep float32's mantissa here while others take TF32, which would make the error ten times
    that of a direct convolution; and where the transformed kernel is whole (measured, H200).
    """
    if method != 'auto':
        return method == 'winograd'
    if dtype != 'float32' or not pays(shape, kernel_shape, stride, padding):
        return False
    if not devices.has_gpu():
        return True
    plan = Plan.of(shape, kernel_shape[0], stride, padding)
    return keras.backend.backend() == 'jax' and _is_whole(kernel_shape, plan)


def pays(shape: tuple, kernel_shape: tuple, stride: int, padding: str) -> bool:
    """Whether this convolution is faster by values at points than directly, on a CPU.

    Shapes are those of `convolve`'s arguments; a batch of None is a large one.
    """
    size, _, in_channels, out_channels = kernel_shape
    if min(in_channels, out_channels) < MIN_CHANNELS or (shape[0] or MIN_BATCH) < MIN_BATCH:
        return False
    plan = Plan.of(shape, size, stride, padding)
    direct = plan.y.outputs * plan.x.outputs * size**2
    products = plan.y.tiles * plan.x.tiles * plan.products
    return direct >= MIN_SAVING * products * stride**2


def _is_whole(kernel_shape: tuple, plan: Plan) -> bool:
    """Whether a transformed kernel is made whole."""
    return plan.kernel_bytes(kernel_shape) <= WHOLE_BYTES


def _multiply(values: Tensor, kernel: Tensor, plan: Plan) -> Tensor:
    """The products with the transformed kernel, of which a large one is there piece by piece.

    Whole, it and its gradient would be the largest tensors of a training step (700 MB each for
    CIFAR-10). The gradient makes the pieces again, in less time than storing takes.
    [R, tiles * batch, c], [size, size, in, out] -> [R, tiles * batch, out]
    """
    count = min(plan.products, -(-plan.kernel_bytes(kernel.shape) // PIECE_BYTES))
    bounds = [plan.products * piece // count for piece in range(count + 1)]
    pieces = [*itertools.pairwise(bounds)]  # of the R products
    parts = [(0, plan.products)] if _is_whole(kernel.shape, plan) else pieces

    def multiply(values, phases):
        transform: Callable = functools.partial(_transform_kernel, phases, plan=plan)
        if len(parts) == 1:
            transform = functools.cache(transform)  # the whole is kept for the gradient
        products: list[Tensor] = []
        for start, stop in parts:
            with _after(products[-1:]):
                kernel = transform(start=start, stop=stop)
                products.append(ops.matmul(values[start:stop], kernel))

        def gradient(upstream):
            of_values: list[Tensor] = []
            of_phases = ops.zeros_like(phases)
            for start, stop in parts:
                with _after(of_values[-1:]):
                    kernel = transform(start=start, stop=stop)
                    of_values.append(ops.einsum('rno,rco->rnc', upstream[start:stop], kernel))
            for start, stop in pieces:
                with _after([of_values[-1], of_phases]):
                    of_kernel = ops.matmul(_turn(values[start:stop]), upstream[start:stop])
                    more = _gather_kernel(of_kernel, plan=plan, start=start, stop=stop)
                    of_phases = of_phases + more
            return ops.concatenate(of_values, axis=0), of_phases

        return ops.concatenate(products, axis=0), gradient

    differentiable = gradients.by_hand(multiply, devices.full_precision)
    return differentiable(values, cut_kernel(kernel, plan))


@fusion.fuse
def _transform_maps(maps: Tensor, plan: Plan) -> Tensor:
    """[batch, height, width, in_channels] -> [R, tiles * batch, stride * stride * in_channels]."""
    y, x = plan.y, plan.x
    grid = plan.transforms.input.reshape(plan.products, y.tile + plan.taps - 1, -1)
    matrix = grid[:, y.first : y.stop, x.first : x.stop].reshape(plan.products, -1)
    values = gradients.multiply_constant(matrix, cut_maps(maps, plan))
    return ops.reshape(values, (plan.products, -1, plan.stride**2 * maps.shape[-1]))


@fusion.fuse
def _transform_kernel(phases: Tensor, plan: Plan, start: int, stop: int) -> Tensor:
    """[T * T, c, out_channels] -> [stop - start, c, out_channels], for some of the R products."""
    flat = ops.reshape(phases, (phases.shape[0], -1))
    kernel = ops.matmul(plan.transforms.kernel[start:stop], flat)
    return ops.reshape(kernel, (stop - start, *phases.shape[1:]))


@fusion.fuse
def _gather_kernel(of_kernel: Tensor, plan: Plan, start: int, stop: int) -> Tensor:
    """The gradient of `_transform_kernel`: [stop - start, c, out] -> [T * T, c, out]."""
    matrix = plan.transforms.kernel[start:stop].T
    of_phases = ops.matmul(matrix, ops.reshape(of_kernel, (stop - start, -1)))
    return ops.reshape(of_phases, (len(matrix), *of_kernel.shape[1:]))


@fusion.fuse
def _transform_result(result: Tensor, plan: Plan) -> Tensor:
    """[R, tiles * batch, out_channels] -> [batch, out_height, out_width, out_channels]."""
    y, x, out_channels = plan.y, plan.x, result.shape[-1]
    flat = ops.reshape(result, (plan.products, -1))
    result = gradients.multiply_constant(plan.transforms.output, flat)
    result = ops.reshape(result, (y.tile, x.tile, y.tiles, x.tiles, -1, out_channels))
    result = ops.transpose(result, (4, 2, 0, 3, 1, 5))  # [batch, tiles, tile, tiles, tile, out]
    result = ops.reshape(result, (-1, y.tiles * y.tile, x.tiles * x.tile, out_channels))
    return result[:, : y.outputs, : x.outputs]


@fusion.fuse
def _turn(values: Tensor) -> Tensor:
    """[R, n, c] -> [R, c, n]: what oneDNN's AVX2 kernels need twice as long for themselves."""
    return ops.transpose(values, (0, 2, 1))


def _after(tensors: list[Tensor]) -> contextlib.AbstractContextManager:
    """Lets what is computed within wait for the tensors; other backends plan by memory anyway."""
    if keras.backend.backend() != 'tensorflow':
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.control_dependencies(tensors)
