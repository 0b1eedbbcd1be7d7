"""Several processes that work on one list: who does what, and telling each other the results.

With torch.distributed not initialised there is one process, and nothing to tell.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import distributed

T = TypeVar("T")


def rank() -> int:
    """Number of this process, 0 the first."""
    return distributed.get_rank() if _several() else 0


def world_size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if _several() else 1


def broadcast(value: T) -> T:
    """What the first process gives."""
    if not _several():
        return value
    values = [value]
    distributed.broadcast_object_list(values, src=0)
    return values[0]


def gather(value: T) -> list[T]:
    """What every process gives, in their order, to all of them."""
    if not _several():
        return [value]
    values: list[T] = [value] * world_size()
    distributed.all_gather_object(values, value)
    return values


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started, for as long as the context lasts."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or _several():
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized()
