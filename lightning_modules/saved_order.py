"""Optimiser states know parameters by number; those of a checkpoint with other numbers are renumbered.

Networks once listed their blocks after head and classifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer


def renumber_states(
    checkpoint: Mapping[str, Any], module: nn.Module, optimizers: Iterable[Optimizer]
) -> None:
    """Number the states of a checkpoint's optimisers, in place, as those of ``module`` number them.

    Args:
        checkpoint: its ``state_dict`` lists the parameters in the order that it had when they were numbered.
        module: the module to load it into; where it has other parameters, loading its weights says so.
        optimizers: of ``module``, in the order of the checkpoint's ``optimizer_states``.
    """
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    place = {name: index for index, name in enumerate(checkpoint["state_dict"])}
    if not set(names.values()) <= set(place):
        return
    for saved, optimizer in zip(checkpoint.get("optimizer_states", []), optimizers, strict=False):
        groups = [[names[id(each)] for each in group["params"]] for group in optimizer.param_groups]
        saved_names = [name for group in groups for name in sorted(group, key=place.__getitem__)]
        states = {name: saved["state"][n] for n, name in enumerate(saved_names) if n in saved["state"]}
        own_names = [name for group in groups for name in group]
        saved["state"] = {n: states[name] for n, name in enumerate(own_names) if name in states}
