"""References for tests, in NumPy and float64, written from the paper's equations."""

from collections.abc import Sequence

import numpy as np


def reference_squash(s: np.ndarray) -> np.ndarray:
    """Eq. 1 in float64."""
    norm = np.linalg.norm(s, axis=-1, keepdims=True)
    return norm**2 / (1 + norm**2) * s / np.where(norm > 0, norm, 1)


def reference_routing(
    votes: np.ndarray, biases: np.ndarray, iterations: int, leaky: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Procedure 1 in float64, one example and one pair of capsules at a time.

    Args:
      votes: [batch, in_capsules, out_capsules, atoms].

    Returns:
      Activations [batch, out_capsules, atoms] and couplings [batch, in_capsules, out_capsules].
    """
    batch, in_capsules, out_capsules, atoms = votes.shape
    activations = np.zeros((batch, out_capsules, atoms))
    couplings = np.zeros((batch, in_capsules, out_capsules))
    for n in range(batch):
        logits = np.zeros((in_capsules, out_capsules))
        for _ in range(iterations):
            for i in range(in_capsules):
                weights = np.exp(logits[i])
                couplings[n, i] = weights / (weights.sum() + (1 if leaky else 0))
            for j in range(out_capsules):
                s = biases[j].astype(np.float64)
                for i in range(in_capsules):
                    s = s + couplings[n, i, j] * votes[n, i, j]
                activations[n, j] = reference_squash(s)
                for i in range(in_capsules):
                    logits[i, j] += votes[n, i, j] @ activations[n, j]
    return activations, couplings


def reference_conv_votes(
    grid: np.ndarray, kernel: np.ndarray, strides: int, padding: str
) -> np.ndarray:
    """A convolution of each capsule of a grid [batch, height, width, in_capsules, atoms].

    Returns:
      [batch, out_height, out_width, in_capsules, out_channels]
    """
    size, _, _, out_channels = kernel.shape
    if padding == 'same':
        wanted = [-(-length // strides) for length in grid.shape[1:3]]
        missing = [
            max(0, (count - 1) * strides + size - length)
            for count, length in zip(wanted, grid.shape[1:3], strict=True)
        ]
        around = [(total // 2, total - total // 2) for total in missing]
        grid = np.pad(grid, [(0, 0), *around, (0, 0), (0, 0)])
    rows, columns = ((length - size) // strides + 1 for length in grid.shape[1:3])
    votes = np.zeros((len(grid), rows, columns, grid.shape[3], out_channels))
    for y in range(rows):
        for x in range(columns):
            window = grid[:, y * strides : y * strides + size, x * strides : x * strides + size]
            votes[:, y, x] = np.einsum('byxia,yxao->bio', window, kernel)
    return votes


def reference_conv_capsule(
    grid: np.ndarray,
    kernel: np.ndarray,
    biases: np.ndarray,
    strides: int,
    padding: str,
    iterations: int,
    leaky: bool,
) -> np.ndarray:
    """Convolutional capsules, from votes by a kernel at every position of a grid."""
    votes = reference_conv_votes(grid, kernel, strides, padding)
    flat = votes.reshape(-1, grid.shape[3], *biases.shape)
    activations, _ = reference_routing(flat, biases, iterations, leaky)
    return activations.reshape(*votes.shape[:3], *biases.shape)


def reference_decoder(
    capsules: np.ndarray, weights: Sequence[np.ndarray], image_shape: tuple[int, int, int]
) -> np.ndarray:
    """ReLU, ReLU, sigmoid; pixels in channel-first order. Weights: kernel, bias, kernel, ..."""
    height, width, depth = image_shape
    hidden = capsules.reshape(len(capsules), -1)
    for kernel, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
        hidden = np.maximum(0, hidden @ kernel + bias)
    pixels = 1 / (1 + np.exp(-(hidden @ weights[4] + weights[5])))
    return pixels.reshape(-1, depth, height, width).transpose(0, 2, 3, 1)


def random_layer() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, weights, biases large enough for routing to matter, and votes in float64."""
    batch, in_capsules, in_atoms, out_capsules, out_atoms = 6, 7, 3, 4, 5
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(batch, in_capsules, in_atoms)).astype(np.float32)
    shape = (in_capsules, in_atoms, out_capsules * out_atoms)
    weights = rng.normal(size=shape).astype(np.float32)
    biases = rng.normal(scale=0.1, size=(out_capsules, out_atoms)).astype(np.float32)
    votes = np.einsum('bia,iao->bio', inputs.astype(np.float64), weights)
    return inputs, weights, biases, votes.reshape(batch, in_capsules, out_capsules, out_atoms)
