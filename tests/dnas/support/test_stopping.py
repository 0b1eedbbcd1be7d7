"""The first signal is heard by the process that listens, a second one ends it; forked workers end by it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from signal import Signals

import pytest

from dnas.support.command import one_message
from dnas.support.stopping import STATUS, listening

ROOT = Path(__file__).resolve().parents[3]
FORKED = """
import os, signal, sys, time
from dnas.support.stopping import listening

with listening():
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getppid(), signal.SIGCONT)
        print("lives", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        print("not reached", flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("received", STATUS)
def test_a_signal_ends_a_command_with_its_status_and_a_line(
    received: Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(received)
    with pytest.raises(SystemExit) as caught, one_message("dnas thing"):
        signal.raise_signal(received)
    assert caught.value.code == STATUS[received]
    assert capsys.readouterr().err == f"dnas thing: stopped by {received.name}.\n"
    assert signal.getsignal(received) is before


def test_after_the_first_signal_the_system_ends_the_process() -> None:
    heard: list[Signals] = []
    with listening(heard.append):
        signal.raise_signal(Signals.SIGTERM)
        assert {signal.getsignal(each) for each in STATUS} == {signal.SIG_DFL}
    assert heard == [Signals.SIGTERM]


def test_other_threads_install_nothing() -> None:
    found = []

    def listen() -> None:
        with listening():
            found.append(signal.getsignal(Signals.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(Signals.SIGTERM)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_outlives_ctrl_c_and_ends_by_sigterm() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["lives", str(-Signals.SIGTERM)]), done.stderr
