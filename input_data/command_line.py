"""The frame of the programs that write data files: flags, help, a line for an error, a status.

A program runs as a script from any folder, and as a module, after these two lines:

    if not __package__:
        sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])
"""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from absl import flags

from common.errors import UserError, explain_error
from input_data.errors import DataError


class Option(NamedTuple):
    """A flag; of what kind it is, its default says."""

    name: str
    default: str | int | bool
    help: str
    least: int | None = None  # the lowest value of a number


OUTPUT_DIR = Option('output_dir', '', 'Folder of the records, made if absent; by default data_dir.')
_COMMON = (Option('debug', False, 'Show tracebacks.'), Option('help', False, 'Show this help.'))
_DEFINE: dict[type, Callable[..., object]] = {
    str: flags.DEFINE_string,
    int: flags.DEFINE_integer,
    bool: flags.DEFINE_boolean,
}


def program(
    name: str,
    description: str | None,
    main: Callable[[flags.FlagValues], object],
    data_dir: str,
    options: Sequence[Option] = (),
) -> Callable[..., int]:
    """A program that writes data files.

    Args:
      name: of the program, as its messages begin.
      description: what --help says before the flags.
      main: does what the flags say; what it raises and a user can mend becomes one line.
      data_dir: what that flag is to name, as in 'a folder to write to'.
      options: its other flags.

    Returns:
      `run(arguments=None)` -> exit status; the arguments are by default those of this process.
    """
    options = (Option('data_dir', '', f'{data_dir[0].upper()}{data_dir[1:]}.'), *options, *_COMMON)

    def run(arguments: list[str] | None = None) -> int:
        # Not absl's global flags: experiment.py has a --data_dir too, and one process may import
        # both.
        values = flags.FlagValues()
        for option in options:
            define = _DEFINE[type(option.default)]
            define(option.name, option.default, option.help, flag_values=values)
        # An exception, unlike a signal's default, leaves no half a file behind.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        try:
            rest = values([name, *(sys.argv[1:] if arguments is None else arguments)])[1:]
            if values.help:
                print(f'{description}\n{values.get_help()}')
                return 0
            _check(values, options, rest)
            if not values.data_dir:
                raise DataError(f'--data_dir: not given; expected {data_dir}')
            if OUTPUT_DIR in options and not values.output_dir:
                values.output_dir = values.data_dir
            main(values)
            return 0
        except KeyboardInterrupt:
            message, status = 'interrupted; every file is as it was, or finished', 130
        except (OSError, MemoryError, UserError, flags.Error) as error:
            if values['debug'].value:
                raise
            message, status = _explain(error, values), 1
        print(f'{name}: {message}', file=sys.stderr)
        return status

    return run


def _check(values: flags.FlagValues, options: Sequence[Option], rest: list[str]) -> None:
    if rest:
        raise DataError(f'{rest[0]}: unexpected argument; expected flags only')
    for option in options:
        value: Any = values[option.name].value
        # No name of a file holds one: Python's own complaint would name no flag.
        if isinstance(value, str) and '\0' in value:
            raise DataError(f'--{option.name}={value!r}: found a NUL character; expected none')
        if option.least is not None and value < option.least:
            raise DataError(f'--{option.name}={value}: expected {option.least} or more')


def _explain(error: Exception, values: flags.FlagValues) -> str:
    if isinstance(error, MemoryError):
        return f'out of memory; expected to get more {error}'.strip()
    if isinstance(error, OSError):
        error.filename = error.filename or values.data_dir
    return explain_error(error) or str(error)
