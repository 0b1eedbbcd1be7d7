"""What every registered block type must keep to: the contract of :mod:`dnas.blocks.base`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dnas import Architecture, Network, SearchSpace, Supernet, blocks
from dnas.blocks.traced import traced_ops
from dnas.compare.page.architecture import drawing
from dnas.costs import count
from dnas.derive.text import architecture_table, to_text
from dnas.memory import Rehearsal, Setting
from dnas.memory.passes import Pass
from dnas.nn.sharing import SHARINGS
from dnas.report.drawing import architecture_drawing
from dnas.space import Choice, Layer
from latency import TableError
from latency.kernels import Runtime
from latency.table import shipped

# Options that take every branch of a type, by its name; a new type is added here.
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "inverted_residual": [
        {"expansion": 3, "kernel": 3},
        {"expansion": 2.5, "kernel": 5, "se": 0.25},
        {"expansion": 1, "kernel": 7, "groups": 2},
        {"hidden": 16, "kernel": 3, "residual": False},
        {"hidden": 8, "kernel": 3, "expand_always": False, "groups": 2},
        {"expansion": 3, "kernel": 3, "expand_always": False, "se": 0.25, "se_of": "input"},
        {"hidden": 32, "kernel": 5, "se": 0.25, "se_divisor": 8, "se_activation": "relu"},
        {"expansion": 4, "kernel": 3, "se": 0.5, "se_activation": "swish", "se_gate": "sigmoid"},
        {"expansion": 1, "kernel": 5, "expand_always": False, "se": 0.25, "se_gate": "sigmoid"},
    ],
    "skip": [{}, {"linear": True}],
    "universal_inverted_bottleneck": [
        {"expansion": 3, "start": 5, "middle": 3},
        {"expansion": 2.6, "middle": 5},
        {"expansion": 4, "start": 3},
        {"hidden": 20, "middle": 3, "residual": False},
    ],
    "bottleneck": [{}, {"kernel": 5, "expansion": 0.6}, {"hidden": 5, "shortcut": "avg_pool"}],
    "fused_inverted_residual": [
        {"kernel": 3, "expansion": 4},
        {"kernel": 5, "expansion": 1.5},
        {"kernel": 3, "hidden": 20, "residual": False},
    ],
    "conv": [{"kernel": 1}, {"kernel": 5}, {"kernel": 3, "residual": True}],
    "separable": [{"kernel": 3}, {"kernel": 7}, {"kernel": 3, "residual": False}],
    "max_pool": [{}, {"kernel": 5}],
}
TYPES = sorted(EXAMPLES)
# What a runtime of those days is not known to run.
UNDESCRIBED = {"tflite_2.10": {"swish"}}
# Output channels of layers that keep the shape, halve an odd map, and change the channels alone.
OUTPUTS = {"max_pool": (8, 8, 8)}


def space_of(*types: str, divisor: int = 1) -> SearchSpace:
    """Three layers of different shapes with all examples that can stand there."""
    given = {f"{name}_{index}": each for name in types for index, each in enumerate(EXAMPLES[name])}
    typed = {name: {"type": name.rpartition("_")[0], **each} for name, each in given.items()}
    outputs = OUTPUTS.get(types[0], (8, 12, 16)) if len(types) == 1 else (8, 12, 16)
    rows = [
        {"out": out, "stride": stride, "activation": activation}
        for out, stride, activation in zip(outputs, (1, 2, 1), ("relu", "hswish", "relu6"), strict=True)
    ]
    return SearchSpace.from_dict(
        {
            "format": "dnas-space/2",
            "name": "_".join(types),
            "resolution": 15,
            "in_channels": 1,
            "num_classes": 3,
            "divisor": divisor,
            "norm": {"eps": 0.01, "momentum": 0.03},
            "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}],
            "choices": typed,
            "layers": [
                {**row, "choices": _fitting(row, outputs[max(index - 1, 0)], typed)}
                for index, row in enumerate(rows)
            ],
            "head": [{"type": "pool"}],
        }
    )


def _fitting(row: dict[str, Any], in_channels: int, given: dict[str, dict[str, Any]]) -> list[str]:
    layer = Layer(0, in_channels, row["out"], row["stride"], 15, row["activation"], ())
    every = [Choice.of(name, **options) for name, options in given.items()]
    return [choice.name for choice in every if not choice.type.problems(layer, choice.options)]


def placed(space: SearchSpace) -> Iterator[tuple[Layer, Choice]]:
    return ((layer, choice) for layer in space.layers for choice in layer.choices)


def first_of_each_example(space: SearchSpace) -> list[Architecture]:
    return [Architecture(space, (index,) * len(space)) for index in range(space.max_choices)]


def randomised(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=generator) + (0.5 if "var" in name else -0.5))
    return module


def images(batch: int, layer: Layer | None = None) -> Tensor:
    channels, size = (1, 15) if layer is None else (layer.in_channels, layer.input_size)
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, channels, size, size, generator=generator, dtype=torch.float64)


def test_every_type_has_examples() -> None:
    assert set(EXAMPLES) == set(blocks.names())


@pytest.mark.parametrize("name", TYPES)
def test_ops_are_those_of_the_module(name: str) -> None:
    for layer, choice in [*placed(space_of(name)), *placed(space_of(name, divisor=8))]:
        ops = choice.ops(layer)
        module = choice.build(layer).double().eval()
        assert sum(op.params for op in ops) == sum(each.numel() for each in module.parameters())
        assert ops == traced_ops(choice.type, layer, choice.options), "by listing and by running"
        with FlopCounterMode(display=False) as counter:
            y = module(images(1, layer))
        assert counter.get_total_flops() == 2 * sum(op.madds for op in ops)
        assert y.shape == (1, layer.out_channels, layer.output_size, layer.output_size)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sharing", sorted(SHARINGS))
@pytest.mark.parametrize("name", TYPES)
def test_extracted_networks_are_the_one_hot_supernet(name: str, sharing: str, training: bool) -> None:
    space = space_of(name)
    supernet = randomised(Supernet(space, sharing).double()).train(training)
    assert isinstance(supernet, Supernet)
    for arch in first_of_each_example(space):
        network, choices = supernet.extract(arch), torch.tensor(arch.indices)
        one_hot = torch.nn.functional.one_hot(choices, space.max_choices).double()
        own = Network(arch).state_dict()
        assert {key: each.shape for key, each in network.state_dict().items()} == {
            key: each.shape for key, each in own.items()
        }, "the block of the choice, not of another"
        expected = network(images(3))
        torch.testing.assert_close(supernet(images(3), choices), expected)
        torch.testing.assert_close(supernet(images(3), one_hot), expected)


@pytest.mark.parametrize("sharing", sorted(SHARINGS))
def test_all_types_in_one_layer(sharing: str) -> None:
    """The dense mixture of every example of every type is the sum of its blocks."""
    supernet = randomised(Supernet(space_of(*TYPES), sharing).double()).train()
    assert isinstance(supernet, Supernet)
    for block in supernet.mixed_blocks():
        count = len(block.layer.choices)
        x, weights = images(3, block.layer), torch.linspace(0.1, 1, count, dtype=torch.float64)
        each = [block.extract(choice)(x) for choice in range(count)]
        expected = sum((w * y for w, y in zip(weights, each, strict=True)), torch.zeros(()))
        torch.testing.assert_close(block(x, weights, range(count)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPES)
def test_onnx_runtime_computes_what_pytorch_does(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from dnas.nn.onnx_file import run_onnx, write_onnx

    for arch in first_of_each_example(space_of(name)):
        network = randomised(Network(arch)).eval()
        write_onnx(network, (2, 1, 15, 15), tmp_path / "net.onnx")
        x = images(2).float()
        torch.testing.assert_close(run_onnx(tmp_path / "net.onnx", x), network(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("runtime", shipped.names("runtimes", ".yaml"))
@pytest.mark.parametrize("name", TYPES)
def test_every_runtime_has_kernels(name: str, runtime: str) -> None:
    described = Runtime.load(runtime)
    for layer, choice in placed(space_of(name)):
        ops = choice.ops(layer)
        unknown = UNDESCRIBED.get(runtime, set()) & {word for op in ops for word in (op.type, op.activation)}
        if unknown:
            with pytest.raises(TableError, match=", ".join(sorted(unknown))):
                described.kernels(ops)
            continue
        kernels = described.kernels(ops)
        assert sum(kernel.madds for kernel in kernels) == sum(op.madds for op in ops)
        assert bool(kernels) == bool(ops)


@pytest.mark.parametrize("name", TYPES)
def test_drawn_by_both_back_ends_and_listed(name: str) -> None:
    space = space_of(name)
    for arch, choice in zip(first_of_each_example(space), space.choices(0), strict=True):
        glyphs = choice.type.glyphs(choice.options)
        assert choice.skip or glyphs
        axes = architecture_drawing(arch).axes[0]
        boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        assert len(boxes) == len(space) * len(glyphs) + 2, "stem and head besides"
        picture = str(drawing(arch.choices, space))
        blocks_drawn = picture.count('class="block')
        assert blocks_drawn == len(space) * len(glyphs)
        labels = [choice.type.label(layer, choice.name) for layer in space.layers]
        written = [text.get_text() for text in axes.texts]
        assert all(label in written for label in labels)
        assert choice.name in to_text(architecture_table(arch, count(space)))


@pytest.mark.parametrize("name", TYPES)
def test_memory_is_that_of_a_step(name: str) -> None:
    space, batch = space_of(name), 32
    supernet = Supernet(space).to(memory_format=torch.channels_last)
    own = {each.untyped_storage().data_ptr() for each in supernet.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = images(batch).float().contiguous(memory_format=torch.channels_last)
    mask = torch.full((len(space), space.max_choices), 0.5, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = supernet(x, mask)
    assert output.grad_fn is not None
    kept = Rehearsal(Setting(space, (Pass(None),))).measure(batch, "none").kept
    assert kept == pytest.approx(sum(saved.values()) - x.nbytes, rel=0.2)


@pytest.mark.parametrize("name", TYPES)
def test_options_survive_files(name: str, tmp_path: Path) -> None:
    space = space_of(name)
    arch = Architecture.random(space, np.random.default_rng(0))
    arch.save(tmp_path / "arch.json")
    read = Architecture.load(tmp_path / "arch.json")
    assert read == arch and [choice.options for choice in read.choices] == [
        choice.options for choice in arch.choices
    ]
