"""Everything that is known of one device: kernel model, calibration, and how far both were off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency.sources.assembled.calibration import Calibration, calibrate, implausible, sum_ms
from latency.sources.assembled.dataset import Dataset, MeasuredKernel, MeasuredNetwork
from latency.sources.assembled.kernel_model import MODELLED, KernelModel
from latency.sources.assembled.kind_model import Settings
from latency.sources.assembled.launch import Gpu
from latency.sources.assembled.validation import (
    Figures,
    HeldOutKernel,
    HeldOutNetwork,
    fit_with,
    held_out_kernels,
    held_out_networks,
)
from latency.table.errors import TableError

Track = Callable[[Sequence[str], str], Iterator[str]]


@dataclass(frozen=True)
class Assembly:
    """What tables of one device are made of.

    Attributes:
        fitted: calibration's own networks, compared with themselves.
        held_out_kernels, held_out_networks: predictions with their family left out.
    """

    dataset: Dataset
    device: str
    model: KernelModel
    calibration: Calibration
    fitted: Figures
    held_out_kernels: tuple[HeldOutKernel, ...]
    held_out_networks: tuple[HeldOutNetwork, ...]

    @property
    def end_to_end(self) -> Figures:
        """Whole networks whose family was left out."""
        return Figures.of(
            [network.predicted_ms for network in self.held_out_networks],
            [network.measured_ms for network in self.held_out_networks],
        )

    def of_kind(self, kind: str, kernel: int | None = None) -> Figures | None:
        """Predictions of kernels of a kind (and side), their family left out; None if there were none."""
        found = [
            held
            for held in self.held_out_kernels
            if held.shape.kind == kind and kernel in {None, held.shape.kernel}
        ]
        if not found:
            return None
        return Figures.of([held.modelled_us for held in found], [held.measured_us for held in found])


@dataclass(frozen=True)
class Measurements:
    """The kernels and networks of one device."""

    dataset: Dataset
    device: str
    kernels: tuple[MeasuredKernel, ...]
    networks: tuple[MeasuredNetwork, ...]

    @classmethod
    def read(
        cls, dataset: Dataset, device: str, kernels: str | Path, networks: str | Path | None = None
    ) -> Measurements:
        """Read both files; that of the networks lies beside the other unless given.

        Raises:
            TableError: see :class:`~latency.sources.assembled.dataset.Dataset`.
        """
        networks = networks or Path(kernels).with_name(dataset.facts["networks_file"])
        rows = dataset.kernels(kernels, device)
        return cls(dataset, device, tuple(rows), tuple(dataset.networks(networks, device, rows)))

    @property
    def gpu(self) -> Gpu:
        """What is known of how the device launches kernels."""
        return self.dataset.gpu(self.device)

    @property
    def families(self) -> list[str]:
        """All families of networks, sorted."""
        return sorted({kernel.family for kernel in self.kernels})


def tuned(measurements: Measurements, kinds: Sequence[str] = MODELLED) -> dict[str, Settings]:
    """Settings of ``kinds``, tuned on all kernels of the device (tens of seconds)."""
    model = KernelModel(measurements.kernels, gpu=measurements.gpu)
    return {kind: model.settings(kind) for kind in kinds if model.knows(kind)}


def assemble(
    measurements: Measurements, settings: Mapping[str, Settings] | None, track: Track, retune: bool = False
) -> Assembly:
    """Fit, calibrate, and leave every family out in turn (tens of seconds).

    Args:
        settings: of the kernel model; None tunes.
        track: shows progress over families: ``track(families, what)`` yields them.
        retune: tune anew for every family left out instead of keeping ``settings`` (minutes).

    Raises:
        TableError: networks with kernels that the measurements do not support, or end-to-end latencies that
            do not grow with the sums of kernels.
    """
    settings = settings or tuned(measurements)
    model = KernelModel(measurements.kernels, settings, measurements.gpu)
    fit = fit_with(None if retune else settings, measurements.gpu)
    networks = measurements.networks
    calibration = calibrate(model, networks)
    if problem := implausible(calibration):
        raise TableError(problem)
    families = list(dict.fromkeys(network.family for network in networks))
    return Assembly(
        dataset=measurements.dataset,
        device=measurements.device,
        model=model,
        calibration=calibration,
        fitted=Figures.of(
            [calibration.end_to_end_ms(sum_ms(model, network)) for network in networks],
            [network.end_to_end_ms for network in networks],
        ),
        held_out_kernels=tuple(
            held_out_kernels(measurements.kernels, track(measurements.families, "kernels"), MODELLED, fit)
        ),
        held_out_networks=tuple(
            held_out_networks(measurements.kernels, networks, track(families, "networks"), fit)
        ),
    )
