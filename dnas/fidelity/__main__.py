"""``python -m dnas.fidelity``."""

import sys

from dnas.fidelity.command import main

if __name__ == "__main__":
    main(sys.argv[1:])
