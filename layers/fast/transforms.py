"""The constant matrices of a convolution in the frequency domain, see `layers.fast.convolution`."""

import functools
from typing import NamedTuple

import numpy as np


class Transforms(NamedTuple):
    """The constant matrices; R rows or columns are the real products."""

    input: np.ndarray  # [R, N_y * N_x]
    kernel: np.ndarray  # [R, T * T]
    output: np.ndarray  # [m_y * m_x, R]


@functools.cache
def make_transforms(tile_height: int, tile_width: int, taps: int) -> Transforms:
    """The matrices for tiles of so many outputs and so many taps along both axes."""
    height, width = tile_height + taps - 1, tile_width + taps - 1
    rows: list[np.ndarray] = []
    kernel_rows: list[np.ndarray] = []
    output_rows: list[np.ndarray] = []
    done = set()
    for u in range(height):
        for v in range(width):
            mirrored = (-u % height, -v % width)
            if mirrored in done:
                continue
            done.add((u, v))
            wave = functools.partial(_wave, u / height, v / width)
            x, k = wave(height, width), wave(taps, taps).conj()
            y = wave(tile_height, tile_width).conj() / (height * width)
            if mirrored == (u, v):  # a real frequency: one real product
                rows.append(x.real)
                kernel_rows.append(k.real)
                output_rows.append(y.real)
                continue
            y = 2 * y  # the frequency and its mirror image
            rows += [x.real + x.imag, x.real, x.imag]
            kernel_rows += [k.real, k.imag - k.real, k.real + k.imag]
            # Re(y) Re(XK) - Im(y) Im(XK), sorted by P1, P2, P3
            output_rows += [y.real - y.imag, -y.imag, -y.real]
    stacked = (np.array(part, np.float32) for part in (rows, kernel_rows, output_rows))
    inputs, kernels, outputs = stacked
    return Transforms(inputs, kernels, np.ascontiguousarray(outputs.T))


def _wave(u: float, v: float, height: int, width: int) -> np.ndarray:
    """exp(-2 pi i (u y + v x)) over a grid, flat: [height * width] complex."""
    angle = u * np.arange(height)[:, None] + v * np.arange(width)
    return np.exp(-2j * np.pi * angle).ravel()
