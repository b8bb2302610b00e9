"""The exception that means "the user can fix this": commands turn it into one line and exit code 2."""

import re
from pathlib import Path

from lightdet.addresses import shown_address, without_secrets

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class UserError(Exception):
    """A mistake in the input (a file, a key, a flag), reported in one line that says what to do.

    `path` and `line` (1-based), if known, come before the message: ``labels/a.txt:3: …``. Secrets in addresses are not
    shown. A message may quote a file's content, so characters that break a line or control a terminal are escaped.
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
    """A network returned values that are not numbers: no verdict is possible, least of all OK."""


def _one_line(text: str) -> str:
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
