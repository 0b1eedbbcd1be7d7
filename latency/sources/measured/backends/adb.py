"""A phone behind ``adb``: finding it, asking what it is, running commands and copying files to it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from latency.table.errors import TableError

TIMEOUT_S = 600
UNKNOWN = "unknown"
GLES = re.compile(r"GLES: [^,]+, (?P<gpu>[^,]+), (?P<driver>.+)")


class Phone:
    """One device; ``serial`` as ``adb devices`` names it."""

    def __init__(self, serial: str) -> None:
        self.serial = serial

    def shell(self, *command: str) -> str:
        """Output and errors of a command on the phone; raises :class:`TableError` when it fails."""
        return _adb("-s", self.serial, "shell", " ".join(command) + " 2>&1")

    def push(self, source: Path, target: str) -> None:
        """Copy a file to the phone; raises :class:`TableError` when that fails."""
        _adb("-s", self.serial, "push", str(source), target)

    def facts(self) -> dict[str, str]:
        """Device, soc, gpu and driver in the phone's own words, ``unknown`` where it does not say."""
        maker, model = self._property("ro.product.manufacturer"), self._property("ro.product.model")
        soc = " ".join(filter(None, [self._property("ro.soc.manufacturer"), self._property("ro.soc.model")]))
        gles = GLES.search(self.shell("dumpsys", "SurfaceFlinger"))
        return {
            "device": f"{maker} {model}".strip() or UNKNOWN,
            "soc": soc or self._property("ro.board.platform") or UNKNOWN,
            "gpu": gles["gpu"].strip() if gles else UNKNOWN,
            "driver": gles["driver"].strip() if gles else UNKNOWN,
        }

    def _property(self, name: str) -> str:
        return self.shell("getprop", name).strip()


def find_phone(serial: str | None) -> tuple[str, list[str]]:
    """The serial of the phone to use, and what is missing to use one (then the serial is empty)."""
    if shutil.which("adb") is None:
        return "", ["adb: install Android's SDK platform-tools and put adb on the PATH"]
    lines = [line.split() for line in _adb("devices").splitlines()[1:] if line.strip()]
    ready = [words[0] for words in lines if words[1:2] == ["device"]]
    if serial is not None and serial not in ready:
        return "", [f"a ready phone {serial}: 'adb devices' lists {_listing(lines)}"]
    if serial is None and len(ready) != 1:
        what = "one of several phones: give --serial" if ready else "a phone with USB debugging allowed"
        return "", [f"{what}; 'adb devices' lists {_listing(lines)}"]
    return serial or ready[0], []


def _listing(lines: Sequence[Sequence[str]]) -> str:
    return ", ".join(" ".join(words[:2]) for words in lines) or "none"


def _adb(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["adb", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise TableError(f"'adb {' '.join(arguments)}' did not end within {TIMEOUT_S} s.") from None
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-2000:]
        raise TableError(f"'adb {' '.join(arguments)}' ended with code {done.returncode}: {output}")
    return done.stdout
