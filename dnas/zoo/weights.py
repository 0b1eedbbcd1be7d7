"""Weights that a network's authors, torchvision or timm have published, as a checkpoint of ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torchvision

from dnas.nn.foreign import load_foreign
from dnas.nn.network import Network
from dnas.runs.preprocessing import Preprocessing
from dnas.runs.trained import write_network
from dnas.runs.weights_file import WeightsFile, read_weights
from dnas.space.zoo import Published

ASSUMED = "assumed: what is usual on ImageNet"
GIVEN = "as given"


@dataclass(frozen=True)
class Loaded:
    """What was made of a file of weights.

    Attributes:
        network: with the weights.
        tensors: how many were copied.
        preprocessing: of the weights' images.
        origin: where the weights are from, and ``preprocessing``, where that is from; plain data.
    """

    network: Network
    tensors: int
    preprocessing: Preprocessing
    origin: dict[str, str]

    def save(self, path: str | Path) -> Path:
        """Write the checkpoint; raises FileExistsError if the file is there."""
        return write_network(path, self.network, self.preprocessing, self.origin)


def load(
    published: Published,
    path: str | Path,
    *,
    key: str | None = None,
    num_classes: int | None = None,
    **preprocessing: Any,
) -> Loaded:
    """A published network with the weights in a file of its authors, torchvision or timm.

    Args:
        published: the network.
        path, key: as for :func:`dnas.runs.weights_file.read_weights`.
        num_classes: of the weights, if not the network's own.
        preprocessing: fields of :class:`Preprocessing`, instead of those that torchvision documents for a
            file of its own, or of what is usual on ImageNet.

    Raises:
        ValueError: a file that cannot be read, weights of another network, impossible preprocessing.
    """
    file = read_weights(path, key)
    network = Network(published.architecture, num_classes).eval()
    try:
        copied = load_foreign(network, file.state)
    except ValueError as error:
        raise ValueError(f"{path} does not fit {published.name}. {error}") from error
    known, source = _known_preprocessing(published, file)
    used = replace(known, **preprocessing)
    source = "; ".join([source, *([f"{', '.join(preprocessing)} {GIVEN}"] if preprocessing else [])])
    origin = {"network": published.name, **file.origin, "preprocessing": source}
    return Loaded(network, len(copied), used, origin)


def _known_preprocessing(published: Published, file: WeightsFile) -> tuple[Preprocessing, str]:
    """What belongs to the weights, and who says so."""
    name = published.counterparts.get("torchvision")
    for weights in torchvision.models.get_model_weights(name) if name else ():
        # The names of torchvision's files end with the first eight digits of their digest.
        if file.sha256.startswith(Path(weights.url).stem.rpartition("-")[2]):
            return _of_torchvision(weights), f"that of torchvision's {weights}"
    return Preprocessing.usual(published.architecture.space.resolution), ASSUMED


def _of_torchvision(weights: Any) -> Preprocessing:
    transform = weights.transforms()
    (crop,), (resize,) = transform.crop_size, transform.resize_size
    mean, std = tuple(transform.mean), tuple(transform.std)
    return Preprocessing(resize, crop, transform.interpolation.value, mean, std)
