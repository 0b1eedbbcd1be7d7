"""Refusing options that have moved, with the new place of each: one message for configs and command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dnas.support.documents import DocumentError, load_yaml, read_text
from lightning_modules.app.resources import CONFIG_FLAGS

_FORM = "objective.form"
_FORMS = {
    "fbnet": "FBNetLatency",
    "additive": "AdditiveLatency",
    "mnasnet": "MnasNetLatency",
    "absolute": "AbsoluteLatency",
    "hinge": "HingeLatency",
}
# Below `model`, by the class that took them: the key as it was, and as it is.
_RENAMED = {
    "DifferentiableSearch": {
        "weight_masks": "weights.masks",
        "weight_optimizer": "weights.optimizer",
        "weight_lr": "weights.lr",
        "clip_weights": "weights.clip",
        "alpha_masks": "alpha.masks",
        "alpha_optimizer": "alpha.optimizer",
        "alpha_lr": "alpha.lr",
        "clip_alpha": "alpha.clip",
        **{
            option: f"steps.{option}"
            for option in (
                "bilevel",
                "alternate",
                "warmup_epochs",
                "accumulate",
                "tau",
                "latency_scale",
                "schedule_per_epoch",
            )
        },
        **{
            f"objective.{option}": f"{_FORM}.{option}"
            for option in ("target_ms", "weight", "weight_per_ms", "exponent", "a", "b")
        },
    }
}
_CALLBACKS = {"DifferentiableSearch": {"compile": "CompileLayers", "cuda_graphs": "CudaGraphs"}}
_LEFT_OUT = "model.{}, which is not set, is no option any more: leave it out"
_Source = tuple[str, Any]


def refuse_moved(argv: Sequence[str]) -> None:
    """Look at the configs and options of a Lightning command for keys that its model does not take any more.

    Args:
        argv: the command line, with configs as files. What cannot be read is left to the parser.

    Raises:
        ValueError: naming every such key, where it was found and what it is now; or a config that is no YAML,
            or beyond the limits of :mod:`dnas.support.documents`.
    """
    sources = list(_sources(argv))
    named = [name for _, section in sources if (name := _class_name(section))]
    if not named or named[-1] not in _RENAMED:
        return
    found = [f"{place}: {text}" for place, section in sources for text in _moved(named[-1], _plain(section))]
    if found:
        raise ValueError("\n  ".join([f"Options of {named[-1]} have moved:", *dict.fromkeys(found)]))


def _moved(name: str, section: Any) -> Iterator[str]:
    for old, new in _RENAMED[name].items():
        value = _value(section, old)
        # The config that a run of before kept has all options, also those of forms that it did not use.
        if value is None and new.startswith(_FORM):
            yield _LEFT_OUT.format(old)
        elif value is not _MISSING:
            yield f"model.{old} is now model.{new}"
    for old, callback in _CALLBACKS[name].items():
        value = _value(section, old)
        if value is None or value is False:
            yield _LEFT_OUT.format(old)
        elif value is not _MISSING:
            yield f"model.{old} is now lightning_modules.callbacks.{callback}, in trainer.callbacks"
    form = _value(section, _FORM)
    if isinstance(form, str) and form in _FORMS:
        yield f"model.{_FORM} {form} is now the class {_FORMS[form]}"


def _sources(argv: Sequence[str]) -> Iterator[_Source]:
    """Where something is said about the model, and what, in the order in which the parser reads it."""
    pairs = zip(argv, [*argv[1:], ""], strict=True)
    for flag, value in ((*each.split("=", 1),) if "=" in each else (each, after) for each, after in pairs):
        if flag in CONFIG_FLAGS:
            config = _load(Path(value))
            yield value, config.get("model") if config is not None else None
        elif flag == "--model" or flag.startswith("--model."):
            yield "command line", _nested(flag.split(".")[1:], _parsed(value))


def _load(path: Path) -> Mapping[str, Any] | None:
    """A config; what the parser would stumble over in it is refused here."""
    try:
        config = load_yaml(read_text(path))
    except OSError:
        return None
    except DocumentError as error:
        raise ValueError(f"{path} is not a config: {error}") from error
    if not isinstance(config, Mapping):
        found = "it is empty" if config is None else f"it is a {type(config).__name__}"
        raise ValueError(f"{path} is not a config: {found}, expected sections (model, data, trainer).")
    return config


def _parsed(value: str) -> Any:
    try:
        return load_yaml(value)
    except DocumentError:
        return value


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _class_name(section: Any) -> str | None:
    path = section.get("class_path") if isinstance(section, Mapping) else section
    return path.rpartition(".")[2] if isinstance(path, str) else None


def _plain(section: Any) -> Any:
    """A section without the level `init_args`, which the command line may leave out too."""
    if not isinstance(section, Mapping):
        return section
    inner = section.get("init_args")
    flat = {**section, **inner} if isinstance(inner, Mapping) else section
    return {key: _plain(value) for key, value in flat.items() if key != "init_args"}


_MISSING = object()


def _value(section: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        if not isinstance(section, Mapping) or key not in section:
            return _MISSING
        section = section[key]
    return section
