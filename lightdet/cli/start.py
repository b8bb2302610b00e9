"""Where every command begins: a Ctrl-C while Python still reads its files ends as quietly as a later one.

Next to nothing may be imported before the guard stands, so the imports are inside it.
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
    """Spare the way out: to look through all that torch brings for garbage takes seconds, of which nobody has a use."""
    import atexit
    import gc

    atexit.register(gc.freeze)


def _interrupted_early() -> int:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second one would show where the exit stands
    return interrupted()
