"""``python -m dnas.compare``."""

from dnas.compare.command import main

if __name__ == "__main__":
    main()
