"""How many bytes a process may still take: of a GPU, of the machine, of the container it runs in."""

from __future__ import annotations

import os
from pathlib import Path

import torch

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Bytes that are free on ``device``; on systems without /proc all the memory that the machine has."""
    if torch.device(device).type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    try:
        machine = _fields(PROC / "meminfo")["MemAvailable:"] * 1024
    except (OSError, KeyError):
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_left_in_cgroups()])


def _left_in_cgroups() -> list[int]:
    """What is left below the limit of this process's control group and of those around it."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = CGROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        own = root / path.lstrip("/")
        # In a container the path may be that of the host: then only the root is there to be read.
        left += [_left(folder, *names) for folder in (own, *own.parents) if folder.is_relative_to(root)]
    return [each for each in left if each is not None]


def _left(folder: Path, limit: str, usage: str, cache: str) -> int | None:
    try:
        used = int((folder / usage).read_text())
        # The system drops cached files before it refuses anything.
        used -= _fields(folder / "memory.stat").get(cache, 0)
        return max(0, int((folder / limit).read_text()) - used)
    except (OSError, ValueError):  # no such file, or the limit is "max"
        return None


def _fields(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1}
