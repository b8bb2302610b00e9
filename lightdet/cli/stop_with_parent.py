"""``python -m lightdet.cli.stop_with_parent``: the command ``lightdet``, ended when the process that started it ends.

Standard input is a pipe that the starter holds open and never writes to. When it closes, because the starter wants
this or because it is gone (``kill -9`` too), the command is interrupted as by Ctrl-C: a training saves and ends.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time

from lightdet.cli.start import main

GRACE_SECONDS = 150.0
"""What is not ended by then is ended for good."""


def _watch() -> None:
    while os.read(0, 1024):
        pass
    if os.name == "posix":
        os.kill(os.getpid(), signal.SIGINT)  # a real signal also ends waiting in the system
    else:
        _thread.interrupt_main()
    time.sleep(GRACE_SECONDS)
    os._exit(130)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.exit(main())
