"""``python -m dnas.export``."""

import sys

from dnas.export.command import main

if __name__ == "__main__":
    main(sys.argv[1:])
