"""The kernels that a runtime starts for a network's operations; which ones is data (``latency/runtimes``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dnas.ops import Op
from latency import shipped
from latency.errors import TableError

FORMAT = "dnas-runtime/1"


@dataclass(frozen=True)
class Kernel:
    """One kernel on the GPU: its kind (as the runtime's data names it) and the operation it belongs to."""

    kind: str
    op: Op

    @property
    def madds(self) -> int:
        """Multiply-adds: the operation's own kernel does them, an activation that is not fused does none."""
        return self.op.madds if self.kind == self.op.type else 0


@dataclass(frozen=True)
class Runtime:
    """Which kernels a runtime starts for every operation, and for every activation that it does not fuse."""

    name: str
    operations: Mapping[str, tuple[str, ...]]
    activations: Mapping[str, tuple[str, ...]]

    @classmethod
    def load(cls, name: str) -> Runtime:
        """A shipped description by name; raises :class:`TableError` naming the shipped ones."""
        return cls.from_dict(shipped.load("runtimes", name, FORMAT))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Runtime:
        """Build from the plain data of the YAML file."""
        operations = {op: tuple(kinds) for op, kinds in data["operations"].items()}
        return cls(
            data["name"], operations, {act: tuple(kinds) for act, kinds in data["activations"].items()}
        )

    def kernels(self, ops: Iterable[Op]) -> tuple[Kernel, ...]:
        """The kernels of ``ops``, in order of execution.

        Raises:
            TableError: operations or activations that this runtime's data does not describe, all of them.
        """
        ops = tuple(ops)
        unknown = {op.type for op in ops} - set(self.operations)
        unknown |= {op.activation for op in ops} - set(self.activations)
        if unknown:
            raise TableError(
                f"The runtime description {self.name} does not say which kernels run "
                f"{', '.join(sorted(unknown))}; "
                f"add them to latency/runtimes/{self.name}.yaml."
            )
        return tuple(
            Kernel(kind, op)
            for op in ops
            for kind in (*self.operations[op.type], *self.activations[op.activation])
        )
