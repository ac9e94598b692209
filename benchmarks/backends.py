"""Functions compiled for the Keras backend in use and its device, to be timed there."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from benchmarks import measure

Tensor = Any

BACKEND = keras.backend.backend()
PRECISIONS = ('float32', 'tf32', 'bfloat16')
REPEATED_SECONDS = 0.05  # of calls one after another: starting one hides behind the one before
MOST_CALLS = 500


class Compiled(NamedTuple):
    call: Callable[[], Any]  # what it gives may not be computed yet when it returns
    memory: Callable[[], int | None]  # bytes a call needs beside its arguments, if that is told


def compile_forward(function: Callable, tensors: Sequence[Tensor]) -> Compiled:
    """A call of the function with these tensors, without gradients."""
    if BACKEND == 'jax':
        import jax

        compiled = jax.jit(function).lower(*tensors).compile()
        memory = compiled.memory_analysis()
        needed = memory.temp_size_in_bytes + memory.output_size_in_bytes
        return Compiled(lambda: compiled(*tensors), lambda: needed)
    if BACKEND == 'tensorflow':
        import tensorflow as tf

        graph = tf.function(function)
        return Compiled(lambda: graph(*tensors), lambda: None)
    import torch

    return _on_torch(torch.no_grad()(lambda: function(*tensors)))


def compile_gradients(function: Callable, tensors: Sequence[Tensor]) -> Compiled:
    """The gradients, by each of these tensors, of the sum of the squares of what it gives."""

    def loss(*tensors):
        return ops.sum(ops.square(ops.cast(function(*tensors), 'float32')))

    if BACKEND == 'jax':
        import jax

        return compile_forward(jax.grad(loss, argnums=range(len(tensors))), tensors)
    if BACKEND == 'tensorflow':
        import tensorflow as tf

        def differentiate(*tensors):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                total = loss(*tensors)
            return tape.gradient(total, tensors)

        return compile_forward(differentiate, tensors)
    import torch

    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    return _on_torch(lambda: torch.autograd.grad(loss(*leaves), leaves))


def _on_torch(call: Callable[[], Any]) -> Compiled:
    import torch

    def measure_memory():
        if not torch.cuda.is_available():
            return None
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before

    return Compiled(call, measure_memory)


def milliseconds(compiled: Sequence[Compiled], rounds: int) -> list[float]:
    """Median time of a call of each; they take turns."""
    repeated = [_repeat(one.call) for one in compiled]
    seconds = measure.seconds([run for run, _ in repeated], rounds)
    return [1000 * total / count for total, (_, count) in zip(seconds, repeated, strict=True)]


def _repeat(call: Callable[[], Any]) -> tuple[Callable[[], None], int]:
    """A function that makes so many calls and waits for the device, and how many."""

    def run(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            result = call()
        _wait(result)
        return time.perf_counter() - start

    run(1)  # compiles
    count = max(1, min(MOST_CALLS, round(REPEATED_SECONDS / run(1))))
    return lambda: run(count), count


def _wait(result: Any) -> None:
    """Returns when the device has computed a result, and all that was asked of it before."""
    if BACKEND == 'jax':
        import jax

        jax.block_until_ready(result)
    elif BACKEND == 'tensorflow':
        import tensorflow as tf

        tf.nest.flatten(result)[0].numpy()
    else:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


@contextlib.contextmanager
def factors_in(precision: str):
    """Products of float32 compiled, or with PyTorch called, within round their factors so."""
    if BACKEND == 'jax':
        import jax

        name = 'tensorfloat32' if precision == 'tf32' else 'float32'
        with jax.default_matmul_precision(name):
            yield
        return
    if BACKEND == 'tensorflow':
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(precision == 'tf32')
    else:
        import torch

        torch.backends.cuda.matmul.allow_tf32 = precision == 'tf32'
        torch.backends.cudnn.allow_tf32 = precision == 'tf32'
    yield
