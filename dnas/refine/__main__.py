"""``python -m dnas.refine``."""

import sys

from dnas.refine.command import main

if __name__ == "__main__":
    main(sys.argv[1:])
