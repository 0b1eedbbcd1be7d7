"""The graphs that are timed compute what the network computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dnas.nn.network import Network
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency.sources.measured import graphs
from latency.sources.measured.plan import make_plan


def test_every_graph_runs_on_its_shape(tiny: SearchSpace) -> None:
    for job in make_plan(tiny, networks=1, seed=0).jobs.values():
        assert job.build()(torch.randn(job.shape)).isfinite().all()


def test_parts_follow_each_other(tiny: SearchSpace) -> None:
    blocks = [graphs.block(layer, layer.choices[1]) for layer in tiny.layers]
    logits = nn.Sequential(graphs.stem(tiny), *blocks, graphs.head(tiny))(torch.randn(1, 3, 8, 8))
    assert logits.shape == (1, tiny.num_classes)


def test_folding_keeps_what_a_network_computes(tiny: SearchSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(Architecture(tiny, (1, 1)))
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean), nn.init.uniform_(part.running_var, 0.5, 2.0)
    monkeypatch.setattr(graphs, "init_weights", lambda module: None)
    images = torch.randn(2, 3, 8, 8)
    expected = network.eval()(images)
    folded = graphs._deployed(network)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    torch.testing.assert_close(folded(images), expected)
