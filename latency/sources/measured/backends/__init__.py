"""What can be timed: one file per runtime, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

from latency.sources.measured.backends.base import Backend, Options
from latency.table.errors import TableError

BACKENDS = {
    "torch-cpu": ("pytorch", "TorchCPU"),
    "torch-cuda": ("pytorch", "TorchCUDA"),
    "onnxruntime": ("onnxruntime", "ONNXRuntime"),
    "tflite-adb": ("tflite_adb", "TFLiteADB"),
}


def backend_class(name: str) -> type[Backend]:
    """The class behind a name of :data:`BACKENDS`; raises :class:`TableError` naming those there are."""
    if name not in BACKENDS:
        raise TableError(f"Unknown backend {name!r}: give one of {', '.join(BACKENDS)}.")
    module, attribute = BACKENDS[name]
    found: type[Backend] = getattr(import_module(f"{__name__}.{module}"), attribute)
    return found


def open_backend(name: str, options: Options) -> Backend:
    """A backend that is ready to time.

    Raises:
        TableError: unknown name, or everything that is missing here for this backend.
    """
    return backend_class(name)(options)
