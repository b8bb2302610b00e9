"""The one exception that means "the user can mend this": commands turn it into one line and exit code 2."""

from pathlib import Path


class UserError(Exception):
    """A mistake in what was given (a file, a key, a flag), told in one line that says what to do.

    `path` and `line` (1-based), where known, stand before the message: ``labels/a.txt:3: …``.
    """

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(f"{where}{message}")
        self.message = message
        self.path = None if path is None else Path(path)
        self.line = line
