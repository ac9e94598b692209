"""Reads one of affNIST's MATLAB files with SciPy: `python mat_file.py PATH`.

The arrays go to standard output as NumPy's .npy files, one after the other; what is wrong, to
standard error. A process of its own, because SciPy ends it over cells in cells without end, and
takes whatever memory the sizes in a damaged file promise.
"""

import resource
import sys

import numpy as np
import scipy.io

STRUCT = 'affNISTdata'
FIELDS = ('image', 'label_int')
MOST_BYTES = 2 << 30  # of memory; the largest official file holds 0.6 GB


def main(path: str) -> None:
    """Writes the arrays of the file at `path`, or ends with what is wrong with it."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    try:
        struct = scipy.io.loadmat(path, variable_names=[STRUCT]).get(STRUCT)
    except Exception as error:  # SciPy raises whatever it stumbles over in a damaged file
        reason = str(error) or type(error).__name__
        sys.exit(f'found no readable MATLAB file ({reason}); expected version 5 to 7')
    if not isinstance(struct, np.ndarray) or struct.shape != (1, 1) or not struct.dtype.names:
        sys.exit(f'found no struct {STRUCT}; expected it, as in the official files')
    for name in FIELDS:
        if name not in struct.dtype.names:
            found = ', '.join(struct.dtype.names)[:200]
            sys.exit(f'found fields {found} in {STRUCT}; expected {name}')
        values = struct[name][0, 0]
        if not isinstance(values, np.ndarray) or values.dtype.kind not in 'iuf':
            sys.exit(f'found {name} of another type; expected numbers')
        np.save(sys.stdout.buffer, values, allow_pickle=False)


if __name__ == '__main__':
    main(sys.argv[1])
