"""The sentence and the notes: honest about differences, chance, what is undefined and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from dnas.fidelity.audit import Audit
from dnas.fidelity.correlation import Interval, correlate, resample
from dnas.fidelity.finding import find, notes
from dnas.fidelity.predictors import LOSS, TOP1, Predictor, Scored
from dnas.fidelity.source import StandAlone

N = 40
Make = Callable[..., Audit]


@pytest.fixture
def make(known_audit: Audit) -> Make:
    """An audit of 40 architectures with made-up predictors: (supernet, name, noise beside the accuracy)."""

    def audit(*predictors: tuple[str, str, float], images: int = 180) -> Audit:
        generator = np.random.default_rng(0)
        top1 = generator.normal(0.9, 0.02, N)
        counts = resample(N, generator)
        scored = []
        for supernet, name, noise in predictors:
            values = top1 + noise * generator.standard_normal(N) if np.isfinite(noise) else np.ones(N)
            values = -values if name == LOSS else values
            predictor = Predictor(supernet, name, values, name == LOSS)
            scored.append(Scored(predictor, correlate(predictor.scores, top1, counts)))
        names = list(dict.fromkeys(each[0] for each in predictors if each[0]))
        evaluation = known_audit.evaluations[0][0]._replace(images=images)
        return replace(
            known_audit,
            supernets=[known_audit.supernets[0]._replace(name=name) for name in names],
            architectures=list(known_audit.architectures) * 2,
            stand_alone=[StandAlone(float(each)) for each in top1],
            evaluations=[[evaluation] * N for _ in names],
            kept=np.arange(N),
            scored=scored,
            best_taus={images: Interval(0.5, 0.4, 0.6)},
        )

    return audit


def tau(audit: Audit, index: int) -> str:
    return str(audit.scored[index].correlation.tau)


def test_no_difference_beyond_noise(make: Make) -> None:
    audit = make(("mine", LOSS, 0.01), ("mine", TOP1, 0.001), ("", "parameters", 0.01), ("", "depth", 9.0))
    told = find(audit)
    assert told.startswith(
        f"mine ranks with tau {tau(audit, 0)} by one-shot loss; parameters alone, the best "
    )
    assert f"the best of 2 trivial predictors, reaches {tau(audit, 2)}: no difference beyond" in told
    assert told.endswith(f"(n = {N} architectures).")


def test_a_difference_either_way(make: Make) -> None:
    better = find(make(("mine", LOSS, 0.002), ("", "parameters", 0.05)))
    worse = find(make(("mine", LOSS, 0.05), ("", "parameters", 0.002)))
    assert ": a difference beyond sampling noise (+0." in better
    assert ": a difference beyond sampling noise (-0." in worse


def test_chance_is_told(make: Make) -> None:
    audit = make(("mine", LOSS, 1.0), ("", "parameters", 0.002))
    assert audit.scored[0].correlation.tau.low <= 0 <= audit.scored[0].correlation.tau.high
    assert f"mine ranks with tau {tau(audit, 0)} (chance is not excluded) by" in find(audit)
    assert find(audit).count("chance") == 1


def test_the_best_supernet_comes_first_and_all_others_after(make: Make) -> None:
    audit = make(("a", LOSS, 0.05), ("b", LOSS, 0.002), ("c", LOSS, np.inf), ("", "parameters", 0.05))
    told = find(audit)
    assert told.startswith(f"b ranks with tau {tau(audit, 1)}")
    assert f"; a {tau(audit, 0)} (chance is not excluded): a difference beyond" in told
    assert told.index("; a ") < told.index("; c undefined: not comparable")


@pytest.mark.parametrize(("images", "name"), [(9_999, LOSS), (10_000, TOP1)])
def test_ranked_as_refine_would(make: Make, images: int, name: str) -> None:
    audit = make(("mine", LOSS, 0.01), ("mine", TOP1, 0.02), ("", "parameters", 0.02), images=images)
    index = 0 if name == LOSS else 1
    assert find(audit).startswith(f"mine ranks with tau {tau(audit, index)} by {name}")


def test_equal_accuracies(make: Make) -> None:
    audit = make(("mine", LOSS, 0.01), ("", "parameters", 0.02))
    audit = replace(audit, stand_alone=[StandAlone(1.0)] * N)
    assert (
        find(audit) == f"All {N} stand-alone accuracies are equal: there is no order that could be foretold."
    )
    assert not any("undefined" in note for note in notes(audit))


def test_notes_of_what_is_undefined_and_of_the_best_that_can_be(make: Make) -> None:
    told = notes(make(("mine", LOSS, np.inf), ("", "parameters", 0.02), ("", "depth", np.inf)))
    assert "Equal for all architectures, so its correlation is undefined: mine one-shot loss." in told
    assert "Equal for all architectures, so its correlation is undefined: depth." in told
    best = "180 validation images a perfect ranker would reach a tau of about 0.50 [0.40, 0.60]: an estimate"
    assert any(best in note for note in told)
    assert any("95%, bootstrap over architectures (2000 samples)" in note for note in told)


def test_notes_of_the_reference(known_audit: Audit) -> None:
    assert "Stand-alone accuracies are those in known.csv." in notes(known_audit)


def trained(audit: Audit, alone: Sequence[StandAlone]) -> Audit:
    source = {"kind": "trained", "config": "digits/train.yaml", "split": "test"}
    kept = np.flatnonzero([not each.reason for each in alone])
    return replace(audit, source=source, stand_alone=alone, kept=kept)


def test_notes_of_trainings(known_audit: Audit) -> None:
    good = StandAlone(0.9, "", 270, 1.0, {"class_path": "a.b.Digits", "init_args": {"resolution": 8}})
    failed = StandAlone(float("nan"), "The loss became nan.")
    told = notes(trained(known_audit, [failed, *[good] * 18, failed]))
    first, last = known_audit.architectures[0], known_audit.architectures[-1]
    assert told[0] == (
        f"2 of 20 architectures are left out. {first}: The loss became nan.; {last}: The loss became nan."
    )
    assert any(
        note.startswith("entangled saw Digits at 16 px, stand-alone training Digits at 8 px:")
        for note in told
    )
    assert any("trained with digits/train.yaml, top-1 on 270 test images" in note for note in told)


def test_the_same_images_need_no_note(known_audit: Audit) -> None:
    same = StandAlone(0.9, "", 270, 1.0, known_audit.supernets[0].checkpoint.data)
    assert not any("saw" in note for note in notes(trained(known_audit, [same] * 20)))
    without = replace(known_audit.supernets[0].checkpoint, data=None)
    supernet = known_audit.supernets[0]._replace(checkpoint=without)
    assert not any(
        "saw" in n for n in notes(replace(trained(known_audit, [same] * 20), supernets=[supernet]))
    )
