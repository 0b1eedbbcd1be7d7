"""``python -m dnas.derive``."""

from dnas.derive.command import main

if __name__ == "__main__":
    main()
