"""Imports TensorFlow without its start-up chatter, and sets devices up."""

import contextlib
import gc
import os
import platform
import sys
from collections.abc import Iterator

from absl import logging

from common.descriptors import capture_stderr

# What TensorFlow's libraries print before their own log level takes effect, on any machine.
CHATTER = (
    'WARNING: All log messages before absl::InitializeLog()',
    'I0000 ',
    'To enable the following instructions',
)
NO_GPU_CHATTER = ('failed call to cuInit', 'Could not find cuda drivers')
# Keras imports them where they are installed, a third of the time; no job needs them in Keras.
UNUSED_BY_JOBS = ('matplotlib', 'pandas', 'sklearn')


def choose_kernels() -> None:
    """Has TensorFlow, not imported yet, compute with oneDNN on any x86 processor.

    By itself it does so only on those with AVX512-VNNI or its like. With AVX2 alone a training step
    takes twice as long without (benchmarks/README.md).
    """
    if platform.machine() in ('x86_64', 'AMD64'):
        os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')


def import_tensorflow(show_all: bool = False):
    """Imports TensorFlow, looks for devices and returns the module.

    Args:
      show_all: let everything through that TensorFlow prints on standard error.
    """
    choose_kernels()
    if show_all:
        import tensorflow as tf

        return tf
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    with capture_stderr() as captured, _hurry():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()
    # "Waiting for new checkpoint" and the like; jobs say in their own words what they wait for.
    tf.get_logger().setLevel('WARNING')
    logging.set_verbosity(logging.WARNING)
    for line in captured:
        if not line.startswith(CHATTER) and not any(text in line for text in NO_GPU_CHATTER):
            print(line, file=sys.stderr)
    return tf


@contextlib.contextmanager
def _hurry() -> Iterator[None]:
    """Halves the time of an import of TensorFlow and Keras."""
    hidden = [name for name in UNUSED_BY_JOBS if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # what makes an import of it fail
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is there now stays: the collector need not look through it again
        gc.enable()
        for name in hidden:
            del sys.modules[name]
