"""``python -m dnas.derive``."""

import sys

from dnas.derive.command import main

if __name__ == "__main__":
    main(sys.argv[1:])
