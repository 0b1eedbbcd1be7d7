"""Latencies that a paper publishes beside those of a table and of the model behind it."""

from __future__ import annotations

from dataclasses import dataclass

from latency.sources.calibrated import published
from latency.sources.calibrated.fit import Fit, FittedNetwork, fit
from latency.sources.calibrated.model import CalibratedModel
from latency.table import LatencyTable, shipped


@dataclass(frozen=True)
class Comparison:
    """One published network: milliseconds published, of the model, and of the table if it is in the space.

    ``fitted`` tells what a fit to the other networks predicts for it.
    """

    name: str
    published_ms: float
    model_ms: float
    table_ms: float | None
    fitted: FittedNetwork
    assumption: str

    @property
    def error(self) -> float:
        """Relative error of the model; negative when it is faster than published."""
        return self.model_ms / self.published_ms - 1


def published_model(table: LatencyTable) -> CalibratedModel | None:
    """The shipped model that the table was computed from, fitted to published latencies; None without one."""
    name = table.provenance.get("model")
    return CalibratedModel.load(name) if name in shipped.names("models") else None


def refit(model: CalibratedModel) -> Fit:
    """The fit behind a shipped model, made again from the published latencies."""
    return fit(model.runtime, published.timed(model.provenance["published_as"]))


def compare(table: LatencyTable, model: CalibratedModel) -> list[Comparison]:
    """All published networks, slowest of the model first."""
    rows = [
        _compare(network, model, table, fitted)
        for network, fitted in zip(published.load_all(), refit(model).networks, strict=True)
    ]
    return sorted(rows, key=lambda row: -row.model_ms)


def _compare(
    network: published.PublishedNetwork, model: CalibratedModel, table: LatencyTable, fitted: FittedNetwork
) -> Comparison:
    inside = network.architecture.space == table.space
    return Comparison(
        name=network.name,
        published_ms=fitted.timed_ms,
        model_ms=model.latency_ms(network.ops),
        table_ms=table.latency_ms(network.architecture) if inside else None,
        fitted=fitted,
        assumption=network.assumption,
    )
