"""Reading the metrics that Lightning's CSVLogger really writes, and refusing what it never would."""

from __future__ import annotations

import numpy as np
import pytest
from pytorch_lightning.loggers import CSVLogger

from dnas.report.history import History, HistoryError, read_history

NAN = float("nan")


def log(folder, rows):
    """Write ``rows`` ((metrics, step) pairs) with Lightning's own logger; returns the file."""
    logger = CSVLogger(str(folder), name="run", version=0)
    for metrics, step in rows:
        logger.log_metrics(metrics, step)
        logger.save()
    return folder / "run" / "version_0" / "metrics.csv"


def test_rows_of_an_epoch_are_joined(tmp_path):
    path = log(
        tmp_path,
        [
            ({"epoch": 0, "train_loss": 2.0}, 3),
            ({"epoch": 0, "val_top1": 0.5, "entropy": 2.4}, 3),
            ({"epoch": 1, "train_loss": 1.5}, 7),
            ({"epoch": 2, "train_loss": 1.0}, 11),
            ({"epoch": 2, "val_top1": 0.75}, 11),
        ],
    )
    history = read_history(path)
    assert history.epochs.tolist() == [0, 1, 2] and len(history) == 3
    assert set(history.columns) == {"train_loss", "val_top1", "entropy", "step"}
    np.testing.assert_array_equal(history["train_loss"], [2.0, 1.5, 1.0])
    np.testing.assert_array_equal(history["val_top1"], [0.5, NAN, 0.75])
    np.testing.assert_array_equal(history["entropy"], [2.4, NAN, NAN])
    np.testing.assert_array_equal(history["step"], [3, 7, 11])


def test_folder_and_file_are_the_same(tmp_path):
    path = log(tmp_path, [({"epoch": 0, "a": 1.0}, 0)])
    assert read_history(path.parent)["a"].tolist() == read_history(path)["a"].tolist() == [1.0]


def test_last_value_of_an_epoch_counts(tmp_path):
    rows = [({"epoch": 0, "loss": value}, step) for step, value in enumerate((3.0, 2.0, 1.0))]
    assert read_history(log(tmp_path, rows))["loss"].tolist() == [1.0]


def test_rows_without_epoch_belong_to_the_next(tmp_path):
    rows = [
        ({"lr": 0.1}, 0),
        ({"epoch": 0, "loss": 1.0}, 1),
        ({"lr": 0.05}, 2),
        ({"epoch": 1, "loss": 1.0}, 3),
    ]
    history = read_history(log(tmp_path, [*rows, ({"lr": 0.01}, 4)]))
    assert history["lr"].tolist() == [0.1, 0.05]


def test_logged_nan_and_infinity_are_kept_but_not_finite(tmp_path):
    rows = [({"epoch": e, "loss": value}, e) for e, value in enumerate((NAN, 2.0, float("inf")))]
    history = read_history(log(tmp_path, rows))
    np.testing.assert_array_equal(history["loss"], [NAN, 2.0, np.inf])
    epochs, values = history.finite("loss")
    assert epochs.tolist() == [1] and values.tolist() == [2.0]


def test_history_is_immutable_and_owns_its_arrays():
    values = np.array([1.0, 2.0])
    history = History(np.array([0, 1]), {"a": values})
    values[0] = 9.0
    assert history["a"].tolist() == [1.0, 2.0] and "a" in history and "b" not in history
    with pytest.raises(ValueError, match="read-only"):
        history["a"][0] = 0.0
    with pytest.raises(TypeError):
        history.columns["b"] = values  # type: ignore[index]


def test_unknown_metric_names_those_there_are():
    with pytest.raises(HistoryError, match=r"'loss'.*There are: a, b"):
        History(np.array([0]), {"b": np.zeros(1), "a": np.zeros(1)})["loss"]


@pytest.mark.parametrize("epochs", [[], [1, 1], [1, 0], [[0, 1]]])
def test_epochs_must_increase(epochs):
    with pytest.raises(HistoryError, match="increasing"):
        History(np.array(epochs, dtype=int), {})


def test_every_column_of_wrong_length_is_named():
    with pytest.raises(HistoryError, match=r"Expected 2 values.*a: \(3,\), b: \(1,\)"):
        History(np.array([0, 1]), {"a": np.zeros(3), "b": np.zeros(1), "c": np.zeros(2)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No metrics file"),
        ("", "names no epoch yet"),
        ("epoch,step,loss\n", r"names no epoch yet .*0 row"),
        ("step,loss\n0,1.0\n", "names no epoch yet"),
        ("epoch,loss\n0,much\n1,1.0,7\n", "(?s)line 2, loss: 'much' is not a number.*line 3: more cells"),
        ("epoch,loss\n0.5,1\n", "line 2, epoch: 0.5 is not a whole number"),
        ("epoch,loss\nnan,1\n", "line 2, epoch: nan is not a whole number"),
    ],
)
def test_files_that_are_none(tmp_path, content, message):
    path = tmp_path / "metrics.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(HistoryError, match=message) as caught:
        read_history(path)
    assert str(path) in str(caught.value)


def test_missing_file_in_a_folder(tmp_path):
    with pytest.raises(HistoryError, match=r"No metrics file .*metrics\.csv"):
        read_history(tmp_path)


def test_from_records_of_a_search():
    records = [{"epoch": 0.0, "top1": 0.5}, {"epoch": 2.0, "top1": 0.75, "entropy": 1.0}]
    history = History.from_records(records)
    assert history.epochs.tolist() == [0, 2] and history.epochs.dtype == np.int64
    np.testing.assert_array_equal(history["top1"], [0.5, 0.75])
    np.testing.assert_array_equal(history["entropy"], [NAN, 1.0])
    assert records[0] == {"epoch": 0.0, "top1": 0.5}, "the caller's records are left alone"


def test_from_records_joins_an_epoch_and_sorts():
    history = History.from_records([{"epoch": 1, "a": 1.0}, {"epoch": 0, "a": 0.0}, {"epoch": 1, "b": 2.0}])
    assert history.epochs.tolist() == [0, 1]
    np.testing.assert_array_equal(history["a"], [0.0, 1.0])
    np.testing.assert_array_equal(history["b"], [NAN, 2.0])


@pytest.mark.parametrize("records", [[], [{"top1": 0.5}]])
def test_from_records_without_an_epoch(records):
    with pytest.raises(HistoryError, match="one or more increasing"):
        History.from_records(records)
