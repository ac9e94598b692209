"""The one error that everything reading or writing data raises."""


class DataError(ValueError):
    """Something is wrong with a data file or with a flag that describes data.

    The message is one line: the file or flag, what was found, what was expected.
    """
