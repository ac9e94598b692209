"""How a convolution by values at points cuts and transforms, see `layers.fast.convolution`."""

import functools
from typing import Any, NamedTuple

import numpy as np
from keras import ops

Tensor = Any

# Their products are the cheapest. With ten of them errors are 20 times as large (4e-5); 1.7 gives
# smaller ones than other numbers from 1.4 to 2.2 (measured, float32). At infinity a polynomial has
# its highest coefficient for a value.
REAL_POINTS = (0.0, np.inf, 1.0, -1.0, 1.7, -1 / 1.7, -1.7, 1 / 1.7)
MAX_POINTS = 16  # along an axis: the transforms are dense, their cost grows with points^4


class Transforms(NamedTuple):
    """The constant matrices; R rows or columns are the real products."""

    input: np.ndarray  # [R, N_y * N_x]
    kernel: np.ndarray  # [R, T * T]
    output: np.ndarray  # [m_y * m_x, R]


@functools.cache
def make_transforms(tile_height: int, tile_width: int, taps: int) -> Transforms:
    """The matrices for tiles of so many outputs and so many taps along both axes."""
    points_y, points_x = (_choose_points(tile + taps - 1) for tile in (tile_height, tile_width))
    along_y = _transform_axis(points_y, tile_height, taps)
    along_x = _transform_axis(points_x, tile_width, taps)
    mirror_y, mirror_x = _find_mirrors(points_y), _find_mirrors(points_x)
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # of input, kernel and output^T
    for p, q in np.ndindex(len(mirror_y), len(mirror_x)):
        mirrored = (mirror_y[p], mirror_x[q])
        if mirrored < (p, q):
            continue
        x, k, y = (np.kron(one[p], other[q]) for one, other in zip(along_y, along_x, strict=True))
        if mirrored == (p, q):  # two real points: one real product
            rows.append((x.real, k.real, y.real))
            continue
        y = 2 * y  # the two points and their mirror images
        # Re(y) Re(XK) - Im(y) Im(XK), sorted by P1, P2, P3
        rows.append((x.real + x.imag, k.real, y.real - y.imag))
        rows.append((x.real, k.imag - k.real, -y.imag))
        rows.append((x.imag, k.real + k.imag, -y.real))
    inputs, kernels, outputs = (np.array(part, np.float32) for part in zip(*rows, strict=True))
    return Transforms(inputs, kernels, np.ascontiguousarray(outputs.T))


def _transform_axis(
    points: np.ndarray, tile: int, taps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For one axis, complex [N, N] of the input, [N, T] of the kernel, [N, m] of the output.

    A row of P_n holds n powers 1, p, p^2, ... of a point p: a polynomial with coefficients a has
    the values P_n a. The product of two, with T and m coefficients, is
    inverse(P_N) ((P_T a) * (P_m b)); transposed in b it is the correlation with a.
    """

    def powers(count):
        rows = np.vander(np.where(np.isinf(points), 0, points), count, increasing=True)
        rows[np.isinf(points)] = np.arange(count) == count - 1
        return rows

    return np.linalg.inv(powers(len(points))).T, powers(taps), powers(tile)


def _choose_points(count: int) -> np.ndarray:
    """[count] complex: pairs on the unit circle, each with its conjugate behind it; real ones."""
    num_real = min(count, len(REAL_POINTS) - count % 2)
    pairs = (count - num_real) // 2
    half = np.exp(1j * np.pi * np.arange(1, pairs + 1) / (pairs + 1))
    circle = np.stack([half, half.conj()], axis=1).ravel()
    return np.concatenate([circle, REAL_POINTS[:num_real]])


def _find_mirrors(points: np.ndarray) -> list[int]:
    """The place of each point's complex conjugate."""
    return [place ^ 1 if np.iscomplex(p) else place for place, p in enumerate(points)]


class Axis(NamedTuple):
    """How one axis is padded and cut into phases and tiles."""

    before: int  # zeros before the input
    length: int  # with zeros before and after it, a multiple of the stride
    outputs: int  # of the convolution
    tile: int  # outputs of a tile
    tiles: int
    first: int  # point of a tile that is cut out; those before it are zeros in every phase
    stop: int  # the first point after those that are cut out


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
        return Axis(before, length, outputs, tile, tiles, 0, points)
    # One tile: whole points of padding need not be cut out only to be multiplied by zeros.
    skipped = before // stride
    last = min(points, -(-(before + length) // stride))
    before -= skipped * stride
    return Axis(before, stride * (last - skipped), outputs, tile, tiles, skipped, last)


class Plan(NamedTuple):
    """How a convolution is done, in whole numbers."""

    y: Axis
    x: Axis
    stride: int
    taps: int

    @classmethod
    def of(cls, shape: tuple, size: int, stride: int, padding: str) -> 'Plan':
        """For maps of a shape and a kernel of size x size."""
        y, x = (plan_axis(length, size, stride, padding) for length in shape[1:3])
        return cls(y, x, stride, -(-size // stride))

    @property
    def transforms(self) -> Transforms:
        return make_transforms(self.y.tile, self.x.tile, self.taps)

    @property
    def products(self) -> int:
        """R, of real numbers for each pair of channels and tile."""
        return len(self.transforms.input)

    def kernel_bytes(self, kernel_shape: tuple) -> int:
        """Of the transformed kernel, whole."""
        _, _, in_channels, out_channels = kernel_shape
        return 4 * self.products * self.stride**2 * in_channels * out_channels


def cut_maps(maps: Tensor, plan: Plan) -> Tensor:
    """[batch, height, width, c] -> [points, tiles * batch * stride * stride * c]."""
    _, height, width, channels = maps.shape
    y, x, stride = plan.y, plan.x, plan.stride
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
    used = [axis.stop - axis.first for axis in (y, x)]
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


def cut_kernel(kernel: Tensor, plan: Plan) -> Tensor:
    """[size, size, c, out] -> [T * T, stride * stride * c, out]."""
    size, _, in_channels, out_channels = kernel.shape
    stride, taps = plan.stride, plan.taps
    missing = taps * stride - size
    if missing:
        kernel = ops.pad(kernel, [[0, missing], [0, missing], [0, 0], [0, 0]])
    shape = (taps, stride, taps, stride * in_channels * out_channels)
    phases = ops.transpose(ops.reshape(kernel, shape), (0, 2, 1, 3))  # [T, T, p, q * c * out]
    return ops.reshape(phases, (taps * taps, -1, out_channels))
