"""``python -m dnas.zoo``."""

from dnas.zoo.command import main

if __name__ == "__main__":
    main()
