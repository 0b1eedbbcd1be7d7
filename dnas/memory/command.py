"""``dnas memory`` (``python -m dnas.memory``): memory of a search's training step under every plan."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.table import Table

from dnas import blocks
from dnas.layers.fused.checkpointing import PLANS
from dnas.memory import MemoryPlan, Rehearsal, Setting, free_bytes, largest_batch, plan_passes
from dnas.memory.rehearsal import DEVICES, PRECISIONS
from dnas.nn.sharing import SHARINGS
from dnas.search.gradient.masks import (
    HardGumbel,
    MaskStrategy,
    SoftGumbel,
    StrictlyFair,
    TwoPath,
    UniformPath,
)
from dnas.space import SearchSpace
from dnas.support.command import Command

MASKS: dict[str, type[MaskStrategy]] = {
    kind.__name__: kind for kind in (SoftGumbel, HardGumbel, TwoPath, UniformPath, StrictlyFair)
}


def run(options: argparse.Namespace, console: Console) -> None:
    """Rehearse and print.

    Raises:
        ValueError: an unusable setting.
    """
    setting = _setting(options)
    if options.batch < 1:
        raise ValueError(f"--batch must be at least 1, got {options.batch}.")
    free = free_bytes(options.device) if options.available_gb is None else int(1e9 * options.available_gb)
    with console.status("Rehearsing: building the supernet") as status:
        rehearsal = Rehearsal(setting)
        rows = []
        for plan in PLANS:
            status.update(f"Rehearsing: checkpointing {plan}, {options.batch} images")
            found = MemoryPlan(plan, options.batch, rehearsal.measure(options.batch, plan))
            batch = largest_batch(
                rehearsal, plan, free, tell=lambda text: status.update(f"Rehearsing: {text}")
            )
            rows.append((found, batch))
    console.print(_table(rows, free, f"{setting.space.name}, {options.sharing}, {setting.side} px, "
                                     f"{options.precision}, {options.batch} images, GB"))  # fmt: skip
    console.print(f"'fits' is the largest batch for 90 % of {free / 1e9:.1f} GB ({options.device}).")


def _table(rows: Sequence[tuple[MemoryPlan, int]], free: int, title: str) -> Table:
    table = Table("checkpointing", title=title)
    for heading in ("peak", "parameters", "gradients", "optimiser", "activations", "kept", "fits"):
        table.add_column(heading, justify="right")
    for plan, batch in rows:
        parts = plan.footprint
        sizes = (plan.peak, parts.parameters, parts.gradients, parts.optimizer, parts.activations, parts.kept)
        table.add_row(plan.checkpointing, *(f"{size / 1e9:.2f}" for size in sizes), str(batch or "none"))
    return table


def _setting(options: argparse.Namespace) -> Setting:
    space = SearchSpace.load(options.space)
    masks = MASKS[options.masks]()
    if options.alpha_masks is not None:
        passes = plan_passes(space, masks, MASKS[options.alpha_masks]())
    else:
        passes = plan_passes(space, masks, masks if masks.trains_alpha else None, bilevel=False)
    return Setting(
        space,
        passes,
        options.sharing,
        resolution=options.resolution,
        precision=options.precision,
        device=options.device,
        num_classes=options.num_classes,
        stem_stride=options.stem_stride,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    blocks.add_option(parser)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    add = parser.add_argument
    add("--space", default="moga", help="shipped name or YAML file")
    add("--sharing", default="independent", choices=SHARINGS)
    add("--resolution", type=int, help="side of the training images in pixels; default: the space's")
    add("--batch", type=int, default=64, help="images per step")
    add("--masks", default="SoftGumbel", choices=MASKS, help="how masks are drawn when the weights learn")
    add("--alpha-masks", choices=MASKS, help="for bilevel search: how masks are drawn when alpha learns")
    add("--precision", default="32-true", choices=PRECISIONS)
    add("--device", default=device, choices=DEVICES)
    add("--num-classes", type=int, help="instead of the space's")
    add("--stem-stride", type=int, help="instead of the space's")
    add("--available-gb", type=float, help="10^9 bytes; default: what is free on the device")


main = Command("dnas memory", __doc__ or "", add_arguments, run)
