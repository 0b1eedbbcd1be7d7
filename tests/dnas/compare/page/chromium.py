"""Headless Chromium over its DevTools pipe: opens a page, evaluates in it, takes a picture of it.

Needs no package: Chrome's JSON commands, ended by a zero byte, go through file descriptors 3 and 4. As a
command it takes the picture of a report for the documentation:

    python tests/dnas/compare/page/chromium.py runs/demo/report.html docs/images/report.png --width 1280
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 60.0


def find_chromium() -> str | None:
    """The executable that the environment variable CHROMIUM names, or the first of NAMES on the path."""
    if "CHROMIUM" in os.environ:
        return os.environ["CHROMIUM"]
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """A browser with one empty page, ended with the ``with`` block."""

    def __init__(self, executable: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dnas-chromium-", ignore_cleanup_errors=True)
        self._ids = 0
        self._unread = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        self._start(executable)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._to)
        os.close(self._from)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._folder.cleanup()

    def open(self, page: Path, width: int, *, dark: bool = False, script: bool = True) -> None:
        """Load a file in a window ``width`` CSS pixels wide; below 600 as a phone with a touch screen."""
        phone = width < 600
        size = {"width": width, "height": 844 if phone else 900}
        self.send(
            "Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=2 if phone else 1, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        self.events.clear()
        self.send("Page.navigate", url=page.resolve().as_uri())
        self._await("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; what it throws is raised."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def screenshot(self, picture: Path, selector: str = "html") -> Path:
        """A PNG of the whole page, or of the first element that the CSS selector finds."""
        place = f"JSON.stringify(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        box = json.loads(self.evaluate(place))
        clip = {key: box[key] for key in ("x", "y", "width", "height")} | {"scale": 1}
        answer = self.send("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        picture.write_bytes(base64.b64decode(answer["data"]))
        return picture

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One DevTools command and its result; events that arrive meanwhile are kept in ``events``."""
        self._ids += 1
        message: dict[str, Any] = {"id": self._ids, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        while (answer := self._receive()).get("id") != self._ids:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _start(self, executable: str) -> None:
        (their_in, self._to), (self._from, their_out) = map(_pipe, range(2))
        options = ["--headless", "--remote-debugging-pipe", f"--user-data-dir={self._folder.name}"]
        options += ["--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        # As root, as in most containers, Chromium's sandbox does not start.
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        actions: list[Any] = [(os.POSIX_SPAWN_DUP2, their_in, 3), (os.POSIX_SPAWN_DUP2, their_out, 4)]
        actions += [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
        self._pid = os.posix_spawn(executable, [executable, *options], os.environ, file_actions=actions)
        os.close(their_in)
        os.close(their_out)

    def _await(self, method: str) -> None:
        while all(event.get("method") != method for event in self.events):
            self.events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._from, 1 << 16) if ready else b""
            if not piece:
                raise RuntimeError(
                    "Chromium ended." if ready else f"Chromium was silent for {TIMEOUT_S:g} s."
                )
            self._unread += piece
        message, _, self._unread = self._unread.partition(b"\0")
        decoded: dict[str, Any] = json.loads(message)
        return decoded


def _pipe(_: int) -> tuple[int, int]:
    """A pipe whose ends are above 9: 3 and 4 are where the browser will look."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Take a picture of an HTML page, or of a part of it.")
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path, help="a .png file")
    parser.add_argument("--width", type=int, default=1280, help="CSS pixels; a phone has 390")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--selector", default="html", help="CSS selector of the part, such as '#front'")
    options = parser.parse_args()
    executable = find_chromium()
    if executable is None:
        parser.error(f"no Chromium: none of {', '.join(NAMES)} is on the path, and CHROMIUM is not set")
    with Chromium(executable) as browser:
        browser.open(options.page, options.width, dark=options.dark)
        browser.screenshot(options.picture, options.selector)


if __name__ == "__main__":
    main()
