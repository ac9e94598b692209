"""Set-up of every pytest run."""

import os

# Tests of bad input read standard error: only what this project writes there may count.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from absl import flags
from hypothesis import HealthCheck, settings

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

flags.FLAGS.mark_as_parsed()  # pytest's command line is not ours; create_tempdir() asks for flags
