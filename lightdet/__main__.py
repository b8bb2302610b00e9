"""``python -m lightdet``: the command where its script is not on the PATH."""

import sys

from lightdet.cli.start import main

if __name__ == "__main__":
    sys.exit(main())
