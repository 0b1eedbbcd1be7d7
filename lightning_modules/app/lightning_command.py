"""LightningCLI as ``dnas fit``, ``validate`` and ``test``: a folder per run, one message for a mistake."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from jsonargparse import Namespace
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import (
    ArgsType,
    LightningArgumentParser,
    LightningCLI,
    SaveConfigCallback,
)
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins import CheckpointIO

from dnas.blocks.registry import BLOCKS_FLAG, OPTION_HELP, register_files_of
from dnas.support.files import write_text
from dnas.support.resuming import HELP as RESUME_HELP
from dnas.support.resuming import remember, resumed_folder
from dnas.support.stopping import Stopped
from lightning_modules.app.continuing import (
    CHECKPOINTS,
    CONFIG,
    continued,
    logged,
    refuse_keywords,
    rolled_back,
    with_last_good,
)
from lightning_modules.app.framework_errors import in_our_words
from lightning_modules.app.moved_keys import refuse_moved
from lightning_modules.app.quiet import without_noise
from lightning_modules.app.resources import resolve_config_arguments
from lightning_modules.app.run_folder import hold, let_go, make_run_folder, process_number
from lightning_modules.app.run_logs import Events, MetricsFile
from lightning_modules.callbacks.finite import Diverged
from lightning_modules.callbacks.interrupt import CheckpointEvery, go_on
from lightning_modules.callbacks.lost import EndWithOthers
from lightning_modules.checkpoint_io import SealedCheckpointIO

# jsonargparse wraps every message, level by level, in the types it tried and in the whole configuration.
_WRAPPING = re.compile(
    r"Does not validate against any of the Union subtypes|Subtypes: |Errors:$|Given value type: "
    r"|Given value: (NestedArg|Namespace|\{)|Expected a (<class )?'?NoneType"
)


class SaveConfig(SaveConfigCallback):
    """Keeps the config of a run without its folder: taken again, it makes a run with a folder of its own."""

    def __init__(
        self, parser: LightningArgumentParser, config: Namespace, *arguments: Any, **options: Any
    ) -> None:
        config = config.clone()
        config["run_folder"] = None
        super().__init__(parser, config, *arguments, **(options | {"save_to_log_dir": False}))

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # Whole or not at all: a run that goes on needs the one of before.
        text = self.parser.dump(self.config, skip_unset=False)
        write_text(Path(trainer.default_root_dir) / CONFIG, text)


class DnasCLI(LightningCLI):
    """LightningCLI with a folder per run, loggers in it, and data facts passed on to the model.

    Args:
        resumes: the run goes on in its folder, which is not empty.
        rolls_back: it does so after it diverged, with lower learning rates.
    """

    def __init__(
        self, *arguments: Any, resumes: bool = False, rolls_back: bool = False, **options: Any
    ) -> None:
        self._resumes, self._rolls_back = resumes, rolls_back
        self._folder: Path | None = None
        self.subcommand = None
        try:
            super().__init__(*arguments, **options)
        except Stopped as stopped:
            # Before the callback listens, or after it.
            if not stopped.note and self.subcommand == "fit":
                stopped.note = self._kept()
            raise
        finally:
            let_go()

    def _kept(self) -> str:
        """What a signal leaves that no callback has answered."""
        trainer: pl.Trainer | None = getattr(self, "trainer", None)
        epochs = 0 if trainer is None else trainer.fit_loop.epoch_progress.current.completed
        ended = trainer is not None and (trainer.should_stop or epochs == trainer.max_epochs)
        when = "The training had come to its end" if ended else "It was before the first step"
        return f"{when}{go_on(self._folder) or '.'}"

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.epilog = f"{BLOCKS_FLAG} FILE.py: {OPTION_HELP}. {RESUME_HELP}"
        parser.add_argument(
            "--run_folder", type=str | None, default=None, help="where this run writes; must be empty"
        )
        parser.add_argument(
            "--checkpoint_minutes",
            type=float | None,
            default=None,
            help="save checkpoints/moment.ckpt so often, in the middle of an epoch, too",
        )
        for fact in ("num_classes", "in_channels"):
            parser.link_arguments(f"data.{fact}", f"model.init_args.{fact}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        try:
            super().parse_arguments(parser, args)
        except ArgumentError as error:
            raise ValueError(without_wrapping(str(error))) from error

    def _parse_ckpt_path(self) -> None:
        """Do not let a checkpoint's hyper-parameters override the command line, as LightningCLI does.

        The command line says what to run; the module refuses a checkpoint that does not fit.
        """

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise said_by_constructor(error) from error

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        if self._get(self.config_init, "trainer.barebones"):
            raise ValueError(
                "trainer.barebones goes without the checkpoints and logs of a run: leave it out."
            )
        asked = self._get(self.config_init, "trainer.default_root_dir")
        requested = self._get(self.config_init, "run_folder") or asked
        self._folder = folder = make_run_folder(requested, self._run_name(), resumes=self._resumes)
        if process_number() == 0:
            hold(folder)
            if not self._resumes or self._get(self.config_init, "ckpt_path") is None:
                remember(folder, "dnas fit")
        kwargs["default_root_dir"] = str(folder)
        plugins = self._get(self.config_init, "trainer.plugins") or []
        plugins = [*plugins] if isinstance(plugins, list) else [plugins]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            kwargs["plugins"] = [*plugins, SealedCheckpointIO()]
        if self._get(self.config_init, "trainer.logger") in (None, True):
            kwargs["logger"] = self._loggers(folder)
        callbacks = list(self._get(self.config_init, "trainer.callbacks") or [])
        wanted = self._get(self.config_init, "trainer.enable_checkpointing") is not False
        if wanted and not any(isinstance(callback, ModelCheckpoint) for callback in callbacks):
            callbacks.append(_after_each_epoch(folder / "checkpoints"))
        if (minutes := self._get(self.config_init, "checkpoint_minutes")) is not None:
            callbacks.append(CheckpointEvery(minutes))
        callbacks.append(EndWithOthers())
        return super().instantiate_trainer(**kwargs, callbacks=callbacks)

    def _loggers(self, folder: Path) -> list[Logger]:
        done = None
        if self._resumes and process_number() == 0:
            checkpoint = self._get(self.config_init, "ckpt_path")
            done = logged(Path(checkpoint)) if checkpoint else (0, 0)
        return [MetricsFile(folder, done), Events(folder)]

    def _run_name(self) -> str:
        configs = self._get(self.config, "config") or []
        path = Path(str(configs[-1])) if configs else Path(str(self.subcommand))
        return "-".join(part for part in (path.parent.name, path.stem) if part not in ("", "configs"))

    def before_fit(self) -> None:
        if self._rolls_back:
            self.model.finite.lower_rates()
        table = getattr(self.model, "table", None)
        if table is None or not self.trainer.is_global_zero:
            return
        print(f"Latency: {table.describe()}")
        trained_at = getattr(self.datamodule, "resolution", table.space.resolution)
        if trained_at != table.space.resolution:
            print(
                f"Latency is that of the deployed network at {table.space.resolution} px; "
                f"training sees images of {trained_at} px."
            )

    def after_fit(self) -> None:
        checkpoint = self.trainer.checkpoint_callback
        if self.trainer.is_global_zero and checkpoint is not None:
            path = checkpoint.best_model_path  # type: ignore[attr-defined]
            # A run that was moved, and had nothing left to do, knows where it was.
            here = Path(self.trainer.default_root_dir, CHECKPOINTS, Path(path).name)
            path = here if path and here.is_file() else path
            none = (
                "none, trainer.fast_dev_run writes none"
                if self.trainer.fast_dev_run  # type: ignore[attr-defined]
                else "none, no epoch was trained: see to trainer.max_epochs and trainer.limit_train_batches"
            )
            print(f"Run folder: {self.trainer.default_root_dir}\nCheckpoint: {path or none}")


def _after_each_epoch(folder: Path) -> ModelCheckpoint:
    """A checkpoint of its own for the last epoch: 'last.ckpt' is what deriving and resuming want.

    Lightning itself would save after validation, and so not after epochs that have none.
    """
    return ModelCheckpoint(
        folder, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )


def run_lightning(argv: Sequence[str], resumes: bool = False, **options: Any) -> DnasCLI:
    """Run one LightningCLI subcommand (fit, validate, test).

    Args:
        resumes: the run folder among the arguments holds a run, which goes on from the checkpoint among them.
    """
    # Not among the options of a config: data never name code that is run.
    folder, argv = resumed_folder(argv)
    if folder is not None:
        argv = continued(folder, argv)
    argv = resolve_config_arguments(register_files_of(argv))
    refuse_moved(argv)
    refuse_keywords(argv)
    with without_noise(), in_our_words():
        try:
            return _cli(argv, resumes=folder is not None or resumes, **options)
        except Diverged as error:
            back = rolled_back(error)
        except Stopped as stopped:
            if process_number() == 0:
                raise
            # All processes stop at the same step, and the first one says so.
            raise SystemExit(stopped.status) from None
        # Outside of the handler, whose exception holds on to all of the first fit.
        try:
            return _cli([*argv, *back], resumes=True, rolls_back=True, **options)
        except Diverged as error:
            raise with_last_good(error) from error


def _cli(argv: Sequence[str], **options: Any) -> DnasCLI:
    return DnasCLI(
        subclass_mode_model=True,
        subclass_mode_data=True,
        model_class=pl.LightningModule,
        datamodule_class=pl.LightningDataModule,
        auto_configure_optimizers=False,
        save_config_callback=SaveConfig,
        seed_everything_default=0,
        parser_kwargs={"prog": "dnas", "exit_on_error": False},
        args=argv,
        **options,
    )


def said_by_constructor(error: Exception) -> Exception:
    """The exception that a constructor of ours raised, under those that jsonargparse raised from it."""
    while isinstance(error.__cause__, Exception) and _is_of_jsonargparse(error):
        error = error.__cause__
    return error


def without_wrapping(message: str) -> str:
    """The lines of a parser's message that say what is wrong and where."""
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    kept = [line for line in lines if line and not _WRAPPING.match(line)]
    return "\n  ".join(dict.fromkeys(kept))


def _is_of_jsonargparse(error: Exception) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("jsonargparse")
