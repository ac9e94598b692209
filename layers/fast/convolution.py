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
import itertools
from typing import Any

import keras
import numpy as np
from keras import ops

from layers.fast.transforms import cut_kernel, cut_maps, make_transforms, plan_axis

Tensor = Any

# A transformed kernel of up to so much is made whole, as that of the MNIST network; a larger one in
# pieces: those of 64 MB are as fast as those of 128 MB, and CIFAR-10 takes a tenth less memory.
WHOLE_BYTES = 128 << 20
PIECE_BYTES = 64 << 20
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
    size, _, in_channels, out_channels = kernel.shape
    taps = -(-size // stride)
    axes = [plan_axis(length, size, stride, padding) for length in maps.shape[1:3]]
    y, x = axes
    transforms = make_transforms(y.tile, x.tile, taps)
    products = len(transforms.input)
    phase_channels = stride * stride * in_channels

    matrix = transforms.input.reshape(products, y.tile + taps - 1, x.tile + taps - 1)
    matrix = np.ascontiguousarray(matrix[:, y.points, x.points])
    values = ops.matmul(matrix.reshape(products, -1), cut_maps(maps, axes, stride))
    values = ops.reshape(values, (products, -1, phase_channels))  # [R, tiles * batch, c]
    if transformed is None:
        phases = cut_kernel(kernel, stride, taps)
        result = _multiply(values, phases, transforms.kernel)  # [R, tiles * batch, out_channels]
    else:
        result = ops.matmul(values, transformed)  # [R, tiles * batch, out_channels]
    result = ops.matmul(transforms.output, ops.reshape(result, (products, -1)))

    result = ops.reshape(result, (y.tile, x.tile, y.tiles, x.tiles, -1, out_channels))
    result = ops.transpose(result, (4, 2, 0, 3, 1, 5))  # [batch, tiles, tile, tiles, tile, out]
    result = ops.reshape(result, (-1, y.tiles * y.tile, x.tiles * x.tile, out_channels))
    return result[:, : y.outputs, : x.outputs]


def transform_kernel(shape: tuple, kernel: Tensor, stride: int, padding: str) -> Tensor | None:
    """The kernel's side of the products, the same for every batch of a shape.

    Returns:
      [R, stride * stride * in_channels, out_channels]; None if that is too large to be kept.
    """
    size, _, in_channels, out_channels = kernel.shape
    taps = -(-size // stride)
    y, x = (plan_axis(length, size, stride, padding) for length in shape[1:3])
    matrix = make_transforms(y.tile, x.tile, taps).kernel
    phases = cut_kernel(kernel, stride, taps)
    if _transformed_bytes(matrix, phases) > WHOLE_BYTES:
        return None
    channels = stride * stride * in_channels
    return ops.reshape(ops.matmul(matrix, phases), (len(matrix), channels, out_channels))


def pays(shape: tuple, kernel_shape: tuple, stride: int, padding: str) -> bool:
    """Whether this convolution is faster by values at points than directly, on a CPU.

    Shapes are those of `convolve`'s arguments; a batch of None is a large one.
    """
    size, _, in_channels, out_channels = kernel_shape
    if min(in_channels, out_channels) < MIN_CHANNELS or (shape[0] or MIN_BATCH) < MIN_BATCH:
        return False
    taps = -(-size // stride)
    y, x = (plan_axis(length, size, stride, padding) for length in shape[1:3])
    direct = y.outputs * x.outputs * size**2
    products = y.tiles * x.tiles * len(make_transforms(y.tile, x.tile, taps).input)
    return direct >= MIN_SAVING * products * stride**2


def _multiply(values: Tensor, phases: Tensor, matrix: np.ndarray) -> Tensor:
    """The products with the transformed kernel, of which a large one is there piece by piece.

    Whole, it and its gradient would be the largest tensors of a training step (700 MB each for
    CIFAR-10). The gradient makes the pieces again, in less time than storing takes.
    [R, tiles * batch, c], [T * T, c * out_channels], [R, T * T] -> [R, tiles * batch, out_channels]
    """
    channels = values.shape[-1]
    size = _transformed_bytes(matrix, phases)
    count = 1 if size <= WHOLE_BYTES else min(len(matrix), -(-size // PIECE_BYTES))
    bounds = [len(matrix) * piece // count for piece in range(count + 1)]
    pieces = [slice(*ends) for ends in itertools.pairwise(bounds)]  # of the R products

    def transform(phases, piece):
        kernel = ops.matmul(matrix[piece], phases)
        return ops.reshape(kernel, (kernel.shape[0], channels, -1))

    @ops.custom_gradient
    def multiply(values, phases):
        products: list[Tensor] = []
        for piece in pieces:
            with _after(products[-1:]):
                products.append(ops.matmul(values[piece], transform(phases, piece)))

        def gradient(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            of_values, of_phases = [], ops.zeros_like(phases)
            for piece in pieces:
                given, products = upstream[piece], values[piece]
                with _after([of_phases]):
                    of_values.append(ops.einsum('rno,rco->rnc', given, transform(phases, piece)))
                with _after(of_values[-1:]):
                    of_kernel = ops.einsum('rnc,rno->rco', products, given)
                    of_kernel = ops.reshape(of_kernel, (of_kernel.shape[0], -1))
                    of_phases = of_phases + ops.matmul(matrix[piece].T, of_kernel)
            return ops.concatenate(of_values, axis=0), of_phases

        return ops.concatenate(products, axis=0), gradient

    return multiply(values, phases)


def _transformed_bytes(matrix: np.ndarray, phases: Tensor) -> int:
    return 4 * len(matrix) * phases.shape[-1]


def _after(tensors: list[Tensor]) -> contextlib.AbstractContextManager:
    """Lets what is computed within wait for the tensors; other backends plan by memory anyway."""
    if keras.backend.backend() != 'tensorflow':
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.control_dependencies(tensors)
