"""Networks with trained weights: those that ``dnas fit`` gave them, or those inherited from a supernet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnas.nn.network import Network
from dnas.runs import sealed_file
from dnas.runs.checkpoint import CheckpointError, SupernetCheckpoint, not_finite
from dnas.runs.checkpoint_file import load_content, read_supernet
from dnas.runs.normalisation import Normalisation
from dnas.runs.preprocessing import Preprocessing
from dnas.space.architecture import Architecture

_PREFIX = "network."
_FACTS = ("num_classes", "in_channels", "stem_stride")


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network, in evaluation mode, and where it is from.

    resolution: side in pixels of the images it was trained on; None if the data did not say.
    normalisation: of these images, for pixels in [0, 1]; None if the data did not say.
    preprocessing: of images from files, where the checkpoint says it; training has its data module for that.
    data: class path and arguments of its data module; None if the checkpoint does not say.
    sha256: of the checkpoint.
    """

    network: Network
    resolution: int | None
    normalisation: Normalisation | None
    preprocessing: Preprocessing | None
    data: Mapping[str, Any] | None
    sha256: str


def read_network(path: str | Path) -> TrainedNetwork:
    """Read what ``dnas zoo load`` wrote, or ``dnas fit`` for ``lightning_modules.classifier.Classifier``.

    Raises:
        CheckpointError: no such file, damaged, or written by something else.
    """
    path = Path(path)
    content = load_content(path, "'dnas fit --config digits/train.yaml' writes one into its run folder.")
    if "architecture" not in content:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a trained network: it names no architecture. Give one that "
            "'dnas fit' wrote for lightning_modules.classifier.Classifier."
        )
    try:
        arch = Architecture.from_dict(content["architecture"])
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    given = content.get("hyper_parameters", {})
    num_classes, in_channels, stem_stride = (given.get(name) for name in _FACTS)
    network = Network(arch, num_classes, in_channels=in_channels, stem_stride=stem_stride)
    try:
        network.load_state_dict(_weights(content))
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its weights are not those of its architecture. {error}") from error
    if problem := not_finite(network):
        raise CheckpointError(f"{path}: {problem}")
    data = content.get("datamodule_hyper_parameters", {})
    return TrainedNetwork(
        network.eval(),
        data.get("resolution"),
        _normalisation(path, content, network.in_channels),
        _preprocessing(path, content, network.in_channels),
        _data(path, content),
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def write_network(
    path: str | Path, network: Network, preprocessing: Preprocessing, origin: Mapping[str, Any]
) -> Path:
    """Write a checkpoint that :func:`read_network` reads, of weights that come from elsewhere.

    Args:
        path: of a file that is not there yet.
        origin: where the weights are from, as plain data.

    Raises:
        FileExistsError: the file is there already.
        ValueError: the preprocessing is for another number of channels.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} is there already. Choose another file.")
    if problem := _channel_problem(preprocessing, network.in_channels):
        raise ValueError(problem)
    content = {
        "architecture": network.arch.to_dict(),
        "hyper_parameters": {
            "num_classes": network.classifier.out_features,
            "in_channels": network.in_channels,
        },
        "datamodule_hyper_parameters": {"resolution": preprocessing.crop},
        "normalisation": {
            part: list(values) for part, values in preprocessing.normalisation._asdict().items()
        },
        "preprocessing": preprocessing.to_dict(),
        "weights_from": dict(origin),
        "state_dict": {_PREFIX + name: value for name, value in network.state_dict().items()},
    }
    sealed_file.save(content, path)
    return path


def _weights(content: Mapping[str, Any]) -> dict[str, Any]:
    weights = content.get("state_dict", {}).items()
    return {name.removeprefix(_PREFIX): value for name, value in weights if name.startswith(_PREFIX)}


def _normalisation(path: Path, content: Mapping[str, Any], channels: int) -> Normalisation | None:
    data = content.get("normalisation")
    if data is None:
        return None
    try:
        found = Normalisation(*(tuple(map(float, data[part])) for part in Normalisation._fields))
    except (KeyError, TypeError, ValueError):
        found = Normalisation((), ())
    if not len(found.mean) == len(found.std) == channels:
        raise CheckpointError(
            f"{path}: normalisation must be a mean and a std for each channel, got {data!r}."
        )
    return found


def _data(path: Path, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    data = content.get("data")
    if data is None:
        return None
    if not (
        isinstance(data, dict)
        and isinstance(data.get("class_path"), str)
        and isinstance(data.get("init_args"), dict)
    ):
        raise CheckpointError(f"{path}: data must have class_path and init_args, got {data!r}.")
    return data


def _preprocessing(path: Path, content: Mapping[str, Any], channels: int) -> Preprocessing | None:
    data = content.get("preprocessing")
    if data is None:
        return None
    try:
        found = Preprocessing.from_dict(data)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if problem := _channel_problem(found, channels):
        raise CheckpointError(f"{path}: {problem}")
    return found


def _channel_problem(preprocessing: Preprocessing, channels: int) -> str:
    given = len(preprocessing.mean)
    return (
        "" if given == channels else f"mean and std need a number for each channel, {channels}, got {given}."
    )


def inherit_weights(network: Network, path: str | Path) -> str:
    """Give a network its weights and statistics in a supernet, to begin its own training with.

    The supernet may be that of a search or trained one-shot. For another number of classes than the
    supernet's the classifier stays as it is.

    Args:
        network: of an architecture of the supernet's space, for as many channels.
        path: the supernet's checkpoint.

    Returns:
        What was inherited, in a sentence.

    Raises:
        CheckpointError: no such file, damaged, written by something else, or of another network.
    """
    checkpoint = read_supernet(path)
    if problem := _misfit(network, checkpoint):
        raise CheckpointError(f"Weights cannot be inherited from {path}: {problem}.")
    inherited = checkpoint.build_supernet().extract(network.arch)
    theirs, ours = (each.classifier.out_features for each in (inherited, network))
    weights = inherited.state_dict()
    summary = f"The network begins with its weights in {path}"
    if theirs == ours:
        network.load_state_dict(weights)
        return f"{summary}."
    own = {name: value for name, value in network.state_dict().items() if name.startswith("classifier.")}
    network.load_state_dict(weights | own)
    return f"{summary}, except the classifier: of {theirs} classes, not {ours}."


def _misfit(network: Network, checkpoint: SupernetCheckpoint) -> str:
    ours, theirs = network.arch.space, checkpoint.space
    if ours != theirs:
        return (
            f"its space is {theirs.name} ({theirs.digest[:12]}...), the architecture's {ours.name} "
            f"({ours.digest[:12]}...)"
        )
    channels = checkpoint.supernet_options.get("in_channels") or theirs.in_channels
    if channels != network.in_channels:
        return f"it was trained on images of {channels} channels, and this network has {network.in_channels}"
    return ""
