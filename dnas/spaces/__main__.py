"""``python -m dnas.spaces``."""

from dnas.spaces.command import main

if __name__ == "__main__":
    raise SystemExit(main())
