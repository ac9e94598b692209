"""What a user is told when a job cannot go on."""


class JobError(ValueError):
    """One line that names the flag or file, what was found and what was expected."""


def explain(error: Exception) -> str | None:
    """One line for an error that the user of a command can mend; None for a defect of ours."""
    from absl import flags

    from input_data.command_line import flag_fault

    if isinstance(error, flags.Error):
        return _one_line(flag_fault(error))
    if isinstance(error, JobError):
        return _one_line(str(error))
    if isinstance(error, OSError):
        path = f'{error.filename}: ' if error.filename else ''
        found = error.strerror or error
        return _one_line(f'{path}{found}; expected to be able to read and write there')
    # Only a program that got as far as importing TensorFlow can raise the rest.
    import tensorflow as tf

    from input_data import DataError
    from models import ModelError
    from models.checkpoint import CheckpointError
    from models.hparams import HParamsError

    if isinstance(error, (DataError, ModelError, CheckpointError, HParamsError)):
        return _one_line(str(error))
    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
        text = _one_line(getattr(error, 'message', str(error)))[:200]
        # TensorFlow has one error for memory and disks.
        full = 'No space left' in text or 'quota' in text
        advice = '' if full else 'out of memory (a lower --batch_size may help): '
        return f'{advice}{text}'
    return None


def printable(text: str) -> str:
    """Without the characters that a terminal obeys, which the names of files may hold."""
    return ''.join(character if character.isprintable() else ' ' for character in text)


def _one_line(text: str) -> str:
    return ' '.join(printable(text).split())
