"""``python -m dnas.refine``."""

from dnas.refine.command import main

if __name__ == "__main__":
    main()
