"""What the programs that write data files share: help, one line for an error, an exit status."""

import signal
import sys
from collections.abc import Callable

from absl import flags

from common.errors import UserError, explain_error
from input_data.errors import DataError


def run(
    name: str,
    description: str,
    values: flags.FlagValues,
    main: Callable[[flags.FlagValues], object],
    arguments: list[str] | None = None,
) -> int:
    """Runs a program; for anything a user can mend, one line on standard error.

    Args:
      name: of the program, as its messages begin.
      description: what --help says before the flags.
      values: its flags, not parsed yet; `data_dir`, `debug` and `help` among them.
      main: does what the flags say.
      arguments: of the command line; by default those of this process.

    Returns:
      The exit status.
    """
    # An exception, unlike a signal's default, leaves no half a file behind.
    signal.signal(signal.SIGTERM, _on_terminate)
    try:
        rest = values([name, *(sys.argv[1:] if arguments is None else arguments)])[1:]
        if values.help:
            print(f'{description}\n{values.get_help()}')
        elif rest:
            raise DataError(f'{rest[0]}: unexpected argument; expected flags only')
        else:
            _refuse_nul(values)
            main(values)
        return 0
    except KeyboardInterrupt:
        message, status = 'interrupted; every file is as it was, or finished', 130
    except OSError as error:
        if values['debug'].value:
            raise
        where, what = error.filename or values.data_dir, error.strerror or error
        message, status = f'{where}: {what}; expected to be able to write', 1
    except (UserError, flags.Error) as error:
        if values['debug'].value:
            raise
        message, status = str(explain_error(error)), 1
    print(f'{name}:', *message.split(), file=sys.stderr)
    return status


def _refuse_nul(values: flags.FlagValues) -> None:
    """No name of a file holds one: Python's own complaint would name no flag."""
    for name, value in values.flag_values_dict().items():
        if isinstance(value, str) and '\0' in value:
            raise DataError(f'--{name}={value!r}: found a NUL character; expected none')


def _on_terminate(number: int, _: object) -> None:
    raise SystemExit(128 + number)
