"""The start of every command: Ctrl-C while Python is still importing ends as quietly as later on.

Almost nothing may be imported before the guard is in place, so the imports are inside it.
"""

from lightdet.display.interrupted import interrupted


def main() -> int:
    """Run ``lightdet`` with the arguments of the process and return its exit code (see `lightdet.cli.app`)."""
    try:
        _leave_quickly()
        from lightdet.cli import app

        return app.main()
    except KeyboardInterrupt:
        return _interrupted_early()


def door(name: str) -> int:
    """Run the one command `name` for its script ``tools/<name>.py``; returns the exit code as `main` does."""
    try:
        _leave_quickly()
        from lightdet.cli import app

        return app.door(name)
    except KeyboardInterrupt:
        return _interrupted_early()


def _leave_quickly() -> None:
    """Exit quickly: a garbage collection over all that torch has loaded takes seconds, for nothing."""
    import atexit
    import gc

    atexit.register(gc.freeze)


def _interrupted_early() -> int:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second, impatient Ctrl-C would print a traceback from the exit
    return interrupted()
