"""The few training examples that summaries show at every checkpoint of a run."""

import zipfile

import numpy as np
import tensorflow as tf

from common import files

MOST_EXAMPLES = 8


def fixed_batch(path: str, batches: tf.data.Dataset) -> dict[str, np.ndarray]:
    """The first examples a run was trained on; the same ones after it is resumed.

    Args:
      path: of the .npz that keeps them.
      batches: feature batches, each iteration over them from the same one on; read where there is
        no such file, or a damaged one.

    Returns:
      Features of at most `MOST_EXAMPLES` examples.
    """
    wanted = batches.element_spec
    try:
        with np.load(path, allow_pickle=False) as stored:
            features = dict(stored)
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
        features = {}
    fits = features.keys() == wanted.keys() and all(
        spec.shape[1:].is_compatible_with(features[name].shape[1:]) for name, spec in wanted.items()
    )
    if not fits:
        first = next(iter(batches.take(1)))
        features = {name: value[:MOST_EXAMPLES].numpy() for name, value in first.items()}
        files.write_arrays(path, features)
    return features
