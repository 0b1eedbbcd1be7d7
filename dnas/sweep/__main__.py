"""``python -m dnas.sweep``."""

from dnas.sweep.command import main

if __name__ == "__main__":
    main()
