"""What the speed claims rest on; each module runs as `python -m benchmarks.NAME [--json]`."""

import os

from jobs import startup

if os.environ.get('KERAS_BACKEND', 'tensorflow') == 'tensorflow':
    startup.import_tensorflow()  # as any job does
