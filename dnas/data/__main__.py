"""``python -m dnas.data``."""

from dnas.data.command import main

if __name__ == "__main__":
    raise SystemExit(main())
