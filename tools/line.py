"""Judge the pictures of many sources with several models; the code is in lightdet/cli/line.py."""

import os
import sys

# A script's folder comes first on sys.path, where profile.py would hide the standard library's profile.
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:] = [os.path.dirname(HERE), *(p for p in sys.path if os.path.realpath(p) != HERE)]

from lightdet.cli.start import door

if __name__ == "__main__":
    sys.exit(door("line"))
