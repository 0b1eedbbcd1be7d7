"""Several processes that work on one list: who does what, and exchanging the results.

The processes of torchrun exchange values through its key-value store and form no process group: in one,
Lightning and torchmetrics would synchronise what each process trains and evaluates separately, waits would
have a time limit, and a signal would not end them. In a training with Lightning's DDP its group is used.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, TypeVar

from dnas.support.stopping import Stopped

T = TypeVar("T")

_POLL_S = 0.05
_WATCH_S = 1.0
# The store takes values of up to 8 MiB.
_PIECE = 4 << 20
_FAILED = "failed"
# What a launcher says to its processes, and Lightning would take for its own.
_LAUNCHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LAUNCHER_PREFIXES = ("LOCAL_", "GROUP_", "ROLE_", "TORCHELASTIC_")


def rank() -> int:
    """Number of this process, 0 the first."""
    if _exchange is not None:
        return _exchange.rank
    return int(_group().get_rank()) if _group() else 0


def world_size() -> int:
    """Number of processes."""
    if _exchange is not None:
        return _exchange.size
    return int(_group().get_world_size()) if _group() else 1


def broadcast(value: T) -> T:
    """What the first process gives; returns when all processes have called it."""
    return gather(value if rank() == 0 else None)[0]  # type: ignore[return-value]


def gather(value: T) -> list[T]:
    """What every process gives, in their order, to all of them.

    Raises:
        ValueError: the process that keeps the exchange (torchrun) has ended.
    """
    if _exchange is not None:
        return _exchange.gather(value)
    if not _group():
        return [value]
    values: list[T] = [value] * world_size()
    _group().all_gather_object(values, value)
    return values


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started, for as long as the context lasts.

    Within it the environment says nothing of them, every process sees one GPU, and only the first prints.
    Of several processes that fail, only the first to do so raises its error; the others exit silently.
    """
    global _exchange
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or _exchange is not None or _group():
        yield
        return
    exchange = _exchange = _Exchange()
    try:
        with _as_if_alone(), _silent(exchange.rank > 0), _ending_with_torchrun(exchange):
            yield
        exchange.leave()
    except (Exception, Stopped) as error:
        if exchange.is_first_to(_FAILED):
            raise
        raise SystemExit(error.status if isinstance(error, Stopped) else 1) from None
    finally:
        _exchange = None


@contextmanager
def one_exit() -> Iterator[None]:
    """Where all processes may print to stderr and exit, as parsers of arguments do, have one print."""
    if _exchange is None:
        yield
        return
    printed = StringIO()
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit:
        if _exchange.is_first_to(_FAILED):
            sys.stderr.write(printed.getvalue())
        raise


def call(command: str, environment: Mapping[str, str] = os.environ) -> str:
    """How a ``command`` such as ``dnas refine`` was called: by torchrun, or by its name."""
    here = environment.get("LOCAL_WORLD_SIZE", "1")
    everywhere = environment.get("WORLD_SIZE", "1")
    if "TORCHELASTIC_RUN_ID" not in environment or everywhere == "1":
        return command
    # Of several machines only their launchers know how they find each other.
    options = f"--standalone --nproc-per-node {here}" if here == everywhere else "..."
    # Behind the dashes torchrun does not take an option such as --run for an abbreviation of its own.
    return f"torchrun {options} -m -- {command.replace(' ', '.')}"


class _Exchange:
    """Values of the processes of a launcher, exchanged through its store."""

    def __init__(self) -> None:
        from torch.distributed.distributed_c10d import PrefixStore
        from torch.distributed.rendezvous import rendezvous

        store, self.rank, self.size = next(rendezvous("env://"))
        self._store = PrefixStore("dnas", store)
        self._round = 0
        self._lost = False
        self._torchrun = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None

    def gather(self, value: T) -> list[T]:
        from torch.distributed import DistError

        try:
            self._put(f"{self._round}/{self.rank}", pickle.dumps(value))
            found = [self._get(f"{self._round}/{rank}") for rank in range(self.size)]
        except DistError as error:
            raise ValueError(
                "The first of these processes has ended, and the others cannot go on. What is done is kept: "
                "give the command again."
            ) from error
        self._round += 1
        return [pickle.loads(each) for each in found]

    def is_first_to(self, what: str) -> bool:
        """Whether no other process has asked this before."""
        try:
            lost = self._lost or self.is_orphaned()
            return self.rank == 0 if lost else int(self._store.add(what, 1)) == 1
        except RuntimeError:
            return self.rank == 0

    def is_orphaned(self) -> bool:
        """Whether torchrun has ended, and with it, on this machine, the store."""
        return self._torchrun is not None and os.getppid() != self._torchrun

    def leave(self) -> None:
        """Without torchrun the store is the first process's, which waits until nobody needs it."""
        self._store.set(f"left/{self.rank}", "")
        for rank in range(self.size if self.rank == 0 else 0):
            self._wait(f"left/{rank}")

    def _put(self, key: str, content: bytes) -> None:
        pieces = [content[start : start + _PIECE] for start in range(0, len(content), _PIECE)]
        for index, piece in enumerate(pieces):
            self._store.set(f"{key}/{index}", piece)  # type: ignore[arg-type]
        self._store.set(key, str(len(pieces)))

    def _get(self, key: str) -> bytes:
        self._wait(key)
        return b"".join(self._store.get(f"{key}/{index}") for index in range(int(self._store.get(key))))

    def _wait(self, key: str) -> None:
        # The store's own wait would not let signals through.
        while not self._is_there(key):
            time.sleep(_POLL_S)

    def _is_there(self, key: str) -> bool:
        from torch.distributed import DistError

        if self._lost or self.is_orphaned():
            return False
        try:
            return bool(self._store.check([key]))
        except DistError:
            if self._torchrun is None:
                raise
            # Its sockets close a moment before it is seen to be gone, which then ends the wait.
            self._lost = True
            return False


_exchange: _Exchange | None = None


def _group() -> Any:
    """torch.distributed if it is initialised; it need not be imported to be asked."""
    distributed = sys.modules.get("torch.distributed")
    return (
        distributed if distributed and distributed.is_available() and distributed.is_initialized() else None
    )


@contextmanager
def _as_if_alone() -> Iterator[None]:
    before = dict(os.environ)
    _see_one_gpu(int(before.get("LOCAL_RANK", "0")))
    for name in before:
        if name in _LAUNCHER or name.startswith(_LAUNCHER_PREFIXES):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


@contextmanager
def _ending_with_torchrun(exchange: _Exchange) -> Iterator[None]:
    """Get SIGTERM when torchrun is killed, and so cannot send any."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_WATCH_S):
            if exchange.is_orphaned():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _see_one_gpu(local_rank: int) -> None:
    """Of several GPUs see one, in turn; as long as nothing has used CUDA, the environment decides."""
    import torch

    if (count := torch.cuda.device_count()) > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        names = visible if len(visible) >= count else list(map(str, range(count)))
        os.environ["CUDA_VISIBLE_DEVICES"] = names[local_rank % count]


@contextmanager
def _silent(silent: bool) -> Iterator[None]:
    if not silent:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield
