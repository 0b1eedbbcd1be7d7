"""``python -m dnas.export``."""

from dnas.export.command import main

if __name__ == "__main__":
    main()
