"""Weights of another code's network: copied in order, or refused with what does not fit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn

from dnas import Network
from dnas.nn.foreign import load_foreign
from dnas.space import zoo

State = dict[str, Tensor]


def trained(name: str) -> nn.Module:
    """Torchvision's network after a batch of noise, which its statistics and counters show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = torchvision.models.get_model(name, weights=None)
        network(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    return trained("mobilenet_v3_small")


@pytest.fixture
def ours() -> Network:
    return Network(zoo.load("mobilenet_v3_small")).eval()


@pytest.mark.parametrize(
    ("name", "counterpart"), [("mnasnet_b1", "mnasnet1_0"), ("mobilenet_v3_large", "mobilenet_v3_large")]
)
def test_a_network_computes_what_its_counterpart_does(name: str, counterpart: str) -> None:
    theirs, ours = trained(counterpart), Network(zoo.load(name)).eval()
    copied = load_foreign(ours, theirs.state_dict())
    assert list(copied.values()) != list(copied) and set(copied.values()) == set(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_counters_are_copied_where_there_are_any(theirs: nn.Module, ours: Network) -> None:
    def counters() -> list[Tensor]:
        return [value for name, value in ours.state_dict().items() if name.endswith("num_batches_tracked")]

    state = theirs.state_dict()
    load_foreign(ours, {name: value for name, value in state.items() if not name.endswith("tracked")})
    assert all(value == 0 for value in counters())
    load_foreign(ours, state)
    assert all(value == 1 for value in counters())
    assert torch.equal(ours.classifier.weight, state["classifier.3.weight"])


def test_prefixes_and_precision_do_not_matter(theirs: nn.Module, ours: Network) -> None:
    state = nn.DataParallel(theirs).state_dict()
    copied = load_foreign(ours, {name: value.half() for name, value in state.items()})
    assert copied["classifier.bias"] == "module.classifier.3.bias"
    assert ours.classifier.bias.dtype == torch.float32
    assert torch.equal(ours.classifier.bias, theirs.classifier[3].bias.half().float())


def without_classifier(state: State) -> State:
    return {name: value for name, value in state.items() if not name.startswith("classifier.3.")}


def with_one_more(state: State) -> State:
    return {"mean": torch.zeros(3), **state}


def with_another_shape(state: State) -> State:
    return state | {"features.0.0.weight": torch.zeros(16, 3, 5, 5)}


def with_two_swapped(state: State) -> State:
    """Of equal shape: only their names give them away."""
    weight, bias = "features.0.1.weight", "features.0.1.bias"
    return {{weight: bias, bias: weight}.get(name, name): value for name, value in state.items()}


def not_a_number(state: State) -> State:
    return state | {"features.0.0.weight": torch.full((16, 3, 3, 3), torch.nan)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            without_classifier,
            r"208 tensors, expected 210; 2 do not fit:\n"
            r"  209: nothing, expected classifier.weight \(1000, 1024\)\n"
            r"  210: nothing, expected classifier.bias \(1000,\)$",
        ),
        (with_one_more, r"211 tensors, expected 210; 1 do not fit:\n  1: mean \(3,\), expected nothing$"),
        (
            with_another_shape,
            r"1 do not fit:\n  1: features.0.0.weight \(16, 3, 5, 5\), expected stem.0.conv.weight \(16,",
        ),
        (
            with_two_swapped,
            r"2 do not fit:\n  2: nothing, expected stem.0.bn.weight .*\n  3: features.0.1.weight",
        ),
        (not_a_number, r"Not finite floating-point numbers: features.0.0.weight\. The weights are damaged"),
        (lambda state: {}, r"0 tensors, expected 210; 210 do not fit:(\n.*){12}\n  \.\.\. and 198 more$"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_does_not_fit(
    change: Callable[[State], State], message: str, theirs: nn.Module, ours: Network
) -> None:
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_foreign(ours, change(dict(theirs.state_dict())))
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_another_network(ours: Network) -> None:
    with pytest.raises(ValueError, match=r"of this network: .* do not fit:\n"):
        load_foreign(ours, trained("mobilenet_v2").state_dict())
