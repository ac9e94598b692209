"""What the backend computes on, and how precisely."""

import contextlib

import keras


def has_gpu() -> bool:
    """Whether the Keras backend has a GPU to compute on."""
    if keras.backend.backend() == 'torch':  # of which Keras lists no devices
        import torch

        return torch.cuda.is_available()
    # All of the best kind: JAX raises for the list of a kind that is not there.
    return any(name.lower().startswith('gpu') for name in keras.distribution.list_devices())


def full_precision() -> contextlib.AbstractContextManager:
    """Has JAX keep all 24 bits of float32's mantissa in products written within.

    By itself it keeps 11 of them on a GPU and 8 on a TPU. Other backends have one precision for all
    products.
    """
    if keras.backend.backend() != 'jax':
        return contextlib.nullcontext()
    import jax

    return jax.default_matmul_precision('float32')
