"""A fit that ends with a refinement of its supernet: one command and one YAML file for both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console

from dnas.refine.display import print_outcome, progress
from dnas.refine.run import Outcome, refine
from dnas.refine.settings import AlgorithmName, PredictorName, QualityName, Settings
from latency import load_table


class RefineAfterFit(pl.Callback):
    """Run ``dnas refine`` on the checkpoint that the fit has written, into ``refined`` in its run folder.

    A refinement that was killed continues with ``dnas refine`` and the same options.

    Args:
        table: latency table, name or file, or for several devices a list of ``DEVICE=TABLE``; None: the
            search's own. A one-shot supernet has none.
        seeded: begin with the architectures of the differentiable search that was fitted.
        seed_from: further sources of architectures to begin with.
        algorithm, population, generations, weights, seed, latency_below, params_above, target_ms, quality,
            recalibration_batches, predictor, stop_early: as of ``dnas refine``.

    Attributes:
        outcome: of the last refinement.

    Raises:
        ValueError: as ``dnas refine``, before anything is trained where that can be known.
    """

    def __init__(
        self,
        table: str | Sequence[str] | None = None,
        seeded: bool = True,
        seed_from: Sequence[str] = (),
        algorithm: AlgorithmName = "nsga2",
        population: int = 70,
        generations: int = 120,
        weights: Sequence[float] = (2.0, 2.0, 1.0),
        seed: int = 0,
        latency_below: float | Sequence[str | float] | None = None,
        params_above: float | None = None,
        target_ms: float | None = None,
        quality: QualityName = "auto",
        recalibration_batches: int = 8,
        predictor: PredictorName = "none",
        stop_early: bool = False,
    ) -> None:
        self.seeded = seeded
        self.outcome: Outcome | None = None
        self.options: dict[str, Any] = {
            "table": table,
            "seed_from": tuple(seed_from),
            "algorithm": algorithm,
            "population": population,
            "generations": generations,
            "weights": tuple(weights),
            "seed": seed,
            "latency_below": latency_below,
            "params_above": params_above,
            "target_ms": target_ms,
            "quality": quality,
            "recalibration_batches": recalibration_batches,
            "predictor": predictor,
            "stop_early": stop_early,
        }
        # What is wrong with the options is said now, not after hours of training.
        self._settings(Path("last.ckpt"), Path("refined"), searched=True)

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.checkpoint_callback is None:
            raise ValueError("RefineAfterFit needs the checkpoint of the fit: enable checkpointing.")
        if self.options["table"] is None and not hasattr(module, "table"):
            raise ValueError(
                "RefineAfterFit needs the option table: a one-shot supernet has no latency table."
            )

    def on_fit_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        checkpoint = Path(trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]
        trainer.strategy.barrier("checkpoint written")
        output = Path(trainer.default_root_dir) / "refined"
        settings = self._settings(checkpoint, output, searched=hasattr(module, "relaxation"))
        with progress(Console(stderr=True)) as tell:
            self.outcome = refine(settings, tell, load_table=load_table)
        if trainer.is_global_zero:
            print_outcome(Console(), self.outcome)

    def _settings(self, checkpoint: Path, output: Path, searched: bool) -> Settings:
        own = (str(checkpoint),) if self.seeded and searched else ()
        return Settings(checkpoint, output, **(self.options | {"seed_from": own + self.options["seed_from"]}))
