"""Weights of another code's network, copied in order: names differ between codes, the order does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import chain, zip_longest
from typing import NamedTuple

from torch import Tensor, nn

# How many batches a norm has seen: matters to no output, and files of before PyTorch 0.4.1 have none.
COUNTER = "num_batches_tracked"
LISTED = 12


class Entry(NamedTuple):
    """A tensor of a state dict; ``position`` counts all entries but counters, from 1."""

    position: int
    name: str
    value: Tensor

    @property
    def kind(self) -> tuple[str, tuple[int, ...]]:
        """What it is to its module (``weight``, ``running_var``, as torch names them), and its shape."""
        return self.name.rpartition(".")[2], tuple(self.value.shape)

    def __str__(self) -> str:
        return f"{self.name} {tuple(self.value.shape)}"


def load_foreign(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, str]:
    """Give a network the weights of the same network in another code, tensor by tensor in order.

    Both have their modules in the order of the data, as torchvision's, timm's and MoGA's authors' do. Every
    tensor must have its counterpart at the same position, of the same shape and the same last part of the
    name. Prefixes (``module.`` of ``DataParallel``) do not matter. Counters of batches
    (``num_batches_tracked``) are copied where ``state`` has them.

    Args:
        network: in place; it stays as it was when an error is raised.
        state: all of the other network's tensors, by name, in order.

    Returns:
        Our name -> the name of what was copied, of every tensor copied.

    Raises:
        ValueError: listing all tensors without a counterpart, or those that are not finite.
    """
    ours, theirs = _entries(network.state_dict()), _entries(state)
    if [each.kind for each in ours] != [each.kind for each in theirs]:
        raise ValueError(_misfits(ours, theirs))
    if bad := [each.name for each in theirs if not _is_finite(each.value)]:
        raise ValueError(
            f"Not finite floating-point numbers: {_some(bad, ', ')}. The weights are damaged, quantised, or "
            "of a training that diverged."
        )
    names = {mine.name: other.name for mine, other in zip(ours, theirs, strict=True)}
    names |= dict(_counters(names, state))
    network.load_state_dict(network.state_dict() | {mine: state[other] for mine, other in names.items()})
    return names


def _is_finite(value: Tensor) -> bool:
    return value.is_floating_point() and bool(value.isfinite().all())


def _entries(state: Mapping[str, Tensor]) -> list[Entry]:
    kept = ((name, value) for name, value in state.items() if not name.endswith(COUNTER))
    return [Entry(position, *pair) for position, pair in enumerate(kept, 1)]


def _counters(names: Mapping[str, str], state: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Of every norm whose counterpart has one."""
    statistic = "running_var"
    for mine, other in names.items():
        counter = other.removesuffix(statistic) + COUNTER
        if mine.endswith(statistic) and counter in state:
            yield mine.removesuffix(statistic) + COUNTER, counter


def _misfits(ours: Sequence[Entry], theirs: Sequence[Entry]) -> str:
    """What has no counterpart; of two sequences that share most of their entries only the differing ones."""
    # autojunk would pass over shapes that are frequent.
    matcher = SequenceMatcher(None, [e.kind for e in theirs], [e.kind for e in ours], autojunk=False)
    pairs = chain.from_iterable(
        zip_longest(theirs[first:last], ours[start:end])
        for tag, first, last, start, end in matcher.get_opcodes()
        if tag != "equal"
    )
    lines = [_pair(*pair) for pair in pairs]
    return (
        f"The weights are not those of this network: {len(theirs)} tensors, expected {len(ours)}; "
        f"{len(lines)} do not fit:\n  {_some(lines, chr(10) + '  ')}"
    )


def _pair(theirs: Entry | None, ours: Entry | None) -> str:
    position = (theirs or ours).position  # type: ignore[union-attr]
    expected = "nothing" if ours is None else str(ours)
    return f"{position}: {'nothing' if theirs is None else theirs}, expected {expected}"


def _some(lines: Sequence[str], separator: str) -> str:
    rest = [f"... and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return separator.join([*lines[:LISTED], *rest])
