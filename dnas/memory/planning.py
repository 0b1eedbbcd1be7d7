"""Which checkpointing and which batch fit into the memory that is free, known before training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

import torch

from dnas.costs import count
from dnas.layers.fused.checkpointing import PLANS
from dnas.memory.rehearsal import Footprint, Rehearsal, Setting
from dnas.space import Layer, SearchSpace

# Of the memory that is free: the rest is for data loading, libraries' workspaces and fragmentation.
USABLE = 0.9
# Batches are multiples of it, which keeps products aligned.
STEP = 8
# Images below which a batch is too small to be preferred: batch norms and gradients become noisy.
WANTED = 64
_MOST = 2**16
# Maps of one choice that training can hold, at the resolution of its input and of its output: before and
# after each of convolution, norm, activation and gate, twice for their gradients.
_MAPS = 6
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


class DoesNotFit(ValueError):
    """No plan fits into the memory that is free; the message says what each would need."""


class MemoryPlan(NamedTuple):
    """A batch under a plan of checkpointing, and what its step takes."""

    checkpointing: str
    batch: int
    footprint: Footprint

    @property
    def peak(self) -> int:
        """Bytes at the worst moment of a step."""
        return self.footprint.peak


def estimate(setting: Setting, batch: int, checkpointing: str = "none") -> MemoryPlan:
    """What one training step takes; some seconds for a large space.

    Raises:
        ValueError: a batch below 1, an unknown plan.
    """
    if batch < 1 or checkpointing not in PLANS:
        raise ValueError(
            f"Expected a batch of at least 1 and one of {', '.join(PLANS)}, got {batch} and "
            f"{checkpointing!r}."
        )
    return MemoryPlan(checkpointing, batch, Rehearsal(setting).measure(batch, checkpointing))


def choose(
    setting: Setting,
    free: int,
    *,
    wanted: int = WANTED,
    most: int | None = None,
    first: str = "none",
    rehearsal: Rehearsal | None = None,
    tell: Callable[[str], object] = lambda text: None,
) -> MemoryPlan:
    """The largest batch, under the cheapest plan with which a batch of ``wanted`` images fits.

    Plans are tried from ``first`` on, in the order none, choice, block, which is that of their time. If none
    of them takes ``wanted`` images, it is the one with the largest batch. Batches are multiples of 8, unless
    ``most`` is smaller, and fit into 90 % of ``free``.

    Args:
        free: bytes, those of the parameters included, see :func:`free_bytes`.
        most: images that a batch may have.
        rehearsal: of ``setting``, if there is one already.
        tell: is told what is being tried.

    Raises:
        DoesNotFit: not even the smallest batch fits with any plan.
    """
    rehearsal = rehearsal or Rehearsal(setting)
    most = _rounded(min(most or _MOST, _MOST))
    found: list[MemoryPlan] = []
    for plan in PLANS[PLANS.index(first) :]:
        batch = largest_batch(rehearsal, plan, free, most, tell)
        if batch:
            found.append(MemoryPlan(plan, batch, rehearsal.measure(batch, plan)))
            if batch >= min(wanted, most):
                return found[-1]
    if found:
        return max(found, key=lambda each: each.batch)
    raise DoesNotFit(_explain(rehearsal, free, first, min(STEP, most)))


def largest_batch(
    rehearsal: Rehearsal,
    checkpointing: str,
    free: int,
    most: int = _MOST,
    tell: Callable[[str], object] = lambda text: None,
) -> int:
    """The most images, a multiple of 8 or ``most``, whose step fits into 90 % of ``free``; 0 if none do."""

    def peak(batch: int) -> int:
        tell(f"checkpointing {checkpointing}, {batch} images")
        return rehearsal.measure(batch, checkpointing).peak

    budget, least = USABLE * free, min(STEP, most)
    if peak(least) > budget:
        return 0
    if most == least:
        return most
    return _search(peak, budget, (least, min(4 * STEP, most)), most)


def _search(peak: Callable[[int], int], budget: float, points: tuple[int, int], most: int) -> int:
    """Memory is almost affine in the batch: straight lines through the last two batches tried."""
    fits, too_many = points[0], most + STEP
    before, last = points
    while too_many - fits > STEP:
        if peak(last) <= budget:
            fits = max(fits, last)
        else:
            too_many = min(too_many, last)
        slope = (peak(last) - peak(before)) / (last - before)
        room = (budget - peak(last)) / slope if slope > 0 else float(most)
        guess = _rounded(int(min(max(last + room, 0), most)))
        # Never outside of what is known; then the neighbour of the answer, which proves it.
        guess = min(max(guess, fits), too_many - STEP)
        if guess == fits:
            guess = fits + STEP
        if guess >= too_many:
            break
        before, last = last, guess
    return min(fits, most)


def upper_bound(setting: Setting, batch: int) -> int:
    """More bytes than a step can need, at once: every map of every active choice, many times over."""
    space = setting.space.adapt(**setting.adaptation, resolution=setting.side)
    wide = max(sum(starmap(_map_values, _running(space, each.active))) for each in setting.passes)
    fixed = sum(op.out_channels * op.input_size**2 for op in (*space.stem, *space.head))
    costs = count(space)
    parameters = int(costs.params.sum()) + costs.fixed_params
    # Weights, gradients and two numbers of the optimiser; all of 4 bytes.
    return 4 * (_MAPS * batch * (wide + fixed) + 4 * parameters)


def _running(space: SearchSpace, active: Sequence[Sequence[int]] | None) -> Iterator[tuple[Layer, list[int]]]:
    chosen = [range(count) for count in space.num_choices] if active is None else active
    for decision, choices in zip(space.decisions, chosen, strict=True):
        yield from decision.run_by(choices)


def _map_values(layer: Layer, choices: Sequence[int]) -> int:
    ends = layer.in_channels * layer.input_size**2 + layer.out_channels * layer.output_size**2
    ops = [op for choice in choices for op in layer.choices[choice].ops(layer)]
    values = sum(op.in_channels * op.input_size**2 + op.out_channels * op.output_size**2 for op in ops)
    return values + len(choices) * ends


def _rounded(batch: int) -> int:
    return batch // STEP * STEP if batch >= STEP else batch


def _explain(rehearsal: Rehearsal, free: int, first: str, least: int) -> str:
    needs = ", ".join(
        f"{rehearsal.measure(least, plan).peak / 1e9:.2f} GB with {plan}"
        for plan in PLANS[PLANS.index(first) :]
    )
    return (
        f"Not even {least} images fit into 90 % of the {free / 1e9:.2f} GB that are free: a step needs "
        f"{needs}. Lower the resolution, draw fewer paths at a time (TwoPath, UniformPath), share weights "
        "(sharing: entangled), or free memory."
    )


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
