"""Whether measurements support every kernel of a search space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dnas.blocks.ops import Op
from dnas.space import SearchSpace
from latency.kernels import Runtime
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.shape import KernelShape
from latency.table.errors import TableError

SHOWN = 4  # places of one kernel that a message names


def places(space: SearchSpace) -> Iterator[tuple[str, tuple[Op, ...]]]:
    """Stem, every choice of every layer, and head, with their operations."""
    yield "stem", space.stem_ops
    for layer in space.layers:
        for choice in layer.choices:
            yield f"{layer.name} {choice.name}", choice.ops(layer)
    yield "head", space.head_ops


def shapes_of(ops: Iterable[Op], runtime: Runtime) -> list[KernelShape]:
    """The kernels that the runtime starts for operations; raises as :meth:`Runtime.kernels` does."""
    return [KernelShape.of(kernel) for kernel in runtime.kernels(ops)]


def check_support(space: SearchSpace, model: KernelModel, runtime: Runtime, device: str) -> None:
    """Cheap: nothing is fitted.

    Raises:
        TableError: the space holds kernels that the measurements do not support, every one of them.
    """
    reasons: dict[str, list[str]] = {}
    for place, ops in places(space):
        for shape in shapes_of(ops, runtime):
            if reason := model.unsupported(shape):
                reasons.setdefault(f"{shape}: {reason}", []).append(place)
    if reasons:
        lines = [f"{what} (in {_shortened(where)})" for what, where in reasons.items()]
        raise TableError(
            f"The measurements of {device} do not support {len(lines)} kernel(s) of the "
            f"space {space.name} at {space.resolution} px, and nothing is extrapolated that far:\n  "
            + "\n  ".join(lines)
            + "\nMeasure these blocks instead: python -m latency measure --help."
        )


def _shortened(where: Sequence[str]) -> str:
    where = list(dict.fromkeys(where))
    return ", ".join(where[:SHOWN]) + (f" and {len(where) - SHOWN} more" if len(where) > SHOWN else "")
