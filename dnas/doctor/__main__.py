"""``python -m dnas.doctor``."""

from dnas.doctor.command import main

if __name__ == "__main__":
    raise SystemExit(main())
