"""The weights that an architecture has in a trained supernet, to begin its own training with."""

from __future__ import annotations

from pathlib import Path

from dnas.nn.network import Network
from dnas.runs.checkpoint import CheckpointError, SupernetCheckpoint
from dnas.runs.checkpoint_file import read_supernet


def inherit_weights(network: Network, path: str | Path) -> str:
    """Give a network its weights and statistics in a supernet, of a search or trained one-shot.

    For another number of classes than the supernet's the classifier stays as it is.

    Args:
        network: of an architecture of the supernet's space, for as many channels.
        path: the supernet's checkpoint.

    Returns:
        What was inherited, in a sentence.

    Raises:
        CheckpointError: no such file, damaged, written by something else, or of another network.
    """
    checkpoint = read_supernet(path)
    if problem := _problem(network, checkpoint):
        raise CheckpointError(f"Weights cannot be inherited from {path}: {problem}.")
    inherited = checkpoint.build_supernet().extract(network.arch)
    theirs, ours = (each.classifier.out_features for each in (inherited, network))
    weights = inherited.state_dict()
    told = f"The network begins with its weights in {path}"
    if theirs == ours:
        network.load_state_dict(weights)
        return f"{told}."
    own = {name: value for name, value in network.state_dict().items() if name.startswith("classifier.")}
    network.load_state_dict(weights | own)
    return f"{told}, except the classifier: of {theirs} classes, not {ours}."


def _problem(network: Network, checkpoint: SupernetCheckpoint) -> str:
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
