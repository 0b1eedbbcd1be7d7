"""``python -m dnas.memory``."""

from dnas.memory.command import main

if __name__ == "__main__":
    main()
