"""What a user is told when the program cannot go on: one line, no traceback."""

import errno
import re

# Where absl quotes Python in place of saying what it expected.
_FLAG_WORDS = (
    (r': invalid literal for int\(\) with base 10: .*', ': expected a whole number'),
    (r": \('Non-boolean argument to boolean flag', .*\)", ': expected true or false'),
    (r': -?\d+ is not (an? .*)', r': expected \1'),
    (r"(Unknown command line flag '.*')\. Did you mean: (.*) \?", r'\1; expected perhaps \2'),
    (r"(Unknown command line flag '[^']*')$", r'\1; expected one that --help lists'),
    (r'Missing value for flag (--\w+)', r'\1: found no value; expected \1=VALUE'),
)


class UserError(ValueError):
    """One line that names the flag or file, what was found and what was expected."""


def explain_error(error: BaseException) -> str | None:
    """One line for an error that the user of a command can mend; None for a defect of ours."""
    from absl import flags

    if isinstance(error, flags.Error):
        text = str(error)
        for pattern, words in _FLAG_WORDS:
            text = re.sub(pattern, words, text, flags=re.DOTALL)
        return _one_line(text)
    if isinstance(error, UserError):
        return _one_line(str(error))
    if isinstance(error, OSError):
        # Files are written by functions that name them.
        is_output = error.errno in (errno.EPIPE, errno.ENOSPC)
        name = error.filename or ('standard output' if is_output else '')
        path = f'{name}: ' if name else ''
        found = error.strerror or error
        return _one_line(f'{path}{found}; expected to be able to read and write there')
    # Only a program that got as far as importing TensorFlow can raise the rest.
    import tensorflow as tf

    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
        text = _one_line(drop_marks(getattr(error, 'message', str(error))))[:200]
        # TensorFlow has one error for memory and disks.
        full = 'No space left' in text or 'quota' in text
        advice = 'out of memory (a lower --batch_size, or --eval_batch_size, may help): '
        return text if full else f'{advice}{text}'
    return None


def drop_marks(text: str) -> str:
    """What TensorFlow says, without the marks of its own functions."""
    return re.sub(r'{{function_node [^}]*}} ?| ?\[Op:\w+\]( name: .*)?', '', text)


def printable(text: str) -> str:
    """Without the characters that a terminal obeys, which the names of files may hold."""
    return ''.join(character if character.isprintable() else ' ' for character in text)


def _one_line(text: str) -> str:
    return ' '.join(printable(text).split())
