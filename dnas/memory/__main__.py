"""``python -m dnas.memory``."""

import sys

from dnas.memory.command import main

if __name__ == "__main__":
    main(sys.argv[1:])
