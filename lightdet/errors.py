"""The exception that means "the user can mend this": commands turn it into one line and exit code 2."""

import re
from pathlib import Path

from lightdet.addresses import shown_address, without_secrets

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class UserError(Exception):
    """A mistake in what was given (a file, a key, a flag), told in one line that says what to do.

    `path` and `line` (1-based), where known, stand before the message: ``labels/a.txt:3: …``. Of an address in either
    only what is no secret is shown. What files hold may stand in a message, so characters that break a line or steer a
    terminal are written out.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        message = without_secrets(message)
        shown = "" if path is None else shown_address(str(path))
        where = "" if path is None else f"{shown}:{line}: " if line is not None else f"{shown}: "
        super().__init__(_one_line(f"{where}{message}"))
        self.message = _one_line(message)
        self.path = None if path is None else Path(path)
        self.line = line


class NetworkError(UserError):
    """A network gave values that are no numbers: nothing can be said of any picture, least of all that it is OK."""


def _one_line(text: str) -> str:
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
