"""``python -m dnas.fidelity``."""

from dnas.fidelity.command import main

if __name__ == "__main__":
    main()
