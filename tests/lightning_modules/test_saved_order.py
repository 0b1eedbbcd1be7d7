"""Checkpoints that list their parameters in another order than the network goes on all the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dnas.search.gradient.masks import SoftGumbel
from lightning_modules.saved_order import renumber_states

PARTS = ("stem", "blocks", "head", "classifier")
BEFORE = ("stem", "head", "classifier", "blocks")


def chain(parts: tuple[str, ...]) -> nn.ModuleDict:
    """Four layers of different sizes."""
    sizes = dict(zip(PARTS, range(2, 6), strict=True))
    return nn.ModuleDict({part: nn.Linear(sizes[part], 2) for part in parts})


def optimizer_of(network: nn.Module, grouped: bool) -> torch.optim.Optimizer:
    weights = [each for each in network.parameters() if each.ndim > 1]
    biases = [each for each in network.parameters() if each.ndim <= 1]
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    return torch.optim.SGD(groups if grouped else network.parameters(), lr=0.1, momentum=0.9)


def step(network: nn.ModuleDict, optimizer: torch.optim.Optimizer, parts: tuple[str, ...] = PARTS) -> None:
    optimizer.zero_grad()
    sum((index + 1) * network[part](torch.ones(part_size(network, part))).square().sum()
        for index, part in enumerate(PARTS) if part in parts).backward()  # fmt: skip
    optimizer.step()


def part_size(network: nn.ModuleDict, part: str) -> int:
    return network[part].in_features  # type: ignore[return-value]


@pytest.mark.parametrize("trained", [PARTS, ("stem", "classifier")], ids=["all", "some"])
@pytest.mark.parametrize("grouped", [False, True])
def test_momenta_follow_their_parameters(grouped: bool, trained: tuple[str, ...]) -> None:
    old = chain(BEFORE)
    old_optimizer = optimizer_of(old, grouped)
    step(old, old_optimizer, trained)
    checkpoint = copy.deepcopy(
        {"state_dict": old.state_dict(), "optimizer_states": [old_optimizer.state_dict()]}
    )
    new = chain(PARTS)
    new_optimizer = optimizer_of(new, grouped)
    new.load_state_dict(checkpoint["state_dict"])
    renumber_states(checkpoint, new, [new_optimizer])
    new_optimizer.load_state_dict(checkpoint["optimizer_states"][0])
    step(old, old_optimizer)
    step(new, new_optimizer)
    for name, value in old.state_dict().items():
        assert torch.equal(new.state_dict()[name], value), name


def test_other_parameters_are_left_to_the_loading_of_weights() -> None:
    checkpoint = {"state_dict": {"other": torch.zeros(1)}, "optimizer_states": [{"state": {0: 1}}]}
    network = chain(PARTS)
    renumber_states(checkpoint, network, [optimizer_of(network, False)])
    assert checkpoint["optimizer_states"] == [{"state": {0: 1}}]


def as_before(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint as it was written when blocks came last."""
    states = checkpoint["state_dict"]
    parameters = [name for name in states if name in parameters_of(states)]

    def place(name: str) -> int:
        parts = name.split(".")
        return BEFORE.index(parts[1]) if parts[0] == "supernet" else len(BEFORE)

    own = [name for name in parameters if name.startswith("supernet.")]
    (weights, *others) = checkpoint["optimizer_states"]
    by_name = {name: weights["state"][index] for index, name in enumerate(own) if index in weights["state"]}
    reordered = sorted(own, key=place)
    state = {index: by_name[name] for index, name in enumerate(reordered) if name in by_name}
    return {
        **checkpoint,
        "state_dict": {name: states[name] for name in sorted(states, key=place)},
        "optimizer_states": [{**weights, "state": state}, *others],
    }


def parameters_of(states: dict[str, Any]) -> set[str]:
    return {
        name for name in states if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }


def test_a_search_of_before_is_resumed_as_one_of_today(make_search: Any, fit: Any, tmp_path: Path) -> None:
    options = {"alpha": {"masks": SoftGumbel()}, "sharing": "independent"}
    first = fit(make_search(**options), tmp_path / "first", max_epochs=1, limit_train_batches=3)
    today = tmp_path / "today.ckpt"
    first.save_checkpoint(today)
    content = torch.load(today, weights_only=False)
    before = as_before(content)
    assert list(before["state_dict"]) != list(content["state_dict"])
    torch.save(before, tmp_path / "before.ckpt")
    ends = []
    for file in ("today", "before"):
        search = make_search(**options)
        fit(
            search,
            tmp_path / file,
            max_epochs=2,
            limit_train_batches=3,
            ckpt_path=str(tmp_path / f"{file}.ckpt"),
        )
        ends.append(search.state_dict())
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())
