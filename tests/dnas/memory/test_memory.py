"""Estimates of memory against real steps, and the plans that are chosen from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import memory_plans
import pytest
import torch
from torch import Tensor

from dnas.layers.fused.checkpointing import PLANS
from dnas.memory import (
    DoesNotFit,
    Rehearsal,
    Setting,
    choose,
    estimate,
    free_bytes,
    largest_batch,
    plan_passes,
    planning,
    upper_bound,
)
from dnas.memory.command import main
from dnas.memory.passes import Pass, heaviest
from dnas.nn.supernet import Supernet
from dnas.search.gradient.masks import (
    HardGumbel,
    MaskStrategy,
    SoftGumbel,
    StrictlyFair,
    TwoPath,
    UniformPath,
)
from dnas.space import SearchSpace
from dnas.support.command import is_out_of_memory

GetSpace = Callable[[str], SearchSpace]
SHARINGS = ("independent", "entangled")


@pytest.fixture(scope="module")
def space(get_space: GetSpace) -> SearchSpace:
    return get_space("motley")


@pytest.fixture(scope="module")
def make(space: SearchSpace) -> Callable[..., Setting]:
    """A setting of the motley space; single-level and dense, unless told otherwise."""

    def setting(masks: MaskStrategy | None = None, **options: Any) -> Setting:
        masks = masks or SoftGumbel()
        passes = plan_passes(space, masks, masks if masks.trains_alpha else None, bilevel=False)
        return Setting(space, **({"passes": passes} | options))

    return setting


@pytest.fixture(scope="module")
def rehearsals(make: Any) -> dict[str, Rehearsal]:
    return {sharing: Rehearsal(make(sharing=sharing, device="cuda")) for sharing in SHARINGS}


@pytest.mark.slow
@pytest.mark.parametrize("sharing", SHARINGS)
def test_estimates_are_what_a_fresh_process_takes(sharing: str) -> None:
    # The first layers have the largest maps; all fourteen are the benchmark's.
    options = memory_plans._parser().parse_args(["--batch=64", "--layers=5"])
    rehearsal = Rehearsal(memory_plans.make_setting(sharing, options))
    pairs = {
        plan: (rehearsal.measure(64, plan).peak, memory_plans.measure(sharing, plan, options))
        # Each is a process of its own: with blocks of their own the two ends of the scale.
        for plan in (PLANS if sharing == "entangled" else (PLANS[0], PLANS[-1]))
    }
    assert all(estimated == pytest.approx(real, rel=0.2) for estimated, real in pairs.values()), pairs


@pytest.mark.slow
@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("plan", PLANS)
def test_kept_is_what_autograd_really_keeps(space: SearchSpace, make: Any, sharing: str, plan: str) -> None:
    supernet = Supernet(space, sharing, checkpointing=plan).to(memory_format=torch.channels_last)
    own = {each.untyped_storage().data_ptr() for each in supernet.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.randn(64, 1, 27, 27).contiguous(memory_format=torch.channels_last)
    mask = torch.full((len(space), space.max_choices), 0.2, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = supernet(images, mask)
    assert output.grad_fn is not None
    kept = Rehearsal(make(sharing=sharing)).measure(64, plan).kept
    # Checkpoints hold their inputs without these hooks.
    real = sum(saved.values()) - images.nbytes
    assert kept == pytest.approx(real, rel=0.1) if plan == "none" else kept >= real * 0.9


@pytest.mark.slow
@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("plan", PLANS)
def test_memory_grows_by_the_same_with_every_image(rehearsals: Any, sharing: str, plan: str) -> None:
    first, second, third = (rehearsals[sharing].measure(batch, plan).peak for batch in (64, 96, 128))
    assert first < second < third
    assert third - second == pytest.approx(second - first, rel=0.01)


@pytest.mark.parametrize("sharing", SHARINGS)
def test_costlier_plans_keep_less(rehearsals: Any, sharing: str) -> None:
    kept = [rehearsals[sharing].measure(64, plan).kept for plan in PLANS]
    peaks = [rehearsals[sharing].measure(64, plan).peak for plan in PLANS]
    assert kept[0] > kept[1] > kept[2]
    assert peaks[0] > max(peaks[1:])


def test_parts_add_up(rehearsals: Any, space: SearchSpace) -> None:
    parts = rehearsals["independent"].measure(64, "none")
    real = Supernet(space)
    weights = sum(each.nbytes for each in real.parameters())
    assert parts.parameters == weights + sum(each.nbytes for each in real.buffers())
    assert parts.optimizer == weights
    assert 0 <= parts.gradients <= weights
    assert parts.parameters + parts.gradients + parts.optimizer + parts.activations == parts.peak


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "copies"),
    [
        (partial(torch.optim.SGD, lr=0.1), 0),
        (partial(torch.optim.SGD, lr=0.1, momentum=0.9), 1),
        (partial(torch.optim.Adam, lr=0.1), 2),
        (partial(torch.optim.AdamW, lr=0.1, amsgrad=True), 3),
        (partial(torch.optim.RMSprop, lr=0.1), 1),
    ],
)
def test_the_optimisers_own_state(make: Any, space: SearchSpace, optimizer: Any, copies: int) -> None:
    weights = sum(each.nbytes for each in Supernet(space).parameters())
    state = Rehearsal(make(optimizer=optimizer)).measure(8, "none").optimizer
    assert state == pytest.approx(copies * weights, rel=0.05)


@pytest.mark.slow
def test_half_precision_keeps_about_half(make: Any, rehearsals: Any) -> None:
    half = Rehearsal(make(sharing="entangled", precision="bf16-mixed", device="cuda")).measure(64, "none")
    assert 0.4 < half.kept / rehearsals["entangled"].measure(64, "none").kept < 0.7


@pytest.mark.slow
def test_fewer_paths_need_less(make: Any) -> None:
    peaks = [estimate(make(masks), 64).peak for masks in (SoftGumbel(), TwoPath(), UniformPath())]
    assert peaks[0] > peaks[1] > peaks[2]
    assert estimate(make(HardGumbel()), 64).peak == pytest.approx(peaks[2], rel=0.02)
    assert estimate(make(HardGumbel(all_paths=True)), 64).peak == peaks[0]


@pytest.mark.slow
def test_a_bilevel_step_takes_what_its_heavier_half_takes(make: Any, space: SearchSpace) -> None:
    weights, alpha = plan_passes(space, UniformPath(), SoftGumbel())
    assert weights.weights_learn and not weights.alpha_learns
    assert alpha.alpha_learns and not alpha.weights_learn
    both = estimate(make(passes=(weights, alpha)), 64).peak
    alone = max(estimate(make(passes=(each,)), 64).peak for each in (weights, alpha))
    images = 64 * (27 * 27 * 4 + 8)
    assert both == alone + images
    # Frozen weights need no gradients.
    assert Rehearsal(make(passes=(alpha,))).measure(64, "none").gradients == 0


def test_accumulated_gradients_are_there_throughout(make: Any, space: SearchSpace) -> None:
    weights = sum(each.nbytes for each in Supernet(space).parameters())
    passes = plan_passes(space, UniformPath(), accumulate=2)
    assert Rehearsal(make(passes=passes)).measure(64, "none").gradients == weights
    (fair,) = plan_passes(SearchSpace.load("moga"), StrictlyFair())
    assert fair.holds_gradients and {len(row) for row in fair.active or ()} == {1}


def test_the_heaviest_choices_are_planned_for(space: SearchSpace) -> None:
    moga = SearchSpace.load("moga")
    two = heaviest(moga, [(0, 1)] * len(moga))
    assert two is not None
    specs = [[layer.choices[i].options for i in row] for layer, row in zip(moga.layers, two, strict=True)]
    assert all({spec.expansion for spec in row} == {6} and all(spec.se for spec in row) for row in specs)
    one = heaviest(space, [(6,), (6,), (0,), (0,)])
    assert one is not None
    names = [layer.choices[row[0]].name for layer, row in zip(space.layers, one, strict=True)]
    assert names == ["wide_k3_se", "wide_k3_se", "wide_k3_se", "half_k7_se"]


@pytest.mark.slow
def test_nothing_outside_is_changed(make: Any) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    Rehearsal(make(device="cuda")).measure(8, "block")
    assert torch.equal(torch.get_rng_state(), state)
    assert type(torch.zeros(1)) is Tensor


@pytest.mark.slow
@pytest.mark.parametrize("share", [1.3, 2.0, 7.7])
def test_the_largest_batch_fits_and_its_neighbour_does_not(rehearsals: Any, share: float) -> None:
    rehearsal = rehearsals["independent"]
    free = int(share * rehearsal.measure(64, "none").peak)
    batch = largest_batch(rehearsal, "none", free)
    assert batch % 8 == 0
    assert rehearsal.measure(batch, "none").peak <= 0.9 * free < rehearsal.measure(batch + 8, "none").peak


@pytest.mark.slow
def test_the_cheapest_plan_that_takes_enough_images(rehearsals: Any) -> None:
    rehearsal = rehearsals["entangled"]
    ask = partial(choose, rehearsal.setting, rehearsal=rehearsal)
    free = int(rehearsal.measure(64, "none").peak / 0.9) + 1
    assert ask(free)[:2] == ("none", 64)
    more = ask(free, wanted=72)
    assert more.checkpointing != "none" and more.batch >= 72
    assert ask(free, first="block").checkpointing == "block"
    assert ask(free, most=20).batch == 16
    assert ask(free, most=5).batch == 5
    # With too little for what is wanted, the plan that takes most images.
    little = ask(int(rehearsal.measure(16, "none").peak), wanted=10**4)
    assert little.checkpointing != "none" and little.batch > largest_batch(rehearsal, "none", free) // 4


def test_what_cannot_fit_is_said_once(rehearsals: Any) -> None:
    rehearsal = rehearsals["independent"]
    with pytest.raises(DoesNotFit, match=r"Not even 8 images .* with none, .* with choice, .* with block\. "):
        choose(rehearsal.setting, 1000, rehearsal=rehearsal)


def test_mistakes_are_told_together(make: Any) -> None:
    with pytest.raises(ValueError, match=r"precision must .*'8-bit'; device must .*'tpu'; resolution .*-1\."):
        make(precision="8-bit", device="tpu", resolution=-1)
    with pytest.raises(ValueError, match="got 0 and 'none'"):
        estimate(make(), 0)
    with pytest.raises(ValueError, match="none, choice, block, got 8 and 'some'"):
        estimate(make(), 8, "some")


@pytest.mark.slow
@pytest.mark.parametrize("masks", [SoftGumbel(), TwoPath(), UniformPath()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("batch", [1, 64])
def test_the_bound_is_above_every_estimate(make: Any, masks: MaskStrategy, batch: int) -> None:
    setting = make(masks)
    assert upper_bound(setting, batch) > estimate(setting, batch).peak


def test_free_memory_respects_control_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert free_bytes("cpu") > 2**20
    proc, groups = tmp_path / "proc", tmp_path / "cgroup"
    for path, text in {
        proc / "meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n",
        proc / "self" / "cgroup": "0::/job/step\n",
        groups / "job" / "memory.max": "5000000\n",
        groups / "job" / "memory.current": "2000000\n",
        groups / "job" / "memory.stat": "anon 1\ninactive_file 500000\n",
        groups / "job" / "step" / "memory.max": "max\n",
        groups / "job" / "step" / "memory.current": "1\n",
        groups / "job" / "step" / "memory.stat": "anon 1\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(planning, "PROC", proc)
    monkeypatch.setattr(planning, "CGROUPS", groups)
    assert free_bytes("cpu") == 5000000 - 1500000
    (groups / "job" / "memory.max").write_text("max\n")
    assert free_bytes("cpu") == 8000 * 1024
    monkeypatch.setattr(planning, "PROC", tmp_path / "nosuch")
    assert free_bytes("cpu") > 2**20


@pytest.mark.slow
def test_the_command_prints_every_plan(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, space: SearchSpace
) -> None:
    import yaml

    file = tmp_path / "motley.yaml"
    file.write_text(yaml.safe_dump(space.to_dict()))
    argv = [f"--space={file}", "--batch=16", "--masks=UniformPath", "--alpha-masks=TwoPath", "--device=cpu"]
    main([*argv, "--available-gb=0.05"])
    told = capsys.readouterr().out
    assert all(f" {plan} " in told for plan in PLANS)
    assert "motley, independent, 27 px, 32-true, 16 images" in told and "90 % of 0.1 GB (cpu)" in told
    with pytest.raises(SystemExit, match="dnas memory: Unknown search space 'nosuch'"):
        main(["--space=nosuch"])
    with pytest.raises(SystemExit, match="--batch must be at least 1, got 0"):
        main([*argv, "--batch=0"])


def test_running_out_of_memory_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_pass_learns_weights_unless_told_otherwise() -> None:
    assert Pass(None) == (None, True, False, False)
