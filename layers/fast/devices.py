"""What the backend computes on."""

import keras


def has_gpu() -> bool:
    """Whether the Keras backend has a GPU to compute on."""
    if keras.backend.backend() == 'torch':  # of which Keras lists no devices
        import torch

        return torch.cuda.is_available()
    # All of the best kind: JAX raises for the list of a kind that is not there.
    return any(name.lower().startswith('gpu') for name in keras.distribution.list_devices())
