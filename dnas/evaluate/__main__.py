"""``python -m dnas.evaluate``."""

from dnas.evaluate.command import main

if __name__ == "__main__":
    main()
