"""Blocks of a search's config: what they say about themselves, and how they are written."""

from __future__ import annotations

import jsonargparse
import pytest

from dnas.search.gradient.masks import TwoPath
from dnas.search.gradient.schedules import Constant, Cosine, Linear
from lightning_modules.search_settings import Learner, Steps


def test_numbers_are_constant_schedules() -> None:
    fall = Linear(2.0, 1.0)
    schedules = Steps(tau=fall, latency_scale=0.5).schedules
    assert schedules["tau"] is fall
    assert isinstance(schedules["latency_scale"], Constant) and schedules["latency_scale"](0.3) == 0.5


@pytest.mark.parametrize(
    ("steps", "problems"),
    [
        (Steps(), []),
        (Steps(latency_scale=0.0, tau=Linear(5.0, 0.1)), []),
        (
            Steps(accumulate=0, warmup_epochs=-1, tau=Linear(1.0, 0.0), latency_scale=-2.0),
            [
                "accumulate must be at least 1, got 0",
                "warmup_epochs must be at least 0, got -1",
                "tau must stay above 0, got 0.0",
                "latency_scale must not become negative, got -2.0",
            ],
        ),
    ],
)
def test_problems_are_all_named(steps: Steps, problems: list[str]) -> None:
    assert steps.problems() == problems


def test_can_be_written_in_yaml() -> None:
    parser = jsonargparse.ArgumentParser()
    parser.add_argument("--alpha", type=Learner)
    parser.add_argument("--steps", type=Steps, default=Steps())
    # Named `instantiate` from jsonargparse 4.49 on.
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    masks = {"class_path": "dnas.search.gradient.masks.TwoPath"}
    optimizer = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.07}}
    lr = {"class_path": "dnas.search.gradient.schedules.Cosine", "init_args": {"start": 1.0, "end": 0.0}}
    config = {"alpha": {"masks": masks, "optimizer": optimizer, "lr": lr}, "steps": {"tau": lr}}
    made = instantiate(parser.parse_object(config))
    assert isinstance(made.alpha.masks, TwoPath) and isinstance(made.alpha.lr, Cosine)
    assert made.alpha.clip is None
    assert isinstance(made.steps.tau, Cosine) and made.steps.bilevel
