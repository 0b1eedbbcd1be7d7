"""Finding what is not finite in a training, and naming it: layer, decision, statistic, image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

_BLOCK = re.compile(r"\bblocks\.(\d+)\.")
_STATISTICS = ("running_mean", "running_var")


def bad_state(module: nn.Module, optimizers: Iterable[Optimizer] = ()) -> str | None:
    """The first tensor of a module, in the order of its layers, or of its optimisers, that is not finite.

    Returns:
        Its place in words, with a value; None if all are finite. The device is asked once.
    """
    tensors = list(_tensors(module, optimizers))
    if not tensors:
        return None
    device = tensors[0][1].device
    finite = torch.stack([tensor.isfinite().all().to(device) for _, tensor in tensors])
    if bool(finite.all()):
        return None
    name, tensor = tensors[finite.tolist().index(False)]
    place = (~tensor.isfinite()).nonzero()[0].tolist()
    return f"{_words(module, name, place)} is {tensor[tuple(place)].item()}"


def bad_images(trainer: pl.Trainer | None, epoch: int, step: int, batch: Any) -> str | None:
    """The images of a step's batch that are not finite, with their files where the data knows them.

    Args:
        batch: (images, labels), or a dictionary of such by part.
    """
    name_of = getattr(getattr(trainer, "datamodule", None), "image_name", None)
    found = list[str]()
    for part, (images, _) in _parts(batch):
        rows = (~images.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
        if rows:
            named = [name_of(epoch, step, part, row) if name_of else f"row {row}" for row in rows[:3]]
            more = ", ..." if len(rows) > 3 else ""
            found.append(f"{len(rows)} of {len(images)} are not finite ({', '.join(named)}{more})")
    return "; ".join(found) or None


def _tensors(module: nn.Module, optimizers: Iterable[Optimizer]) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_floating_point():
            yield name, tensor.detach()
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            for key, value in state.items():
                if isinstance(value, Tensor) and value.is_floating_point():
                    yield f"{key} of {names.get(id(parameter), 'a parameter')}", value


def _words(module: nn.Module, name: str, place: list[int]) -> str:
    space = getattr(module, "space", None) or getattr(getattr(module, "arch", None), "space", None)
    if space is not None and name == "relaxation.alpha":
        decision = space.decisions[place[0]]
        return f"alpha of decision {decision.name}, choice {decision.names[place[1]]},"
    where = _BLOCK.search(name)
    layer = f"layer {space.layers[int(where[1])].name}: " if space is not None and where else ""
    kind = "statistic of a batch norm, " if name.endswith(_STATISTICS) else ""
    return f"{layer}{kind}{name}"


def _parts(batch: Any) -> Iterable[tuple[str, Any]]:
    pairs = batch.items() if isinstance(batch, Mapping) else [("weights", batch)]
    return [(part, pair) for part, pair in pairs if isinstance(pair, tuple | list) and len(pair) == 2]
