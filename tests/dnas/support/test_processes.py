"""Processes that torchrun starts: what they exchange, who speaks, how they end. They train nothing here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dnas.support.processes import broadcast, call, gather, joined, rank, world_size

ROOT = Path(__file__).resolve().parents[3]
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")
Process = subprocess.Popen[str]


def start(folder: Path, body: str, *arguments: str, processes: int = 3) -> Process:
    """Run ``body`` as the function of a command, in several processes."""
    script = (
        """
        import os, time
        from pathlib import Path
        from torch import distributed
        from dnas.support.command import Command
        from dnas.support.processes import broadcast, gather, rank, world_size

        def add_arguments(parser):
            parser.add_argument("--number", type=int)

        def run(options, console):
        """
        + textwrap.indent(textwrap.dedent(body), " " * 12)
        + """
        Command("dnas thing", "", add_arguments, run, resumes=True, shared=True)()
        """
    )
    (folder / "thing.py").write_text(textwrap.dedent(script), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("DNAS_TRACEBACK", None)
    return subprocess.Popen(
        [*TORCHRUN, f"--nproc-per-node={processes}", "thing.py", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(folder: Path, pattern: str, count: int, process: Process) -> list[Path]:
    while len(found := list(folder.glob(pattern))) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return found


def test_one_process_has_nobody_to_exchange_with() -> None:
    with joined():
        assert (rank(), world_size(), broadcast("a"), gather("b")) == (0, 1, "a", ["b"])


def test_how_a_command_was_called() -> None:
    torchrun = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}
    assert call("dnas refine", {}) == "dnas refine" == call("dnas refine", torchrun | {"WORLD_SIZE": "1"})
    assert call("dnas refine", torchrun) == "torchrun --standalone --nproc-per-node 4 -m -- dnas.refine"
    assert call("dnas refine", torchrun | {"WORLD_SIZE": "8"}) == "torchrun ... -m -- dnas.refine"


def test_they_exchange_and_the_first_prints(tmp_path: Path) -> None:
    """More bytes than the store takes at once; no group, and nothing left of the launcher's variables."""
    body = """
        assert not distributed.is_initialized() and "RANK" not in os.environ
        assert not [name for name in os.environ if "ELASTIC" in name or "WORLD" in name]
        for length in (1, 9 << 20):
            found = gather(str(rank()) * length)
            assert [(each[0], len(each)) for each in found] == [(n, length) for n in "012"]
        console.print(broadcast(f"from {rank()}"), world_size())
        print("also")
    """
    process = start(tmp_path, body)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert printed == "from 0 3\nalso\n"


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    process = start(tmp_path, "raise ValueError(f'bad {options.number}')", "--number=3", processes=2)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode and not printed
    assert errors.count("dnas thing: bad 3\n") == 1 and 'thing.py", line' not in errors


def test_a_mistake_in_the_options_is_told_once(tmp_path: Path) -> None:
    process = start(tmp_path, "pass", "--number=three", processes=2)
    errors = process.communicate(timeout=120)[1]
    assert errors.count("dnas thing: error: argument --number") == 1


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["a process", "torchrun"])
def test_when_one_is_killed_all_end_with_one_line(tmp_path: Path, victim: str) -> None:
    """While two wait for the third, which is busy."""
    body = """
        Path(f"{rank()}-{os.getpid()}.pid").touch()
        if rank() == 1:
            time.sleep(600)
        gather(None)
    """
    process = start(tmp_path, body, "--number=3")
    pids = {path.name[0]: int(path.stem[2:]) for path in wait_for(tmp_path, "*.pid", 3, process)}
    os.kill(process.pid if victim == "torchrun" else pids["1"], signal.SIGKILL)
    try:
        # Its pipes close when all are gone.
        errors = process.communicate(timeout=25)[1]
    finally:
        for pid in pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert errors.count("dnas thing: stopped by SIGTERM. What is done is kept. Go on with: torchrun ") == 1
    assert "--nproc-per-node 3 -m -- dnas.thing --number=3" in errors and 'thing.py", line' not in errors
