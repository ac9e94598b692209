"""Gradients written by hand, on every backend."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from layers.fast import devices

Tensor = Any


def by_hand(function: Callable, context: Callable = contextlib.nullcontext) -> Callable:
    """`keras.ops.custom_gradient`, whose backends hand the upstream gradient over in two ways.

    Args:
      function: of tensors; gives the result and a function from the result's gradient to those of
        the tensors, as a tuple.
      context: both are computed within what it gives; backends may ask for the gradient later.
    """

    @ops.custom_gradient
    def differentiable(*tensors):
        with context():
            result, gradient = function(*tensors)

        def adapted(*args, upstream=None):
            with context():
                return gradient(args[-1] if upstream is None else upstream)

        return result, adapted

    return differentiable


def multiply_constant(matrix: np.ndarray, columns: Tensor) -> Tensor:
    """The product of a constant matrix and a tensor of two axes.

    For the gradient the transposed matrix is laid out anew: read by columns it costs XLA, as it
    does oneDNN, up to four times as much (measured, CPU).
    """

    def multiply(columns):
        transposed = np.ascontiguousarray(matrix.T)
        return ops.matmul(matrix, columns), lambda upstream: (ops.matmul(transposed, upstream),)

    return by_hand(multiply, devices.full_precision)(columns)
