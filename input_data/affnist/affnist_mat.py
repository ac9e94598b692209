"""affNIST's official MATLAB files.

A file holds one struct, affNISTdata, whose field `image` has a column of 1,600 pixels for each
example and whose field `label_int` has its class.
"""

import numpy as np

from input_data.errors import DataError

SIDE = 40  # pixels of an image
NUM_CLASSES = 10
ONES_LOOKED_AT = 500
_STRUCT = 'affNISTdata'


def read(path: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Reads one file.

    Args:
      path: a MATLAB file of version 5 to 7, as the official ones are.
      limit: keep the first `limit` examples only.

    Returns:
      uint8 images [n, 40, 40], upright, and uint8 labels [n].

    Raises:
      DataError: if the file is damaged or holds something else, or scipy is not installed.
    """
    data = _load(path)
    columns, labels = (_field(path, data, name) for name in ('image', 'label_int'))
    if columns.ndim != 2 or columns.shape[0] != SIDE * SIDE or not columns.shape[1]:
        raise DataError(f'{path}: found image {columns.shape}; expected ({SIDE * SIDE}, n)')
    count = columns.shape[1]
    if labels.size != count:
        raise DataError(f'{path}: found {labels.size} labels; expected {count}, one for each image')
    labels = labels.reshape(-1)[:limit]  # [n]
    columns = columns[:, :limit]  # [1600, n]
    for name, values, highest in (('image', columns, 255), ('label_int', labels, NUM_CLASSES - 1)):
        _check_bytes(path, name, values, highest)
    images = columns.T.astype(np.uint8, copy=False).reshape(-1, SIDE, SIDE)  # [n, 40, 40]
    labels = labels.astype(np.uint8)
    return (images if _is_row_major(images, labels) else images.swapaxes(1, 2)), labels


def _load(path: str) -> np.void:
    """The struct of a file, its fields by name."""
    try:
        from scipy import io
    except ImportError as error:
        raise DataError(
            f'scipy: not found ({error}); expected the package, which reads {path}: '
            "pip install 'capsnet[affnist]'"
        ) from error
    try:
        found = io.loadmat(path, appendmat=False, variable_names=[_STRUCT])
    except Exception as error:  # on foreign bytes scipy raises whatever it stumbles over
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise DataError(
            f'{path}: found no readable MATLAB file ({reason}); expected version 5 to 7'
        ) from error
    data = found.get(_STRUCT)
    if data is None or data.dtype.names is None or data.size != 1:
        raise DataError(f'{path}: found no struct {_STRUCT}; expected it, as in the official files')
    return data.reshape(-1)[0]


def _field(path: str, data: np.void, name: str) -> np.ndarray:
    if name not in data.dtype.names:
        raise DataError(
            f'{path}: found fields {", ".join(data.dtype.names)} in {_STRUCT}; expected {name}'
        )
    return data[name]


def _check_bytes(path: str, name: str, values: np.ndarray, highest: int) -> None:
    if values.dtype.kind not in 'uif':
        raise DataError(f'{path}: found {name} of type {values.dtype}; expected numbers')
    lowest, largest = values.min(), values.max()
    if not (lowest >= 0 and largest <= highest):
        raise DataError(f'{path}: found {name} from {lowest} to {largest}; expected 0 to {highest}')
    if values.dtype.kind == 'f' and np.any(values != np.floor(values)):
        raise DataError(f'{path}: found fractions in {name}; expected whole numbers')


def _is_row_major(images: np.ndarray, labels: np.ndarray) -> bool:
    """Whether a column of a file runs through an image row by row.

    MATLAB's own order is column by column, a NumPy program's row by row, and a file does not say
    which it is in. Its ones do: taken together they stand upright, higher than wide, though
    each is turned and slanted a little. Without any ones MATLAB's order is taken.
    """
    ones = images[np.flatnonzero(labels == 1)[:ONES_LOOKED_AT]].astype(np.float64)
    spread = []
    for axis in (1, 2):
        profile = ones.sum(axis=3 - axis)  # [ones, 40]
        mass = np.maximum(profile.sum(axis=1), 1)
        place = np.arange(SIDE)
        mean = (profile * place).sum(axis=1) / mass
        spread.append(((profile * place**2).sum(axis=1) / mass - mean**2).sum())
    rows, columns = spread
    return rows > columns
