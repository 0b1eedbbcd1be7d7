"""Six phones, 102 networks: kernels by kind, operations and end-to-end latencies, for ``adapt.py``.

The public measurements of kernels have two Apple phones besides the four of which the library ships tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from dnas.blocks.ops import Op
from latency.sources.assembled.dataset import Dataset, MeasuredKernel, MeasuredNetwork
from latency.sources.assembled.kernel_model import KernelModel
from latency.sources.assembled.settings import load_settings
from latency.sources.assembled.shape import KernelShape
from latency.table.table import OVERHEAD

APPLE = {
    "iphone7": {"device": "Apple iPhone 7", "gpu": "Apple A10"},
    "iphonexs": {"device": "Apple iPhone XS", "gpu": "Apple A12"},
}
OP_TYPES = {
    "conv": "conv",
    "pointwise": "conv",
    "grouped": "conv",
    "depthwise": "depthwise",
    "linear": "linear",
    "pool": "pool",
    "concat": "concat",
    "multiply": "multiply",
}


@dataclass(frozen=True, eq=False)
class Phones:
    """What is known of ``n`` networks on P phones.

    Attributes:
        gpus: (P) names for people.
        mbconv: (n,) whether a network is one of inverted residuals.
        kinds: kinds of kernels, the overhead first.
        parts: (P, n, K) milliseconds by kind as a table of the phone has them: sums of kernels, calibrated
            by an offset and a slope on the phone's own end-to-end latencies.
        timed_ms: (P, n) end to end.
        ops: (n) operations, for the model that counts them.
    """

    gpus: tuple[str, ...]
    names: tuple[str, ...]
    mbconv: np.ndarray
    kinds: tuple[str, ...]
    parts: np.ndarray
    timed_ms: np.ndarray
    ops: tuple[tuple[Op, ...], ...]

    def of(self, networks: np.ndarray, phones: Sequence[int] | None = None) -> Phones:
        """These networks alone, (n,) booleans, on these phones."""
        chosen = np.flatnonzero(networks)
        rows = list(range(len(self.gpus))) if phones is None else list(phones)
        return replace(
            self,
            gpus=tuple(self.gpus[row] for row in rows),
            names=tuple(self.names[index] for index in chosen),
            mbconv=self.mbconv[chosen],
            parts=self.parts[rows][:, chosen],
            timed_ms=self.timed_ms[rows][:, chosen],
            ops=tuple(self.ops[index] for index in chosen),
        )


def load(folder: Path, predicted: bool = False) -> Phones:
    """Read the measurements in ``folder``.

    Args:
        predicted: kernels are not those measured in a network, but what a table would say of them: kernels
            of other families of networks, and predictions of the kernel model. Only MBConv networks, on the
            phones of which tables ship.
    """
    dataset = _all_phones()
    devices = [*Dataset.load().facts["devices"], *([] if predicted else APPLE)]
    kernels_file = folder / dataset.facts["kernels_file"]
    networks_file = folder / dataset.facts["networks_file"]
    parts, timed, gpus, names = [], [], [], []
    ops: dict[str, tuple[Op, ...]] = {}
    for device in devices:
        kernels = dataset.kernels(kernels_file, device)
        networks = dataset.networks(networks_file, device, kernels)
        ops = {network.name: _ops(network) for network in networks}
        if predicted:
            networks = list(_as_tables(dataset, device, kernels, networks))
        gpus.append(str(dataset.facts["devices"][device]["gpu"]))
        names.append([network.name for network in networks])
        timed.append([network.end_to_end_ms for network in networks])
        parts.append([_sums(network) for network in networks])
    kinds = (OVERHEAD, *sorted({kind for phone in parts for sums in phone for kind in sums}))
    sums = np.array([[[sums.get(kind, 0.0) for kind in kinds] for sums in phone] for phone in parts])
    timed_ms = np.array(timed)
    mbconv = Dataset.load().facts["mbconv"]
    return Phones(
        gpus=tuple(gpus),
        names=tuple(names[0]),
        mbconv=np.array([dataset.family(name) in mbconv for name in names[0]]),
        kinds=kinds,
        parts=np.array([_calibrated(*each) for each in zip(sums, timed_ms, strict=True)]),
        timed_ms=timed_ms,
        ops=tuple(ops[name] for name in names[0]),
    )


def _all_phones() -> Dataset:
    """The library's description with the Apple phones, in which every family is of interest."""
    facts: dict[str, Any] = {**Dataset.load().facts}
    facts["devices"] = {**facts["devices"], **APPLE}
    facts["mbconv"] = _Every()
    return Dataset(facts)


class _Every(tuple[str, ...]):
    """A tuple that holds everything."""

    def __contains__(self, family: object) -> bool:
        return True


def _as_tables(
    dataset: Dataset, device: str, kernels: Sequence[MeasuredKernel], networks: Sequence[MeasuredNetwork]
) -> Iterator[MeasuredNetwork]:
    """MBConv networks with the kernels that a table says, their family left out."""
    settings, gpu = load_settings(dataset.facts["name"], device), dataset.gpu(device)
    models: dict[str, KernelModel] = {}
    for network in networks:
        if network.family not in Dataset.load().facts["mbconv"]:
            continue
        if network.family not in models:
            others = [kernel for kernel in kernels if kernel.family != network.family]
            models[network.family] = KernelModel(others, settings, gpu)
        shapes = [*(kernel.shape for kernel in network.kernels), *network.multiplies()]
        times = models[network.family].predict(shapes)
        said = tuple(
            MeasuredKernel(network.name, network.family, shape, time.us)
            for shape, time in zip(shapes, times, strict=True)
        )
        yield replace(network, kernels=said)


def _sums(network: MeasuredNetwork) -> dict[str, float]:
    sums: dict[str, float] = {}
    for kernel in network.kernels:
        sums[kernel.shape.kind] = sums.get(kernel.shape.kind, 0.0) + kernel.us / 1e3
    return sums


def _calibrated(sums: np.ndarray, timed_ms: np.ndarray) -> np.ndarray:
    """(n, K) as the loader of a table makes them: everything times a slope, and an offset as the overhead."""
    total = sums.sum(axis=1)
    system = np.column_stack([np.ones_like(total), total]) / timed_ms[:, None]
    (offset, slope), _ = nnls(system, np.ones_like(total))
    parts = slope * sums
    parts[:, 0] = offset
    return parts


def _ops(network: MeasuredNetwork) -> tuple[Op, ...]:
    """Squeeze-excite multiplications, which the measurements do not list, come last."""
    return tuple(map(_op, [*(kernel.shape for kernel in network.kernels), *network.multiplies()]))


def _op(shape: KernelShape) -> Op:
    window = "max_pool" if shape.maximum else "avg_pool"
    whole = shape.kind in {"pool", "linear", "multiply", "concat"}
    return Op(
        OP_TYPES.get(shape.kind, window),
        shape.in_channels,
        shape.out_channels,
        input_size=shape.size if whole else (shape.size - 1) * shape.stride + 1,
        kernel=shape.kernel,
        stride=1 if whole else shape.stride,
        groups=shape.in_channels if shape.kind == "depthwise" else shape.groups,
    )
