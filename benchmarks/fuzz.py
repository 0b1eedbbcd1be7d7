"""Mutated files for every parser of files that strangers may have written: only its own errors may come out.

    make fuzz                                             # ten minutes for each parser
    make fuzz FUZZ_MINUTES=0.5 FUZZ_PARSERS="space table"
    python benchmarks/fuzz.py --seed 7 --minutes 1

Prints, for each parser, the seed, the number of files, and every way to crash it with a file that does, which
stays in ``--keep``. An input that takes longer than 20 s counts as a crash.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from fuzz_parsers import Parser, parsers

SECONDS_EACH = 20


class Hangs(Exception):
    """A file that is read for too long."""


def main() -> int:
    """Fuzz; the exit status is 1 if anything crashed."""
    options = _options()
    warnings.simplefilter("ignore")
    print(f"seed {options.seed}", flush=True)
    crashed = False
    with tempfile.TemporaryDirectory() as folder:
        every = parsers(Path(folder))
        chosen = [each for each in every if not options.parsers or each.name in options.parsers]
        if unknown := set(options.parsers) - {each.name for each in every}:
            sys.exit(f"no parser {', '.join(unknown)}; known are {', '.join(each.name for each in every)}")
        for parser in chosen:
            count, crashes = fuzz(parser, Path(folder), options.seed, 60 * options.minutes)
            print(
                f"{parser.name}: {options.minutes:g} min, {count} files, {len(crashes)} crashes", flush=True
            )
            crashed |= bool(crashes)
            for place, content in crashes.items():
                options.keep.mkdir(parents=True, exist_ok=True)
                path = (
                    options.keep / f"{parser.name}-{hashlib.sha256(content).hexdigest()[:8]}{parser.suffix}"
                )
                path.write_bytes(content)
                print(f"  {place}\n    {path}", flush=True)
    return int(crashed)


def fuzz(parser: Parser, folder: Path, seed: int, seconds: float) -> tuple[int, dict[str, bytes]]:
    """Number of files, and one for each way to crash."""
    draw = random.Random(f"{parser.name} {seed}")
    path, crashes, count = folder / f"mutated{parser.suffix}", dict[str, bytes](), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = parser.mutated(draw)
        path.write_bytes(content)
        count += 1
        with _at_most(SECONDS_EACH):
            error = parser.crash(path)
        if error is not None:
            crashes.setdefault(_way(error), content)
    return count, crashes


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hangs(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _way(error: Exception) -> str:
    """The kind of an error and the innermost place in our code that it came through."""
    frames = [
        each for each in traceback.extract_tb(error.__traceback__) if "site-packages" not in each.filename
    ]
    ours = [each for each in frames if "/python3" not in each.filename] or frames
    what = f"{ours[-1].filename}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} in {what}: {str(error)[:150]!r}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help="names of those to fuzz; all by default")
    parser.add_argument("--minutes", type=float, default=10, help="for each parser")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--keep", type=Path, default=Path("runs/fuzz"), help="where files that crash stay")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
