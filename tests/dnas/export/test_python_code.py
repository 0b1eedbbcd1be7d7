"""Modules written as Python: users' own parts, weights that load, and what is refused by name."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnas.export.formats import FORMATS
from dnas.export.source import of_architecture


class Branches(nn.Module):
    """Lists, own weights, functions, slices and shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, (1, 3), padding=(0, 1))]
        )
        self.scale = nn.Parameter(torch.tensor([2.0]))
        self.register_buffer("shift", torch.arange(4.0)[:, None, None])
        self.nothing = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        first, second = (branch(images) for branch in self.branches)
        kept = self.nothing(images)
        joined = torch.cat([first, F.relu6(second)], dim=1)[:, 2:6]
        return (joined * self.scale + self.shift - kept).flatten(1).reshape(images.shape[0], -1)


class Deciding(nn.Module):
    """Whose operations depend on values."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Foreign(nn.Module):
    """With a function that is none of torch's."""

    def forward(self, x: Tensor) -> Tensor:
        return twice(x)


@torch.fx.wrap
def twice(x: Tensor) -> Tensor:
    return 2 * x


def write(module: nn.Module, folder: Path, shape: tuple[int, ...] = (2, 4, 8, 8)) -> dict:
    """What the file defines."""
    FORMATS["python"].write(module.eval(), shape, folder / "net.py", any_batch=False, facts={"a": 'b"""\\c'})
    return runpy.run_path(str(folder / "net.py"))


def test_a_users_module(tmp_path: Path) -> None:
    module, images = nn.Sequential(nn.Conv2d(4, 4, 1), Branches()), torch.randn(2, 4, 8, 8)
    names = write(module, tmp_path)
    torch.testing.assert_close(names["load"]()(images), module(images))
    assert "dnas" not in (tmp_path / "net.py").read_text().partition('"""\n\nfrom')[2]


def test_the_state_dict_is_the_networks(tmp_path: Path) -> None:
    source = of_architecture("resnet50", 32)
    names = write(source.module, tmp_path, (1, 3, 32, 32))
    network = names["build"]()
    assert list(network.state_dict()) == list(source.network.state_dict())
    network.load_state_dict(source.network.state_dict())
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(network.eval()(images), source.network(images))


@pytest.mark.parametrize(
    ("module", "message"),
    [(Deciding(), "cannot follow the forward of Deciding"), (Foreign(), "cannot write .*twice.* in Foreign")],
)
def test_what_cannot_be_written(tmp_path: Path, module: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(module, tmp_path)
    assert not list(tmp_path.iterdir())
