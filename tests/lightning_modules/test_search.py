"""The steps of the search: who moves when, on which mask, with which gradient (contract 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dnas.runs.checkpoint_file import read
from dnas.search.gradient.masks import HardGumbel, SoftGumbel, StrictlyFair, TwoPath, UniformPath
from dnas.search.gradient.objective import AdditiveLatency, Objective
from dnas.search.gradient.schedules import Linear
from dnas.space import SearchSpace
from dnas.space.space_file import SpaceError
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from latency.table.errors import TableError
from lightning_modules.callbacks import Diverged
from lightning_modules.search import DifferentiableSearch

MakeSearch = Callable[..., DifferentiableSearch]
Fit = Callable[..., pl.Trainer]
WEIGHTS, ALPHA = 0, 1


class Steps(pl.Callback):
    """Of every optimiser step: whose it is, all parameters before it, and the gradients that it used."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.parameters: list[dict[str, Tensor]] = []
        self.gradients: list[dict[str, Tensor]] = []
        self.batches: list[Any] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append(batch)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        for index, optimizer in enumerate(trainer.optimizers):
            optimizer.register_step_pre_hook(lambda *_, index=index: self._before(index, module))
            # Callbacks clip within the step.
            optimizer.register_step_post_hook(lambda *_: self._after(module))

    def on_fit_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.parameters.append(copies(module))

    def _before(self, index: int, module: nn.Module) -> None:
        self.order.append(index)
        self.parameters.append(copies(module))

    def _after(self, module: nn.Module) -> None:
        grads = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
        self.gradients.append({name: grad.clone() for name, grad in grads.items()})

    def changed(self) -> list[set[str]]:
        """Names of the parameters that every step changed."""
        pairs = zip(self.parameters, self.parameters[1:], strict=False)
        return [{name for name in old if not torch.equal(old[name], new[name])} for old, new in pairs]


def copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def without_dropout(search: DifferentiableSearch) -> DifferentiableSearch:
    for module in search.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return search


@pytest.mark.parametrize(
    "masks_of_alpha", [TwoPath(), SoftGumbel(), HardGumbel()], ids=lambda m: type(m).__name__
)
@pytest.mark.parametrize("bilevel", [True, False])
def test_one_draw_per_batch_serves_forward_and_cost(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, masks_of_alpha: Any, bilevel: bool
) -> None:
    search = make_search(alpha={"masks": masks_of_alpha}, steps={"bilevel": bilevel})
    drawn, executed, costed = [], [], []
    draw, expected = search.relaxation.draw, search.relaxation.expected

    def spy_draw(strategy: Any, tau: float, index: int, phase: int) -> Any:
        samples = draw(strategy, tau, index, phase)
        drawn.append((index, [sample.mask for sample in samples]))
        return samples

    def spy_expected(mask: Tensor) -> Any:
        costed.append(mask)
        return expected(mask)

    search.relaxation.draw, search.relaxation.expected = spy_draw, spy_expected
    search.supernet.register_forward_pre_hook(lambda module, arguments: executed.append(arguments[1]))
    fit(search, tmp_path, limit_train_batches=3)
    batches = 6 if bilevel else 3
    assert [index for index, _ in drawn] == list(range(batches))
    masks = [mask for _, (mask,) in drawn]
    assert len(executed) == batches and all(a is b for a, b in zip(masks, executed, strict=True))
    by_alpha = masks[1::2] if bilevel else masks
    costed = [mask for mask in costed if mask.grad_fn is not None]
    assert len(costed) == 3 and all(a is b for a, b in zip(by_alpha, costed, strict=True))
    assert len({tuple(mask.detach().flatten().tolist()) for mask in masks}) > 1


def test_every_parameter_has_one_optimiser(make_search: MakeSearch) -> None:
    search = make_search()
    owned = [
        [id(p) for group in each.param_groups for p in group["params"]]
        for each in search.configure_optimizers()
    ]
    assert sorted(owned[WEIGHTS] + owned[ALPHA]) == sorted(map(id, search.parameters()))
    assert owned[ALPHA] == [id(search.relaxation.alpha)]


@pytest.mark.parametrize(
    ("options", "batches", "order"),
    [
        ({}, 3, [WEIGHTS, ALPHA] * 3),
        ({"bilevel": False}, 3, [WEIGHTS, ALPHA] * 3),
        # 1,077 images for the weights and 270 for alpha are four batches of 256 and one.
        ({"alternate": "epoch"}, 1.0, [WEIGHTS] * 4 + [ALPHA]),
        ({"warmup_epochs": 1}, 2, [WEIGHTS] * 2),
        ({"warmup_epochs": 1, "bilevel": False}, 2, [WEIGHTS] * 2),
        ({"warmup_epochs": 1, "alternate": "epoch"}, 1.0, [WEIGHTS] * 4),
        ({"accumulate": 2}, 5, [WEIGHTS, ALPHA] * 3),
        ({"accumulate": 2, "bilevel": False}, 5, [WEIGHTS, ALPHA] * 3),
        # What the weights accumulated is used before alpha's phase, in the warm-up too.
        ({"accumulate": 3, "alternate": "epoch"}, 1.0, [WEIGHTS, WEIGHTS, ALPHA]),
        ({"accumulate": 3, "alternate": "epoch", "warmup_epochs": 1}, 1.0, [WEIGHTS, WEIGHTS]),
    ],
    ids=str,
)
def test_who_moves_when(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, options: dict[str, Any], batches: Any, order: list[int]
) -> None:
    steps = Steps()
    search = make_search(steps=options)
    size = {"batch_size": 256} if isinstance(batches, float) else {}
    fit(search, tmp_path, limit_train_batches=batches, callbacks=[steps], data=size)
    assert steps.order == order
    assert search.pending == [0, 0]
    for index, changed in zip(steps.order, steps.changed(), strict=True):
        assert changed
        assert (index == ALPHA) == (changed == {"relaxation.alpha"})
        assert (index == WEIGHTS) == all(name.startswith("supernet.") for name in changed)


@pytest.mark.parametrize("bilevel", [True, False])
def test_each_optimiser_sees_the_gradients_of_its_own_parameters(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, bilevel: bool
) -> None:
    steps = Steps()
    fit(make_search(steps={"bilevel": bilevel}), tmp_path, callbacks=[steps])
    for index, gradients in zip(steps.order, steps.gradients, strict=True):
        if bilevel or index == ALPHA:
            assert all(name.startswith("relaxation.") == (index == ALPHA) for name in gradients)
        else:
            assert "relaxation.alpha" in gradients


@pytest.mark.parametrize("bilevel", [True, False])
def test_warm_up_leaves_alpha_and_its_optimiser_untouched(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, bilevel: bool
) -> None:
    search = make_search(steps={"warmup_epochs": 1, "bilevel": bilevel})
    start = torch.tensor([[0.1, -0.2, 0.3, 0.4]] * 3)
    search.relaxation.alpha.data.copy_(start)
    trainer = fit(search, tmp_path, max_epochs=1)
    assert torch.equal(search.relaxation.alpha, start)
    assert not trainer.optimizers[ALPHA].state
    longer = make_search(steps={"warmup_epochs": 1, "bilevel": bilevel})
    fit(longer, tmp_path, max_epochs=2)
    assert not torch.equal(longer.relaxation.alpha, torch.zeros(3, 4))


@pytest.mark.parametrize("bilevel", [True, False])
def test_accumulated_gradients_are_the_mean_over_their_batches(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, bilevel: bool
) -> None:
    # The weights stand still: in a bilevel step they move before alpha's last batch.
    still = partial(torch.optim.SGD, lr=0.0)
    options = {
        "weights": {"optimizer": still},
        "alpha": {"masks": SoftGumbel()},
        "steps": {"accumulate": 3, "bilevel": bilevel},
    }
    steps, search = Steps(), without_dropout(make_search(**options))
    fit(search, tmp_path, limit_train_batches=3, callbacks=[steps])
    assert steps.order == [WEIGHTS, ALPHA]
    fresh = without_dropout(make_search(**options)).train()
    fresh.log = lambda *arguments, **more: None
    wanted = {name: torch.zeros_like(p) for name, p in fresh.named_parameters()}
    # (part of the batch, whose masks, what moves), in the order of the draws.
    bilevel_parts = [("weights", WEIGHTS, ["supernet"]), ("alpha", ALPHA, ["relaxation"])]
    parts = bilevel_parts if bilevel else [("weights", ALPHA, ["supernet", "relaxation"])]
    draws = [(batch, *part) for batch in steps.batches for part in parts]
    for draw, (batch, part, index, moving) in enumerate(draws):
        masks = fresh.alpha.masks if index == ALPHA else fresh.weights.masks
        (sample,) = fresh.relaxation.draw(masks, fresh.tau, draw, phase=index if bilevel else 0)
        loss = fresh._loss(batch[part], sample, costs=index == ALPHA) / 3
        own = {name: p for name, p in fresh.named_parameters() if name.split(".")[0] in moving}
        for name, gradient in zip(
            own, torch.autograd.grad(loss, [*own.values()], allow_unused=True), strict=True
        ):
            wanted[name] += 0.0 if gradient is None else gradient
    torch.testing.assert_close(steps.gradients[1]["relaxation.alpha"], wanted["relaxation.alpha"])
    of_weights = {name: g for name, g in steps.gradients[0].items() if name.startswith("supernet.")}
    assert of_weights
    for name, gradient in of_weights.items():
        torch.testing.assert_close(gradient, wanted[name], msg=name)


def test_strictly_fair_masks_take_one_step_for_all_choices(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, tiny_space_file: Path
) -> None:
    with pytest.raises(ValueError, match="layer 1 has 3"):
        fit(make_search(weights={"masks": StrictlyFair()}), tmp_path)
    even = tmp_path / "even.yaml"
    even.write_text(tiny_space_file.read_text().replace("[E1K3, E2K5, E3K5SE]", "[E1K3, E2K5]"))
    table = tmp_path / "even.csv"
    build_calibrated(CalibratedModel.load("adreno630_mace"), SearchSpace.load(even), table)
    made = {"space": str(even), "table": str(table), "sharing": "independent"}
    for masks, executed in ((StrictlyFair(), 4 + 2 + 4), (UniformPath(), 3)):
        steps = Steps()
        fit(make_search(weights={"masks": masks}, **made), tmp_path, limit_train_batches=1, callbacks=[steps])
        assert steps.order == [WEIGHTS, ALPHA]
        # supernet.blocks.LAYER.blocks.CHOICE...
        names = [name.split(".") for name in steps.gradients[0] if name.startswith("supernet.blocks.")]
        assert len({(layer, choice) for _, _, layer, _, choice, *_ in names}) == executed


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradient_norms_are_clipped(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, precision: Any
) -> None:
    free, clipped = Steps(), Steps()
    fit(make_search(), tmp_path, callbacks=[free], limit_train_batches=1, precision=precision)
    search = make_search(weights={"clip": 0.01}, alpha={"clip": 0.001})
    fit(search, tmp_path, callbacks=[clipped], limit_train_batches=1, precision=precision)
    for index, limit in ((WEIGHTS, 0.01), (ALPHA, 0.001)):
        norms = [
            torch.stack([g.norm() for g in steps.gradients[index].values()]).norm().item()
            for steps in (free, clipped)
        ]
        assert norms[0] > 2 * limit
        assert norms[1] == pytest.approx(limit, rel=1e-2)


@pytest.mark.slow
def test_mixed_precision_keeps_alpha_in_float32(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    search, types = make_search(), []
    search.supernet.register_forward_hook(lambda module, inputs, output: types.append(output.dtype))
    fit(search, tmp_path, precision="bf16-mixed")
    assert set(types) == {torch.bfloat16}
    assert search.relaxation.alpha.dtype == torch.float32 and search.relaxation.alpha.abs().max() > 0


def test_double_precision_is_double_all_the_way(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    search = make_search()
    fit(search, tmp_path, precision="64-true")
    assert {parameter.dtype for parameter in search.parameters()} == {torch.float64}


@pytest.mark.gpu
def test_float16_with_a_scaler(make_search: MakeSearch, fit: Fit, tmp_path: Path) -> None:
    search = make_search(weights={"clip": 1.0}, alpha={"clip": 1.0})
    fit(search, tmp_path, precision="16-mixed", accelerator="gpu", limit_train_batches=4)
    assert search.relaxation.alpha.isfinite().all() and search.relaxation.alpha.abs().max() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "bf16-true"}, "bf16-true.*use bf16-mixed"),
        ({"gradient_clip_val": 1.0}, "model.weights.clip and model.alpha.clip"),
        ({"accumulate_grad_batches": 2}, "model.steps.accumulate"),
        ({"strategy": "ddp"}, "ddp_find_unused_parameters_true"),
    ],
    ids=str,
)
def test_unusable_trainer_flags_are_refused_naming_ours(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit(make_search(), tmp_path, **options)


class Poison(pl.Callback):
    """Writes ``value`` into a parameter before the first step of the second epoch."""

    def __init__(self, name: str, value: float) -> None:
        self.name, self.value = name, value
        self.before: dict[str, Tensor] = {}

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 1 and not self.before:
            trainer.save_checkpoint(f"{trainer.default_root_dir}/good.ckpt")
            module.get_parameter(self.name).data.flatten()[0] = self.value
            self.before = copies(module)


@pytest.mark.parametrize("bilevel", [True, False])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_loss_stops_before_it_spoils_the_weights(
    make_search: MakeSearch, fit: Fit, tmp_path: Path, bilevel: bool, value: float
) -> None:
    search, poison = make_search(steps={"bilevel": bilevel}), Poison("supernet.classifier.bias", value)
    with pytest.raises(Diverged, match=r"Epoch 1, .*model.weights.clip, model.alpha.clip"):
        fit(search, tmp_path, max_epochs=2, callbacks=[poison])
    after = copies(search)
    assert all(torch.equal(after[n], b) or b.isnan().any() for n, b in poison.before.items())
    assert read(tmp_path / "good.ckpt").build_supernet().classifier.bias.isfinite().all()


def test_alpha_that_is_not_finite_stops_with_its_place(
    make_search: MakeSearch, fit: Fit, tmp_path: Path
) -> None:
    with pytest.raises(Diverged, match="Epoch 1, batch 0: alpha of decision L1, choice E1K3, is nan"):
        fit(make_search(), tmp_path, max_epochs=2, callbacks=[Poison("relaxation.alpha", math.nan)])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"space": "nosuch"}, SpaceError, "nosuch.*fbnet, mnasnet"),
        ({"table": "nosuch"}, TableError, "nosuch.*adreno630_mace_calibrated"),
        ({"table": "adreno630_mace_calibrated"}, TableError, "moga"),
        ({"sharing": "some"}, ValueError, "some.*independent, entangled"),
        ({"alpha": {"clip": 0.0}}, ValueError, r"above 0, got \[0.0\]"),
        ({"steps": {"tau": 0.0}}, ValueError, "steps.tau must stay above 0, got 0.0"),
        ({"steps": {"tau": Linear(1.0, -1.0)}}, ValueError, "steps.tau must stay above 0, got -1.0"),
        ({"steps": {"latency_scale": Linear(-1.0, 1.0)}}, ValueError, "steps.latency_scale .* got -1.0"),
        (
            {
                "alpha": {"masks": UniformPath()},
                "steps": {"accumulate": 0, "warmup_epochs": -1},
                "recalibration_batches": -2,
            },
            ValueError,
            "alpha.masks: Uniform.*accumulate .* got 0; steps.warm.* got -1; recalibration.* got -2",
        ),
    ],
)
def test_unusable_arguments_are_refused(
    make_search: MakeSearch, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_search(**options)


def test_one_shot_accuracy_is_that_of_the_argmax_network(
    make_search: MakeSearch, fit: Fit, tmp_path: Path
) -> None:
    search = make_search(objective=Objective(AdditiveLatency(weight_per_ms=0.1)))
    trainer = fit(search, tmp_path, limit_val_batches=1.0)
    network = search.validated[0].__self__
    assert network.arch == search.relaxation.best()
    for name, weight in search.supernet.extract(network.arch).named_parameters():
        assert torch.equal(weight, network.get_parameter(name))
    right = [
        (network(images).argmax(1) == labels).float()
        for images, labels in trainer.datamodule.val_dataloader()
    ]
    assert trainer.callback_metrics["val_top1"].item() == pytest.approx(torch.cat(right).mean().item())


@pytest.mark.parametrize("plan", ["none", "choice", "block"])
def test_checkpointing_reaches_every_layer(
    make_search: Callable[..., DifferentiableSearch], plan: str
) -> None:
    blocks = make_search(checkpointing=plan).supernet.mixed_blocks()
    assert [block.checkpointing for block in blocks] == [plan] * len(blocks)
