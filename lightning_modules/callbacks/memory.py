"""Memory of the search's training step: estimated before training, chosen with ``batch_size: auto``, advice
when it runs out.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from dnas.layers.fused.checkpointing import PLANS
from dnas.memory import DoesNotFit, Rehearsal, Setting, choose, free_bytes, upper_bound
from dnas.memory.planning import STEP, WANTED
from dnas.memory.rehearsal import DEVICES, PRECISIONS
from dnas.runs.checkpoint_file import read_supernet
from dnas.support.command import is_out_of_memory

# Below this share of the free memory nobody has to think about memory, or to wait for an estimate.
NEGLIGIBLE = 0.1
# With fewer steps in an epoch than this, a larger batch only makes the search worse.
STEPS_PER_EPOCH = 16


class PlanMemory(pl.Callback):
    """Estimate the memory of a step before training, and explain what to do when there is not enough.

    With ``batch_size: auto`` in the data module it chooses the batch, and the checkpointing from the model's
    own on: see :func:`dnas.memory.choose`. The batch leaves at least 16 steps in an epoch. A search that is
    resumed keeps the batch of its checkpoint.
    """

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        data = trainer.datamodule  # type: ignore[attr-defined]
        if getattr(data, "batch_size", None) == "auto":
            self._choose(trainer, module, data)
        elif isinstance(getattr(data, "batch_size", None), int) and trainer.is_global_zero:
            _tell_estimate(trainer, module, data)

    def _choose(self, trainer: pl.Trainer, module: Any, data: Any) -> None:
        outcome = _chosen(trainer, module, data) if trainer.is_global_zero else ""
        # Free memory differs between processes, which must all do the same.
        outcome = trainer.strategy.broadcast(outcome)
        if isinstance(outcome, str):
            raise DoesNotFit(outcome)
        data.batch_size, plan = outcome
        data.hparams["batch_size"] = data.batch_size
        _checkpoint_by(module, plan)

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if is_out_of_memory(exception):
            # The exception goes on as it is, with a message that helps.
            exception.args = (f"{_advice(trainer, module)}\n({str(exception).splitlines()[0]})",)


def _setting(trainer: pl.Trainer, module: Any, data: Any) -> Setting:
    """Raises ValueError for precisions and devices that cannot be planned."""
    return Setting(
        module.space,
        module.passes(),
        module.supernet.sharing,
        resolution=getattr(data, "resolution", None),
        precision=str(trainer.precision),
        device=trainer.strategy.root_device.type,
        optimizer=module.weight_optimizer,
        **module.supernet.adaptation,
    )


def _free(trainer: pl.Trainer, module: pl.LightningModule) -> int:
    """Bytes that a step may take: what is free, and what the parameters occupy already."""
    own = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
    return free_bytes(trainer.strategy.root_device) + own


def _tell_estimate(trainer: pl.Trainer, module: Any, data: Any) -> None:
    if str(trainer.precision) not in PRECISIONS or trainer.strategy.root_device.type not in DEVICES:
        return
    setting, free = _setting(trainer, module, data), _free(trainer, module)
    if upper_bound(setting, data.batch_size) < NEGLIGIBLE * free:
        return
    plan = _checkpointing(module)
    with Console().status("Estimating the memory of a step ..."):
        peak = Rehearsal(setting).measure(data.batch_size, plan).peak
    print(_line(peak, free, data.batch_size, plan))
    if peak > free:
        print(f"Memory: that is more than there is. {_ways_out(plan, data.batch_size, {})}")


def _chosen(trainer: pl.Trainer, module: Any, data: Any) -> tuple[int, str] | str:
    """Batch and plan, or what to tell the user if there are none."""
    try:
        setting, free = _setting(trainer, module, data), _free(trainer, module)
        resumed = _resumed_batch(trainer)
        most = resumed or _largest_of_data(data, trainer.world_size)
        with Console().status("Choosing the batch ...") as status:
            found = choose(
                setting,
                free,
                wanted=resumed or WANTED,
                most=most,
                first=_checkpointing(module),
                tell=lambda text: status.update(f"Trying {text} ..."),
            )
    except ValueError as error:
        return f"batch_size: auto finds no batch. {error}"
    batch = resumed or found.batch
    why = "that of the checkpoint" if resumed else "the largest that fits"
    if not resumed and found.batch + STEP > most:
        why = f"the largest that leaves {STEPS_PER_EPOCH} steps in an epoch of this data"
    print(_line(found.peak, free, batch, found.checkpointing))
    print(f"Memory: batch_size auto took {batch} ({why}), with checkpointing {found.checkpointing}.")
    return batch, found.checkpointing


def _line(peak: int, free: int, batch: int, plan: str) -> str:
    return (
        f"Memory: about {peak / 1e9:.2f} GB of {free / 1e9:.1f} GB for a step of {batch} images "
        f"(checkpointing {plan})"
    )


def _largest_of_data(data: Any, world_size: int) -> int:
    weights, alpha = (len(data.splits[name].indices) for name in ("weights", "alpha"))
    # Paired batches come from two splits, each of which must fill one.
    own = data.split_alpha
    images = min(weights // STEPS_PER_EPOCH, alpha) if own else (weights + alpha) // STEPS_PER_EPOCH
    return max(1, images // world_size)


def _resumed_batch(trainer: pl.Trainer) -> int | None:
    if not trainer.ckpt_path:
        return None
    data = read_supernet(str(trainer.ckpt_path)).data or {}
    batch = data.get("init_args", {}).get("batch_size")
    return batch if isinstance(batch, int) else None


def _checkpointing(module: Any) -> str:
    plan: str = module.supernet.mixed_blocks()[0].checkpointing
    return plan


def _checkpoint_by(module: Any, plan: str) -> None:
    for block in module.supernet.mixed_blocks():
        block.checkpointing = plan


def _advice(trainer: pl.Trainer, module: Any) -> str:
    intact = "Checkpoints that were written are intact: go on from the last with --ckpt_path."
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not trainer.training:
        size = getattr(data, "eval_batch_size", "?")
        return f"Out of memory in an evaluation of {size} images: lower --data.eval_batch_size. {intact}"
    batch, plan = getattr(data, "batch_size", "?"), _checkpointing(module)
    peaks = _peaks(trainer, module, data, PLANS[PLANS.index(plan) :][:2])
    estimate = f", estimated at {peaks[plan] / 1e9:.2f} GB" if plan in peaks else ""
    return (
        f"Out of memory in a step of {batch} images with checkpointing {plan}{estimate}. "
        f"{_ways_out(plan, batch, peaks)} {intact}"
    )


def _ways_out(plan: str, batch: int | str, peaks: dict[str, int]) -> str:
    costlier = PLANS[PLANS.index(plan) + 1 :]
    steps = [
        f"--model.checkpointing {each}" + (f" (about {peaks[each] / 1e9:.2f} GB)" if each in peaks else "")
        for each in costlier
    ]
    smaller = f"--data.batch_size {max(1, batch // 2)}" if isinstance(batch, int) else "a smaller batch"
    return "Try, in this order: " + ", then ".join([*steps, smaller]) + "."


def _peaks(trainer: pl.Trainer, module: Any, data: Any, plans: tuple[str, ...]) -> dict[str, int]:
    try:
        rehearsal = Rehearsal(_setting(trainer, module, data))
        return {plan: rehearsal.measure(data.batch_size, plan).peak for plan in plans}
    except (ValueError, TypeError, AttributeError, RuntimeError):
        # The advice must not fail where the estimate does: a precision or data module that it does not know.
        return {}
