"""Operations computed together: several passes over memory become one."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import keras

from layers.fast import devices

_apart: ContextVar[bool] = ContextVar('apart', default=False)


def fuse(function: Callable) -> Callable:
    """Has the operations of a function computed together.

    TensorFlow on a CPU computes them one after another, each over all numbers; XLA, asked for here,
    reads and writes numbers once. It also multiplies a small matrix with a very wide one 2 to 3
    times as fast, but batches of products more slowly: they stay outside. Other backends compute
    the function as it is (JAX does the same by itself under `jax.jit`).

    Gradients keep only the arguments, and compute again what else they need of the function.

    Args:
      function: of tensors by position, and of constants by name.
    """

    @functools.wraps(function)
    def fused(*tensors: Any, **constants: Any) -> Any:
        chosen = function if _apart.get() or not _has_xla() else _compile(function)
        return chosen(*tensors, **constants)

    return fused


@contextlib.contextmanager
def not_fused() -> Iterator[None]:
    """What is traced within needs no XLA where it runs."""
    token = _apart.set(True)
    try:
        yield
    finally:
        _apart.reset(token)


@functools.cache
def _has_xla() -> bool:
    """Whether there is a use for XLA: TensorFlow on a CPU. It has none on Windows."""
    if keras.backend.backend() != 'tensorflow' or devices.has_gpu():
        return False
    import tensorflow as tf

    return tf.test.is_built_with_xla()


@functools.cache
def _compile(function: Callable) -> Callable:
    import tensorflow as tf

    compute = tf.function(function, jit_compile=True, autograph=False)

    @functools.partial(tf.function, jit_compile=True, autograph=False)
    def pull_back(tensors, upstream, constants):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            results = function(*tensors, **constants)
        return tape.gradient(results, tensors, upstream)

    def differentiable(*tensors, **constants):
        @tf.custom_gradient
        def call(*tensors):
            results = compute(*tensors, **constants)

            def gradient(*upstream):
                upstream = tf.nest.pack_sequence_as(results, upstream)
                return pull_back(tensors, upstream, constants)

            return results, gradient

        return call(*tensors)

    return differentiable
