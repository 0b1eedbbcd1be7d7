"""Audits of a real supernet against known accuracies: what is drawn, what counts, what is kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from dnas.fidelity import audit as audit_module
from dnas.fidelity.audit import Audit
from dnas.fidelity.correlation import best_tau
from dnas.fidelity.predictors import LOSS, TOP1
from dnas.fidelity.settings import Settings
from dnas.runs.checkpoint_file import read_supernet
from dnas.runs.evaluator import OneShotEvaluator
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table
from lightning_modules.app.stand_alone import StandAloneTrainer

audit = partial(audit_module.audit, load_table=load_table)
Make = Callable[..., Settings]


def test_correlations_are_those_of_the_evaluator_and_the_file(
    known_audit: Audit, one_shot_checkpoint: Path
) -> None:
    checkpoint = read_supernet(one_shot_checkpoint)
    evaluate = OneShotEvaluator(checkpoint.build_supernet(), checkpoint.data, 1)
    evaluations = list(map(evaluate, known_audit.architectures))
    top1 = [each.top1 for each in known_audit.stand_alone]
    loss, accuracy, *trivial = known_audit.scored
    assert loss.correlation.tau.value == pytest.approx(
        kendalltau([-each.loss for each in evaluations], top1).statistic
    )
    assert accuracy.correlation.tau.value == pytest.approx(
        kendalltau([each.top1 for each in evaluations], top1).statistic
    )
    titles = [scored.predictor.title for scored in known_audit.scored]
    assert titles[:2] == [f"entangled {LOSS}", f"entangled {TOP1}"]
    assert titles[2:] == ["parameters", "multiply-adds", "depth", "latency"]
    parameters = trivial[0]
    assert parameters.correlation.tau.value == pytest.approx(
        kendalltau(parameters.predictor.values, top1).statistic
    )
    assert parameters.correlation.tau.low > 0.3
    # How many images these accuracies were measured on is not known.
    best = best_tau(known_audit.top1, 180, 0, np.random.default_rng([0, 2]))
    assert known_audit.best_taus == {180: best}


def test_all_that_are_known_or_some_of_them(
    known_audit: Audit, make_settings: Make, known_file: Path
) -> None:
    assert len(known_audit.architectures) == 20
    few = audit(make_settings(known_audit.settings.output, accuracies=known_file, architectures=5))
    assert len(few.architectures) == 5 and set(few.architectures) < set(known_audit.architectures)
    other = make_settings(known_audit.settings.output, accuracies=known_file, architectures=5, seed=1)
    assert set(audit(other).architectures) != set(few.architectures)


def test_the_seed_decides_everything(known_audit: Audit) -> None:
    again = audit(known_audit.settings)
    assert again.scored[0].correlation.tau == known_audit.scored[0].correlation.tau
    assert again.best_taus == known_audit.best_taus


def test_nothing_is_evaluated_twice(
    known_audit: Audit, make_settings: Make, known_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("evaluated again")

    monkeypatch.setattr(OneShotEvaluator, "extract", refuse)
    audit(make_settings(known_audit.settings.output, accuracies=known_file, architectures=5))
    # With other statistics of batch norms it is another evaluation.
    other = make_settings(known_audit.settings.output, accuracies=known_file, recalibration_batches=2)
    with pytest.raises(AssertionError, match="evaluated again"):
        audit(other)


def test_progress_is_told(make_settings: Make, known_file: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    settings = make_settings(tmp_path, accuracies=known_file, architectures=4)
    audit(settings, lambda *each: told.append(each))
    assert told == [("One-shot, entangled", done, 4) for done in range(5)]


def test_what_has_no_accuracy_does_not_count(
    make_settings: Make, known_file: Path, tmp_path: Path, known_audit: Audit
) -> None:
    damaged = tmp_path / "damaged.csv"
    first, *rows = known_file.read_text().splitlines()
    damaged.write_text("\n".join([first, *rows[:6], rows[6].rpartition(",")[0].rpartition(",")[0] + ",,0"]))
    found = audit(make_settings(tmp_path, accuracies=damaged, architectures=None))
    assert found.kept.tolist() == [0, 1, 2] and len(found.architectures) == 4
    assert found.scored[0].correlation.n == 3 and len(found.scored[0].predictor.values) == 4
    np.testing.assert_array_equal(found.top1, known_audit.top1[:3])
    too_few = make_settings(tmp_path, accuracies=damaged, architectures=None)
    damaged.write_text("\n".join([first, *rows[:4], f"{found.architectures[3]},,"]))
    with pytest.raises(ValueError, match=r"Only 2 of 3 architectures have .*no accuracy in the file$"):
        audit(too_few)


def test_networks_are_trained_as_they_stand_in_the_supernet(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_space: SearchSpace
) -> None:
    """The config has a stem of stride 1, the supernet one of 2; --set has the last word."""
    asked: list[list[str]] = []

    class Stop(Exception):
        pass

    def stop(arguments: list[str], resumes: bool) -> None:
        assert not resumes
        asked.append(arguments)
        raise Stop

    monkeypatch.setattr("lightning_modules.app.lightning_command.run_lightning", stop)
    for _ in range(2):
        with pytest.raises(Stop):
            audit(
                make_settings(tmp_path, overrides=("trainer.max_epochs=7",), epochs=3),
                trainer=StandAloneTrainer(),
            )
    (first, second) = asked
    assert first == second and first[0] == "fit"
    assert "--model.stem_stride=2" in first
    assert first.index("--trainer.max_epochs=3") < first.index("--trainer.max_epochs=7")
    (named,) = (each for each in first if each.startswith("--model.architecture="))
    assert Path(named.partition("=")[2]).name == "architecture.json"


def test_a_known_architecture_of_another_space(make_settings: Make, tmp_path: Path) -> None:
    (tmp_path / "moga.csv").write_text("architecture,top1\nE3K3 E3K3,0.5\n")
    with pytest.raises(ValueError, match="Space tiny has 3 layers"):
        audit(make_settings(tmp_path, accuracies=tmp_path / "moga.csv"))


def test_more_than_there_are(make_settings: Make, tmp_path: Path, known_file: Path) -> None:
    with pytest.raises(ValueError, match="tiny has only 48 architectures, 49"):
        audit(make_settings(tmp_path, architectures=49), trainer=StandAloneTrainer())
    with pytest.raises(ValueError, match="only 20 architectures are known, 21"):
        audit(make_settings(tmp_path, accuracies=known_file, architectures=21))


def test_an_audit_that_trains_needs_a_trainer(make_settings: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs both train_config and a trainer"):
        audit(make_settings(tmp_path))


def test_distinct_architectures_of_the_space(known_audit: Audit) -> None:
    assert len({Architecture(each.space, each.indices) for each in known_audit.architectures}) == 20
