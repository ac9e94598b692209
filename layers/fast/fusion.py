"""Functions for TensorFlow to fuse, several passes over memory in one, or to trace only once."""

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
    return _replace(function, _compile, _has_xla)


def trace_once(function: Callable) -> Callable:
    """Has TensorFlow trace a function once for a shape, wherever and however often it is called.

    Python takes 0.05 s to trace a loop, which a step has four of and its forecast too (measured).

    Args:
      function: as for `fuse`; nothing is differentiated through it.
    """
    return _replace(function, _trace, lambda: keras.backend.backend() == 'tensorflow')


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


def _replace(function: Callable, make: Callable, is_wanted: Callable[[], bool]) -> Callable:
    """Calls what `make` makes of a function in its place, where that is wanted."""

    @functools.wraps(function)
    def called(*tensors: Any, **constants: Any) -> Any:
        chosen = function if _plain.get() or not is_wanted() else make(function)
        return chosen(*tensors, **constants)

    del called.__wrapped__  # which AutoGraph would call in its place
    return called


@functools.cache
def _has_xla() -> bool:
    """Whether to ask for XLA: on a CPU, of a TensorFlow that has it (that of Windows has not)."""
    if keras.backend.backend() != 'tensorflow' or devices.has_gpu():
        return False
    import tensorflow as tf

    return tf.test.is_built_with_xla()


@functools.cache
def _trace(function: Callable) -> Callable:
    import tensorflow as tf

    return tf.function(function, autograph=False)


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
