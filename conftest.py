"""Set-up of every pytest run."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

from absl import flags

flags.FLAGS.mark_as_parsed()  # pytest's command line is not ours; create_tempdir() asks for flags
