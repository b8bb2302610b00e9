"""The one exception that means "the user can mend this": commands turn it into one line and exit code 2."""

from pathlib import Path

from lightdet.addresses import shown_address


class UserError(Exception):
    """A mistake in what was given (a file, a key, a flag), told in one line that says what to do.

    `path` and `line` (1-based), where known, stand before the message: ``labels/a.txt:3: …``; of an address only what
    is no secret.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        shown = "" if path is None else shown_address(str(path))
        where = "" if path is None else f"{shown}:{line}: " if line is not None else f"{shown}: "
        super().__init__(f"{where}{message}")
        self.message = message
        self.path = None if path is None else Path(path)
        self.line = line
