"""Set-up of every pytest run."""

import logging
import os
import pathlib
import signal
import sys

# Tests of bad input read standard error: only what this project writes there may count.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import flags
from hypothesis import HealthCheck, settings

from jobs import startup

startup.choose_kernels()  # as in the jobs that tests start

# `nohup`, and `&` in a script, have what they start ignore these, which tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The same few examples in every run; --hypothesis-profile=long draws others, and many.
settings.register_profile(
    'ci',
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile('long', settings.get_profile('ci'), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'ci'))

ROOT = pathlib.Path(__file__).parent
# What stands between a caller and the function of TensorFlow that will go.
BETWEEN = ('logging', *(f'tensorflow.python.{name}.' for name in ('autograph', 'platform', 'util')))


def refuse_own_deprecations(record: logging.LogRecord) -> bool:
    """TensorFlow logs what will go, where others warn of it: caused here, it is an error too."""
    if 'is deprecated' in record.getMessage():
        frame = sys._getframe(1)
        while frame.f_globals['__name__'].startswith(BETWEEN):
            frame = frame.f_back
        caller = pathlib.Path(frame.f_globals.get('__file__', ''))
        if caller.is_relative_to(ROOT) and 'site-packages' not in caller.parts:
            raise DeprecationWarning(record.getMessage())
    return True


logging.getLogger('tensorflow').addFilter(refuse_own_deprecations)

flags.FLAGS.mark_as_parsed()  # pytest's command line is not ours; create_tempdir() asks for flags
