"""How a convolution in the frequency domain cuts and transforms, see `layers.fast.convolution`."""

import functools
from typing import Any, NamedTuple

import numpy as np
from keras import ops

Tensor = Any

MAX_POINTS = 16  # along an axis: the transforms are dense, their cost grows with points^4


class Transforms(NamedTuple):
    """The constant matrices; R rows or columns are the real products."""

    input: np.ndarray  # [R, N_y * N_x]
    kernel: np.ndarray  # [R, T * T]
    output: np.ndarray  # [m_y * m_x, R]


@functools.cache
def make_transforms(tile_height: int, tile_width: int, taps: int) -> Transforms:
    """The matrices for tiles of so many outputs and so many taps along both axes."""
    height, width = tile_height + taps - 1, tile_width + taps - 1
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # of input, kernel and output^T
    for u, v in np.ndindex(height, width):
        mirrored = (-u % height, -v % width)
        if mirrored < (u, v):
            continue
        wave = functools.partial(_wave, u / height, v / width)
        x, k = wave(height, width), wave(taps, taps).conj()
        y = wave(tile_height, tile_width).conj() / (height * width)
        if mirrored == (u, v):  # a real frequency: one real product
            rows.append((x.real, k.real, y.real))
            continue
        y = 2 * y  # the frequency and its mirror image
        # Re(y) Re(XK) - Im(y) Im(XK), sorted by P1, P2, P3
        rows.append((x.real + x.imag, k.real, y.real - y.imag))
        rows.append((x.real, k.imag - k.real, -y.imag))
        rows.append((x.imag, k.real + k.imag, -y.real))
    inputs, kernels, outputs = (np.array(part, np.float32) for part in zip(*rows, strict=True))
    return Transforms(inputs, kernels, np.ascontiguousarray(outputs.T))


def _wave(u: float, v: float, height: int, width: int) -> np.ndarray:
    """exp(-2 pi i (u y + v x)) over a grid, flat: [height * width] complex."""
    angle = u * np.arange(height)[:, None] + v * np.arange(width)
    return np.exp(-2j * np.pi * angle).ravel()


class Axis(NamedTuple):
    """How one axis is padded and cut into phases and tiles."""

    before: int  # zeros before the input
    length: int  # with zeros before and after it, a multiple of the stride
    outputs: int  # of the convolution
    tile: int  # outputs of a tile
    tiles: int
    points: slice  # of a tile that are cut out; the others are zeros in every phase


def plan_axis(length: int, size: int, stride: int, padding: str) -> Axis:
    """Cuts an axis into as few, equal tiles as MAX_POINTS allows."""
    taps = -(-size // stride)
    if padding == 'same':
        outputs = -(-length // stride)
        before = max(0, (outputs - 1) * stride + size - length) // 2
    else:
        outputs, before = (length - size) // stride + 1, 0
    tiles = -(-outputs // max(1, MAX_POINTS - taps + 1))
    tile = -(-outputs // tiles)
    points = tile + taps - 1
    if tiles > 1:
        length = stride * (tiles * tile + taps - 1)
        return Axis(before, length, outputs, tile, tiles, slice(0, points))
    # One tile: whole points of padding need not be cut out only to be multiplied by zeros.
    skipped = before // stride
    last = min(points, -(-(before + length) // stride))
    before -= skipped * stride
    used = slice(skipped, last)
    return Axis(before, stride * (last - skipped), outputs, tile, tiles, used)


def cut_maps(maps: Tensor, axes: list[Axis], stride: int) -> Tensor:
    """[batch, height, width, c] -> [points, tiles * batch * stride * stride * c]."""
    _, height, width, channels = maps.shape
    y, x = axes
    for number, (axis, length) in enumerate(((y, height), (x, width)), 1):
        after = axis.length - axis.before - length
        padding = [[0, 0] for _ in range(4)]
        padding[number] = [axis.before, max(0, after)]
        if any(padding[number]):
            maps = ops.pad(maps, padding)
        if after < 0:  # VALID leaves the last rows or columns unused
            maps = maps[:, : axis.length] if number == 1 else maps[:, :, : axis.length]
    shape = (-1, y.length // stride, stride, x.length // stride, stride * channels)
    phases = ops.transpose(ops.reshape(maps, shape), (1, 3, 0, 2, 4))  # [y, x, batch, p, q * c]
    used = [axis.points.stop - axis.points.start for axis in axes]
    if y.tiles * x.tiles > 1:
        phases = ops.stack(
            [
                phases[i * y.tile : i * y.tile + used[0], j * x.tile : j * x.tile + used[1]]
                for i in range(y.tiles)
                for j in range(x.tiles)
            ],
            axis=2,
        )  # [points_y, points_x, tiles, batch, p, q * c]
    return ops.reshape(phases, (used[0] * used[1], -1))


def cut_kernel(kernel: Tensor, stride: int, taps: int) -> Tensor:
    """[size, size, c, out] -> [T * T, stride * stride * c * out]."""
    size, _, in_channels, out_channels = kernel.shape
    missing = taps * stride - size
    if missing:
        kernel = ops.pad(kernel, [[0, missing], [0, missing], [0, 0], [0, 0]])
    shape = (taps, stride, taps, stride * in_channels * out_channels)
    phases = ops.transpose(ops.reshape(kernel, shape), (0, 2, 1, 3))  # [T, T, p, q * c * out]
    return ops.reshape(phases, (taps * taps, -1))
