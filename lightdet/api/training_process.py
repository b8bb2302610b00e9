"""``python -m lightdet.api.training_process OPTIONS``: one training of a comparison, ended when its starter ends.

OPTIONS are those of `lightdet.train` as JSON. Standard input is a pipe that the starter keeps open and never writes to.
When it closes, because the starter closes it or is gone (``kill -9`` too), the training is interrupted as by Ctrl-C:
it saves and ends.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time

from lightdet.display.interrupted import interrupted
from lightdet.display.outcome import exit_code

GRACE_SECONDS = 150.0
"""What has not ended by then is killed."""


def _watch() -> None:
    while os.read(0, 1024):
        pass
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGINT)  # a real signal also ends waiting in the system
    else:
        _thread.interrupt_main()
    time.sleep(GRACE_SECONDS)
    os._exit(130)


def _train() -> int:
    from lightdet.api.train import train  # noqa: PLC0415 - a Ctrl-C meanwhile must end as quietly

    return 130 if train(**json.loads(sys.argv[1])).stopped else 0


def main() -> int:
    """Train as the options say; returns the exit code."""
    try:
        return exit_code(_train)
    except KeyboardInterrupt:
        return interrupted()


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.exit(main())
