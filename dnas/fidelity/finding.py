"""What an audit found, in one honest sentence, and what has to be known to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dnas.fidelity.audit import Audit
from dnas.fidelity.correlation import LEVEL, RESAMPLES, Interval, difference
from dnas.fidelity.predictors import LOSS, TOP1, Scored
from dnas.refine.task import IMAGES_TO_RANK_BY_ACCURACY


def find(audit: Audit) -> str:
    """Compare the supernet that ranks best with the best trivial predictor, then with the other supernets.

    A supernet stands with the quality that ``dnas refine`` would rank by. A difference is called one only
    where the interval of the paired difference of the taus leaves out 0.
    """
    n = len(audit.kept)
    if np.ptp(audit.top1) == 0:
        return f"All {n} stand-alone accuracies are equal: there is no order that could be foretold."
    first, *others = sorted(_ranking(audit), key=_order)
    trivial = sorted((each for each in audit.scored if not each.predictor.supernet), key=_order)
    lead = f"{first.predictor.supernet} ranks with tau {_told(first)} by {first.predictor.name}"
    clauses = [
        f"{trivial[0].predictor.name} alone, the best of {len(trivial)} trivial predictors, reaches "
        f"{_told(trivial[0])}: {_verdict(first, trivial[0])}",
        *(f"{each.predictor.supernet} {_told(each)}: {_verdict(first, each)}" for each in others),
    ]
    return f"{lead}; {'; '.join(clauses)} (n = {n} architectures)."


def notes(audit: Audit) -> list[str]:
    """What was compared with what, what was left out, and how far it can be trusted."""
    return [
        *_excluded(audit),
        *_undefined(audit),
        *_other_data(audit),
        *(
            f"By the top-1 of {images} validation images a perfect ranker would reach a tau of about {best}: "
            "an estimate, from the binomial noise of accuracies."
            for images, best in audit.best_taus.items()
        ),
        _reference(audit),
        f"Intervals: {LEVEL:.0%}, bootstrap over architectures ({RESAMPLES} samples); they know nothing of "
        "other seeds of supernets and trainings.",
    ]


def _ranking(audit: Audit) -> list[Scored]:
    """Of every supernet the quality to rank by: the loss, which tells small splits apart, or accuracy."""
    ranking = {
        (supernet.name, TOP1 if found[0].images >= IMAGES_TO_RANK_BY_ACCURACY else LOSS)
        for supernet, found in zip(audit.supernets, audit.evaluations, strict=True)
    }
    return [each for each in audit.scored if (each.predictor.supernet, each.predictor.name) in ranking]


def _order(scored: Scored) -> float:
    """The best first, what is undefined last."""
    tau = scored.correlation.tau
    return -tau.value if tau.defined else np.inf


def _told(scored: Scored) -> str:
    tau = scored.correlation.tau
    return f"{tau}{' (chance is not excluded)' if tau.low <= 0 <= tau.high else ''}"


def _verdict(first: Scored, other: Scored) -> str:
    apart = difference(first.correlation, other.correlation)
    if not apart.defined:
        return "not comparable"
    beyond = apart.low > 0 or apart.high < 0
    return f"{'a' if beyond else 'no'} difference beyond sampling noise ({_signed(apart)})"


def _signed(apart: Interval) -> str:
    return f"{apart.value:+.2f} [{apart.low:+.2f}, {apart.high:+.2f}]"


def _excluded(audit: Audit) -> list[str]:
    failed = [
        (architecture, alone.reason)
        for architecture, alone in zip(audit.architectures, audit.stand_alone, strict=True)
        if alone.reason
    ]
    if not failed:
        return []
    told = "; ".join(f"{architecture}: {reason}" for architecture, reason in failed)
    return [f"{len(failed)} of {len(audit.architectures)} architectures are left out. {told}"]


def _undefined(audit: Audit) -> list[str]:
    if np.ptp(audit.top1) == 0:
        return []
    names = [each.predictor.title for each in audit.scored if not each.correlation.tau.defined]
    return [f"Equal for all architectures, so its correlation is undefined: {name}." for name in names]


def _other_data(audit: Audit) -> list[str]:
    alone = audit.stand_alone[audit.kept[0]].data
    if alone is None:
        return []
    return [
        f"{supernet.name} saw {_images(supernet.checkpoint.data)}, stand-alone training {_images(alone)}: "
        "ranks may differ for that reason alone."
        for supernet in audit.supernets
        if supernet.checkpoint.data and _images(supernet.checkpoint.data) != _images(alone)
    ]


def _images(data: Mapping[str, Any]) -> str:
    """What decides how images look, e.g. 'Digits at 16 px'."""
    arguments = data.get("init_args", {})
    resolution = f" at {arguments['resolution']} px" if "resolution" in arguments else ""
    return f"{str(data.get('class_path')).rpartition('.')[2]}{resolution}"


def _reference(audit: Audit) -> str:
    source, images = audit.source, audit.stand_alone[audit.kept[0]].images
    if source["kind"] == "known":
        return f"Stand-alone accuracies are those in {source['file']}."
    return (
        f"Stand-alone: trained with {source['config']}, top-1 on {images} {source['split']} images. The "
        "validation images rank the one-shot networks; were they the same, both would share their chance."
    )
