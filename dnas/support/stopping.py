"""Signals that ask a process to stop, and the status that it then ends with.

=======  ======  =========================================================================
signal   status  sent by
=======  ======  =========================================================================
SIGINT      130  Ctrl-C
SIGTERM     143  batch systems and clouds that take a machine back, ``kill``
SIGUSR1      75  batch systems that warn before a time limit (``sbatch --signal=USR1@90``):
                 the job wants to be queued again (EX_TEMPFAIL of sysexits.h)
=======  ======  =========================================================================
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from signal import Signals
from types import FrameType

STATUS = {Signals.SIGINT: 130, Signals.SIGTERM: 143} | (
    {Signals.SIGUSR1: 75} if hasattr(signal, "SIGUSR1") else {}
)

Receiver = Callable[[Signals], None]


class Stopped(BaseException):
    """A signal asked this process to stop; no error, so ``except Exception`` lets it pass.

    Attributes:
        signal: which.
        note: what is kept, and how to go on, where that is known.
    """

    def __init__(self, signal: Signals, note: str = "") -> None:
        super().__init__(signal, note)
        self.signal, self.note = signal, note

    @property
    def status(self) -> int:
        """The exit status of a process that this ended."""
        return STATUS[self.signal]

    def __str__(self) -> str:
        return f"stopped by {self.signal.name}. {self.note}".rstrip()


def stop_at_once(received: Signals) -> None:
    """The receiver of commands that have everything on disk already; raises :class:`Stopped`."""
    raise Stopped(received)


@contextmanager
def listening(receiver: Receiver = stop_at_once) -> Iterator[None]:
    """Within this context the first of the signals goes to ``receiver``, and a second one ends the process.

    What was installed before is restored. Only the main thread may install anything: elsewhere (workers of
    notebooks) signals keep their meaning.
    """
    previous = install(receiver)
    try:
        yield
    finally:
        restore(previous)


def install(receiver: Receiver) -> dict[Signals, object]:
    """Begin what :func:`listening` does; returns what :func:`restore` takes."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    process = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        received = Signals(number)
        # By the system, not by Python: a second signal ends a process that hangs in a library, too.
        for each in STATUS:
            signal.signal(each, signal.SIG_DFL)
        if os.getpid() == process:
            receiver(received)
        elif received is not Signals.SIGINT:
            # A forked worker: a terminal's Ctrl-C reaches it as well, and its parent ends it.
            signal.raise_signal(received)

    return {each: signal.signal(each, handle) for each in STATUS}


def restore(previous: dict[Signals, object]) -> None:
    """Put back the handlers that :func:`install` found."""
    for each, handler in previous.items():
        signal.signal(each, handler)  # type: ignore[arg-type]
