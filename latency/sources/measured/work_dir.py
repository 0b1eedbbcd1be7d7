"""The folder of a running measurement: what it is, and every visit on a line of its own, none ever lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dnas.support.files import append_line, write_text
from dnas.support.sealed_json import seal, unseal, whole_lines
from latency.sources.measured.visits import is_visit
from latency.table.errors import TableError

IDENTITY, VISITS, LOCK = "measuring.json", "visits.jsonl", "lock"


class WorkDir:
    """Holds the folder for one process; ``identity`` says what is measured, how, and on what.

    Use it in a ``with`` statement. Entering raises :class:`TableError` when another process holds the folder
    or when the folder is that of another measurement.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, Any]) -> None:
        self.path, self.identity = Path(path), json.loads(json.dumps(identity))
        self._lock: IO[str] | None = None

    def __enter__(self) -> WorkDir:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path / LOCK)
        try:
            self._check_identity()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock:
            self._lock.close()

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one line and hand it to the disk before returning."""
        append_line(self.path / VISITS, json.dumps(seal(record)))

    def records(self) -> list[dict[str, Any]]:
        """All lines so far, oldest first; those that are truncated or damaged are not there."""
        path = self.path / VISITS
        if not path.exists():
            return []
        return [unseal(json.loads(line)) for line in whole_lines(path, is_visit)]

    def _check_identity(self) -> None:
        path = self.path / IDENTITY
        if not path.exists():
            write_text(path, json.dumps(seal(self.identity), indent=2) + "\n")
            return
        try:
            found = unseal(json.loads(path.read_text(encoding="utf-8")))
            if not isinstance(found, dict):
                raise ValueError("it holds no mapping")
        except (ValueError, RecursionError) as error:
            raise TableError(f"{path} is damaged ({error}); remove the folder to begin again.") from error
        keys = [key for key in {**found, **self.identity} if found.get(key) != self.identity.get(key)]
        if keys:
            listing = "\n  ".join(f"{k}: {found.get(k)!r} there, {self.identity.get(k)!r} now" for k in keys)
            raise TableError(
                f"{self.path} holds another measurement:\n  {listing}\n"
                "Repeat it with its own options to resume it, or give another --work-dir."
            )


def _locked(path: Path) -> IO[str]:
    """The open lock file; the operating system lets go of it however the process ends."""
    try:
        import fcntl
    except ImportError:
        raise TableError("Measuring needs a POSIX system (Linux, macOS, WSL).") from None
    stream = open(path, "a", encoding="utf-8")  # noqa: SIM115 held as long as the measurement runs
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        raise TableError(
            f"{path.parent} is in use by another process: wait for it, or give another --work-dir."
        ) from None
    return stream
