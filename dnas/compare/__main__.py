"""``python -m dnas.compare``."""

import sys

from dnas.compare.command import main

if __name__ == "__main__":
    main(sys.argv[1:])
