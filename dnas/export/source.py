"""What is exported: the network of a checkpoint, or of an architecture with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dnas.nn.network import Network
from dnas.runs.normalisation import Normalisation, Normalise
from dnas.runs.trained import read_network
from dnas.space import zoo


@dataclass(frozen=True)
class Source:
    """What is exported.

    network: in evaluation mode.
    module: what the file computes, the network or more.
    resolution: side of its images.
    takes: what is said of the images.
    weights: what is said of their origin.
    data: class path and arguments of the data module that it was trained with, if the checkpoint says.
    pixels: the normalisation in the file, which takes pixels in [0, 1]; None where it has none.
    """

    network: Network
    module: nn.Module
    resolution: int
    takes: str
    weights: str
    data: Mapping[str, Any] | None = None
    pixels: Normalisation | None = None

    def given(self, images: Tensor) -> Tensor:
        """(N, C, H, W) images normalised as in training, as the file takes them."""
        if self.pixels is None:
            return images
        mean, std = (torch.tensor(part)[:, None, None] for part in self.pixels)
        return images * std + mean

    @property
    def facts(self) -> dict[str, str]:
        """The file's metadata."""
        space = self.network.arch.space
        return {
            "architecture": str(self.network.arch),
            "space": f"{space.name} {space.digest}",
            "weights": self.weights,
            "input": self.takes,
        }


def of_checkpoint(path: str | Path, resolution: int | None = None, *, unit: bool = False) -> Source:
    """The trained network of a checkpoint.

    Args:
        resolution: side of the images; as trained, or as deployed, where None.
        unit: the file takes pixels in [0, 1] and normalises them itself.

    Raises:
        CheckpointError: no such file, damaged, or written by something else.
        ValueError: ``unit``, and the checkpoint does not say how images are normalised.
    """
    trained = read_network(path)
    weights = f"checkpoint {Path(path).name}, sha256 {trained.sha256}"
    resolution = resolution or trained.resolution
    source = _source(trained.network, resolution, weights, trained.normalisation, str(path), unit)
    return replace(source, data=trained.data)


def of_architecture(name: str, resolution: int | None = None, *, unit: bool = False) -> Source:
    """The network of an architecture with random weights, the same ones in every call.

    Args:
        resolution, unit: as of :func:`of_checkpoint`.

    Raises:
        ValueError: no such architecture, or ``unit``.
    """
    arch = zoo.load_architecture(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(arch).eval()
    return _source(network, resolution, "random, not trained", None, "an architecture", unit)


def _source(
    network: Network,
    resolution: int | None,
    weights: str,
    normalisation: Normalisation | None,
    origin: str,
    unit: bool,
) -> Source:
    module: nn.Module = network
    takes = "normalised as in training" if normalisation is None else f"normalised: {normalisation}"
    if unit:
        if normalisation is None:
            raise ValueError(
                f"--input unit needs to know how images are normalised, which {origin} does not say. "
                "Leave it out."
            )
        module, takes = nn.Sequential(Normalise(normalisation), network).eval(), "pixels in [0, 1]"
    module.requires_grad_(False)
    resolution = resolution or network.arch.space.resolution
    pixels = normalisation if unit else None
    return Source(network, module, resolution, takes, weights, pixels=pixels)
