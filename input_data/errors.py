"""The one error that everything reading or writing data raises."""

from common.errors import UserError


class DataError(UserError):
    """Something is wrong with a data file or with a flag that describes data.

    The message is one line: the file or flag, what was found, what was expected.
    """
