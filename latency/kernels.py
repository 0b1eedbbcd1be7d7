"""The kernels that a runtime starts for a network's operations, as ``latency/data/runtimes`` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dnas.blocks.ops import Op
from latency.table import shipped
from latency.table.errors import TableError

FORMAT = "dnas-runtime/1"


@dataclass(frozen=True)
class Kernel:
    """One kernel on the GPU: its kind (as the runtime's data names it) and the operation it belongs to.

    ``own`` is False for the kernels of an activation that is not fused; ``linked`` are the types of the
    operations that the runtime fuses into this kernel (a residual addition, for instance).
    """

    kind: str
    op: Op
    own: bool = True
    linked: tuple[str, ...] = ()

    @property
    def madds(self) -> int:
        """Multiply-adds: the operation's own kernel does them, an activation that is not fused does none."""
        return self.op.madds if self.own else 0


@dataclass(frozen=True)
class Special:
    """Operations that a runtime runs by another kernel than others of their type.

    Args:
        when: attributes of :class:`~dnas.blocks.ops.Op` and the values they must have; ``grouped`` asks
            whether the operation has several groups.
        kernels: the kinds of the kernels it starts.
    """

    when: Mapping[str, Any]
    kernels: tuple[str, ...]

    def fits(self, op: Op) -> bool:
        """Whether this is such an operation."""
        facts = {"grouped": op.groups > 1}
        return all(facts.get(key, getattr(op, key, None)) == value for key, value in self.when.items())


@dataclass(frozen=True)
class Runtime:
    """Which kernels a runtime starts for every operation, and for every activation that it does not fuse.

    Attributes:
        operations: type of operation -> kinds of its kernels; none where it costs nothing of its own.
        activations: activation -> kinds of the kernels it starts; none where it is fused.
        special: exceptions from ``operations``; the first that fits counts.
        linked: types of operations that are fused into the kernel before them.
        assumptions: what is assumed about a type of operation or an activation.
    """

    name: str
    operations: Mapping[str, tuple[str, ...]]
    activations: Mapping[str, tuple[str, ...]]
    special: tuple[Special, ...] = ()
    linked: frozenset[str] = frozenset()
    assumptions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str) -> Runtime:
        """A shipped description by name; raises :class:`TableError` naming the shipped ones."""
        return cls.from_dict(shipped.load("runtimes", name, FORMAT))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Runtime:
        """Build from the plain data of the YAML file."""
        return cls(
            name=data["name"],
            operations={op: tuple(kinds) for op, kinds in data["operations"].items()},
            activations={activation: tuple(kinds) for activation, kinds in data["activations"].items()},
            special=tuple(
                Special(entry["when"], tuple(entry["kernels"])) for entry in data.get("special", [])
            ),
            linked=frozenset(data.get("linked", [])),
            assumptions=data.get("assumptions", {}),
        )

    def kernels(self, ops: Iterable[Op]) -> tuple[Kernel, ...]:
        """The kernels of ``ops``, in order of execution.

        Raises:
            TableError: operations or activations that this runtime's data does not describe, all of them.
        """
        ops = tuple(ops)
        self._check(ops)
        kernels: list[Kernel] = []
        for op in ops:
            if op.type in self.linked and kernels:
                kernels[-1] = replace(kernels[-1], linked=(*kernels[-1].linked, op.type))
            else:
                kernels += [Kernel(kind, op) for kind in self._kinds(op)]
            kernels += [Kernel(kind, op, own=False) for kind in self.activations[op.activation]]
        return tuple(kernels)

    def _kinds(self, op: Op) -> tuple[str, ...]:
        exceptions = (special.kernels for special in self.special if special.fits(op))
        return next(exceptions, self.operations[op.type])

    def _check(self, ops: Iterable[Op]) -> None:
        unknown = {op.type for op in ops} - set(self.operations)
        unknown |= {op.activation for op in ops} - set(self.activations)
        if unknown:
            raise TableError(
                f"The runtime description {self.name} does not say which kernels run "
                f"{', '.join(sorted(unknown))}; "
                f"add them to latency/data/runtimes/{self.name}.yaml."
            )
