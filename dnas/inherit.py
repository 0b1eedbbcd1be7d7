"""The weights that an architecture has in a trained supernet, to begin its own training with."""

from __future__ import annotations

from pathlib import Path

from dnas.nn.network import Network
from dnas.search.checkpoint import CheckpointError, SupernetCheckpoint
from dnas.search.checkpoint_file import read_supernet


def inherit_weights(network: Network, path: str | Path) -> None:
    """Give a network its weights and statistics in a supernet, of a search or trained one-shot.

    Args:
        network: of an architecture of the supernet's space, for as many classes and channels.
        path: the supernet's checkpoint.

    Raises:
        CheckpointError: no such file, damaged, written by something else, or another network's.
    """
    checkpoint = read_supernet(path)
    if problems := _problems(network, checkpoint):
        raise CheckpointError(f"Weights cannot be inherited from {path}: {'; '.join(problems)}.")
    inherited = checkpoint.build_supernet().extract(network.arch)
    network.load_state_dict(inherited.state_dict())


def _problems(network: Network, checkpoint: SupernetCheckpoint) -> list[str]:
    ours, theirs = network.arch.space, checkpoint.space
    if ours != theirs:
        return [
            f"its space is {theirs.name} ({theirs.digest[:12]}...), the architecture's {ours.name} "
            f"({ours.digest[:12]}...)"
        ]
    channels = checkpoint.supernet_options.get("in_channels") or theirs.in_channels
    found = {"classes": network.classifier.out_features, "channels": network.in_channels}
    expected = {"classes": checkpoint.num_classes, "channels": channels}
    return [
        f"it was trained for {expected[what]} {what}, and this network has {found[what]}"
        for what in found
        if found[what] != expected[what]
    ]
