"""Trains and evaluates capsule networks: reads the flags, runs one job.

python experiment.py --data_dir=DATA --summary_dir=RUN --max_steps=3000
python experiment.py --data_dir=DATA --summary_dir=RUN --train=false
python experiment.py --summary_dir=RUN --predict=digit.png
python experiment.py --summary_dir=RUN --export_dir=SAVED
"""

import importlib
import io
import sys
from collections.abc import Callable

from absl import app, flags

from common import errors
from common.descriptors import open_closed
from jobs import startup
from jobs.options import RunOptions, list_options

FLAGS = flags.FLAGS
JOBS = {
    'train': 'jobs.training.train',
    'evaluate': 'jobs.evaluation.evaluate',
    'predict': 'jobs.inference.predict',
    'export': 'jobs.inference.export',
}
DEFINE: dict[type, Callable] = {
    str: flags.DEFINE_string,
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
}

for option in list_options():
    bounds = {'lower_bound': option.lowest, 'upper_bound': option.highest}
    DEFINE[option.kind](
        option.name, option.default, option.help, **(bounds if option.kind is int else {})
    )


def main(argv: list[str]) -> None:
    """Does the job that the flags ask for."""
    if len(argv) > 1:
        raise flags.Error(f'unexpected argument {argv[1]!r}; flags start with --')
    names = [option.name for option in list_options()]
    given = frozenset(name for name in names if FLAGS[name].present)
    values = {name: getattr(FLAGS, name) for name in names}
    options = RunOptions(**values, given=given).of_trial()
    options.check()  # before TensorFlow takes seconds to be imported
    startup.import_tensorflow(show_all=FLAGS.debug)
    importlib.import_module(JOBS[options.job]).run(options)


def _parse_flags(argv: list[str]) -> list[str]:
    try:
        return FLAGS(argv)
    except SystemExit:  # absl leaves with status 1 after --help
        startup.import_tensorflow()
        import models

        print(models.describe_choices())
        sys.exit(0)


def run() -> None:
    """Runs the program; for anything a user can mend, one line on standard error and status 1."""
    open_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # names that the terminal cannot show
    try:
        app.run(main, flags_parser=_parse_flags)
    except KeyboardInterrupt:
        sys.exit('experiment: interrupted')
    except Exception as error:
        # The command line too: a flag before --debug may have ended its reading.
        if FLAGS['debug'].value or '--debug' in sys.argv:
            raise
        message = errors.explain_error(error)
        if message is None:
            raise
        sys.exit(f'experiment: {message}')


if __name__ == '__main__':
    run()
