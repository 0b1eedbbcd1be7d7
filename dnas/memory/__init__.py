"""Memory of a search's training step, estimated before training: docs/memory.md."""

from dnas.memory.passes import Pass, plan_passes
from dnas.memory.planning import (
    DoesNotFit,
    MemoryPlan,
    choose,
    estimate,
    free_bytes,
    largest_batch,
    upper_bound,
)
from dnas.memory.rehearsal import Footprint, Rehearsal, Setting

__all__ = [
    "DoesNotFit",
    "Footprint",
    "MemoryPlan",
    "Pass",
    "Rehearsal",
    "Setting",
    "choose",
    "estimate",
    "free_bytes",
    "largest_batch",
    "plan_passes",
    "upper_bound",
]
