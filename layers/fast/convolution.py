"""Strided convolution in the frequency domain: the same numbers for a fifth of the products.

**Phases.** A convolution with stride s over x is a sum of s^2 convolutions with stride 1, one
for each phase (p, q): y[i] = sum_p sum_j x_p[i + j] k_p[j], where x_p[i] = x[s i + p] and
k_p[j] = k[s j + p] along each axis. The phases count as channels, so one convolution with
T = ceil(kernel / s) taps over s^2 times the channels is left.

**Tiles.** m outputs along an axis need N = m + T - 1 points of x_p. Over exactly these N points
a circular correlation gives the m wanted outputs without wrap-around; a larger map is cut into
tiles that overlap by T - 1 points.

**Products.** With X and K the N x N discrete Fourier transforms of x and of the conjugated
kernel, the transform of the correlation is X K at every frequency. Real input leaves about half
of the frequencies: four or fewer are real, the others complex. A complex product takes three
real ones (Gauss): with P1 = (Xr + Xi) Kr, P2 = Xr (Ki - Kr) and P3 = Xi (Kr + Ki),

    Re(X K) = P1 - P3        Im(X K) = P1 + P2

All of this is linear in x, in k and in the products, so three constant real matrices hold it:
INPUT [R, N^2], KERNEL [R, T^2] and OUTPUT [m^2, R], where R is the number of real products,
and y = OUTPUT ((INPUT x) * (KERNEL k)) with a matrix product over the channels for each of the
R rows. For the 9x9 stride-2 convolution of CapsNet over 20x20, N = 10 and R = 148: 592 products
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

PIECE_BYTES = 80 << 20  # of a kernel's spectrum in training: 160 is no faster, 40 is slower (CPU)
KEPT_BYTES = 160 << 20  # of a spectrum kept for inference: just holds that of the MNIST network
MIN_CHANNELS = 64  # below this the transforms cost more than the products they save
MIN_BATCH = 16  # below this the kernel's transform, done once a batch, costs more (measured, CPU)
MIN_SAVING = 2.5  # how many times fewer products pay for the transforms (measured, CPU)


def convolve(
    maps: Tensor, kernel: Tensor, stride: int, padding: str, kernel_spectrum: Tensor | None = None
) -> Tensor:
    """What `keras.ops.conv` gives, to float rounding.

    Args:
      maps: [batch, height, width, in_channels] float32.
      kernel: [size, size, in_channels, out_channels] float32.
      stride: along both axes.
      padding: 'valid' or 'same'.
      kernel_spectrum: what `transform_kernel` gave for this kernel, to save it for each batch.

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
    spectrum = ops.matmul(matrix.reshape(products, -1), cut_maps(maps, axes, stride))
    spectrum = ops.reshape(spectrum, (products, -1, phase_channels))  # [R, tiles * batch, c]
    if kernel_spectrum is None:
        phases = cut_kernel(kernel, stride, taps)
        result = _multiply(spectrum, phases, transforms.kernel)  # [R, tiles * batch, out_channels]
    else:
        result = ops.matmul(spectrum, kernel_spectrum)  # [R, tiles * batch, out_channels]
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
    if _spectrum_bytes(matrix, phases) > KEPT_BYTES:
        return None
    return ops.reshape(
        ops.matmul(matrix, phases), (len(matrix), stride * stride * in_channels, out_channels)
    )


def pays(shape: tuple, kernel_shape: tuple, stride: int, padding: str) -> bool:
    """Whether this convolution is faster in the frequency domain than directly, on a CPU.

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


def _multiply(spectrum: Tensor, phases: Tensor, matrix: np.ndarray) -> Tensor:
    """The products with the kernel's spectrum, of which one piece is there at a time.

    In one piece, it and its gradient would be the largest tensors of a training step (800 MB
    each for CIFAR-10). The gradient makes the pieces again, in less time than storing takes.
    [R, tiles * batch, c], [T * T, c * out_channels], [R, T * T] -> [R, tiles * batch, out_channels]
    """
    channels = spectrum.shape[-1]
    count = min(len(matrix), -(-_spectrum_bytes(matrix, phases) // PIECE_BYTES))
    bounds = [len(matrix) * piece // count for piece in range(count + 1)]
    pieces = [slice(*ends) for ends in itertools.pairwise(bounds)]  # of the R products

    def transform(phases, piece):
        kernel = ops.matmul(matrix[piece], phases)
        return ops.reshape(kernel, (kernel.shape[0], channels, -1))

    @ops.custom_gradient
    def multiply(spectrum, phases):
        products: list[Tensor] = []
        for piece in pieces:
            with _after(products[-1:]):
                products.append(ops.matmul(spectrum[piece], transform(phases, piece)))

        def gradient(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            of_spectrum, of_phases = [], ops.zeros_like(phases)
            for piece in pieces:
                given, products = upstream[piece], spectrum[piece]
                with _after([of_phases]):
                    of_spectrum.append(ops.einsum('rno,rco->rnc', given, transform(phases, piece)))
                with _after(of_spectrum[-1:]):
                    of_kernel = ops.einsum('rnc,rno->rco', products, given)
                    of_kernel = ops.reshape(of_kernel, (of_kernel.shape[0], -1))
                    of_phases = of_phases + ops.matmul(matrix[piece].T, of_kernel)
            return ops.concatenate(of_spectrum, axis=0), of_phases

        return ops.concatenate(products, axis=0), gradient

    return multiply(spectrum, phases)


def _spectrum_bytes(matrix: np.ndarray, phases: Tensor) -> int:
    return 4 * len(matrix) * phases.shape[-1]


def _after(tensors: list[Tensor]) -> contextlib.AbstractContextManager:
    """Lets what is computed within wait for the tensors; other backends plan by memory anyway."""
    if keras.backend.backend() != 'tensorflow':
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.control_dependencies(tensors)
