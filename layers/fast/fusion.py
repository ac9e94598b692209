"""Operations computed together: several passes over memory become one."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import keras

from layers.fast import devices

_plain: ContextVar[bool] = ContextVar('plain', default=False)


def fuse(function: Callable) -> Callable:
    """Has the operations of a function computed together.

    TensorFlow on a CPU computes them one after another, each over all numbers; XLA, asked for here,
    reads and writes numbers once. It also multiplies a small matrix with a very wide one 2 to 3
    times as fast (measured, AVX2), but batches of products more slowly: they stay outside. Other
    backends compute the function as it is (JAX does the same by itself under `jax.jit`).

    A gradient keeps nothing but the arguments, and computes again what else it needs.

    Args:
      function: of tensors by position, and of constants by name; gives tensors.
    """

    @functools.wraps(function)
    def fused(*tensors: Any, **constants: Any) -> Any:
        chosen = function if _plain.get() or not _has_xla() else _compile(function)
        return chosen(*tensors, **constants)

    del fused.__wrapped__  # which AutoGraph would call in its place
    return fused


@contextlib.contextmanager
def without_xla() -> Iterator[None]:
    """What is called or traced within computes without XLA.

    For a SavedModel that goes to a server, which may come without XLA, or with XLA off.
    """
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


@functools.cache
def _has_xla() -> bool:
    """Whether to ask for XLA: on a CPU, of a TensorFlow that has it (that of Windows has not)."""
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
