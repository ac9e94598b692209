"""What a user is told when a job cannot go on."""


class JobError(ValueError):
    """One line that names the flag or file, what was found and what was expected."""


def explain(error: Exception) -> str | None:
    """One line for an error that the user of a command can mend; None for a defect of ours."""
    from absl import flags

    if isinstance(error, (flags.Error, JobError)):
        return _one_line(str(error))
    if isinstance(error, OSError):
        path = f'{error.filename}: ' if error.filename else ''
        return _one_line(f'{path}{error.strerror or error}')
    # Only a program that got as far as importing TensorFlow can raise the rest.
    import tensorflow as tf

    from input_data import DataError
    from models import ModelError
    from models.checkpoint import CheckpointError
    from models.hparams import HParamsError

    if isinstance(error, (DataError, ModelError, CheckpointError, HParamsError)):
        return _one_line(str(error))
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return f'out of memory (a lower --batch_size may help): {_one_line(error.message)[:200]}'
    return None


def _one_line(text: str) -> str:
    return ' '.join(text.split())
