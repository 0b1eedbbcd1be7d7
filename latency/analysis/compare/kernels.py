"""Where a network's milliseconds go, by kind of kernel, on devices whose tables know it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture, ArchitectureError
from latency.sources.calibrated import published
from latency.sources.calibrated.model import CalibratedModel
from latency.table import LatencyTable, shipped

RANDOM_MEAN = "random mean"
# In no search space, so no table holds it; the model behind a calibrated table can say.
OUTSIDE = "mobilenet_v3_large"


def published_networks(space: SearchSpace) -> dict[str, Architecture]:
    """The published networks that are in ``space``, or in the reduced space that it is."""
    found = {}
    for name in zoo.names():
        architecture = zoo.load(name)
        if architecture.space != space and architecture.space.name != space.reduced_from:
            continue
        try:
            found[name] = Architecture.from_names(architecture.names, space)
        except ArchitectureError:
            continue  # the reduced space has dropped one of its choices
    return found


def kernel_times(
    table: LatencyTable, named: Mapping[str, Architecture], sample: Sequence[Architecture]
) -> dict[str, dict[str, float]]:
    """Network -> kind -> ms: the ``named`` ones, MobileNetV3-Large beside them, and the mean of ``sample``.

    Empty when the table does not know the kinds of its kernels.
    """
    found = {name: table.kernel_shares(network) for name, network in named.items()}
    if named and table.provenance.get("model") in shipped.names("models"):
        model = CalibratedModel.load(table.provenance["model"])
        found[OUTSIDE] = model.parts_ms(published.load(OUTSIDE).ops)
    totals: Counter[str] = Counter()
    for network in sample:
        totals.update(table.kernel_shares(network))
    found[RANDOM_MEAN] = {kind: ms / len(sample) for kind, ms in totals.items()}
    return {name: kinds for name, kinds in found.items() if kinds} if totals else {}


def assumptions(networks: Sequence[str]) -> str:
    """What had to be assumed about these networks, empty when nothing."""
    return published.load(OUTSIDE).assumption if OUTSIDE in networks else ""
