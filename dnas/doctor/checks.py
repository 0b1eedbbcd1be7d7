"""What is looked at, each in a function of its own; nothing is changed, installed or downloaded."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

FINE, NOTE, WRONG = "ok", "note", "wrong"
DISTRIBUTION = "dnas"
# For what an extra is.
USES = {
    "onnx": "dnas export, dnas latency measure --backend onnxruntime",
    "openvino": "dnas export --format openvino",
    "litert": "dnas latency measure --backend tflite-adb",
}
# A run writes up to that, with its checkpoints and events.
LEAST_GB = 1.0

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class Found(NamedTuple):
    """One line of the report.

    Attributes:
        status: FINE, NOTE (something is not there that some commands want) or WRONG (nothing will work well).
        what: it is about.
        text: what was found.
        remedy: what to do, where there is something to do.
    """

    status: str
    what: str
    text: str
    remedy: str = ""


def look() -> list[Found]:
    """All of it, in the order of the report."""
    return [found for part in PARTS for found in part()]


def packages() -> Iterable[Found]:
    """Python, and what the library cannot do without."""
    yield Found(FINE, "Python", f"{platform.python_version()} ({sys.executable})")
    yield Found(FINE, DISTRIBUTION, _version(DISTRIBUTION) or "not installed: run from a checkout")
    for name in _required(extra=None):
        found = _version(name)
        if found is None:
            yield Found(WRONG, name, "missing", f"pip install {DISTRIBUTION} again")
        else:
            yield Found(FINE, name, found)


def pair() -> Iterable[Found]:
    """torch and torchvision are built for each other; another pair fails at the first import or image."""
    try:
        import_module("torchvision.ops")
    except Exception as error:  # ImportError, or RuntimeError about operators that are not there
        reason = " ".join(str(error).split())[:120]
        yield Found(
            WRONG,
            "torch, torchvision",
            f"they do not fit together ({reason})",
            "pip install --upgrade --force-reinstall torch torchvision",
        )


def machine() -> Iterable[Found]:
    """Cores, memory, and what torch can compute on."""
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Found(FINE, "processor", f"{usable} core(s), torch uses {torch.get_num_threads()} thread(s)")
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        yield Found(FINE, "memory", f"{gib:.1f} GiB")
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free / 2**30
        if free < 0.5:
            yield Found(
                NOTE,
                "shared memory",
                f"{free:.2f} GiB free: loaders with several processes may fail",
                "give the container more (docker run --shm-size 2g), or --data.num_workers 0",
            )
    if not torch.cuda.is_available():
        built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch has no CUDA"
        yield Found(NOTE, "GPU", f"none that torch can use ({built}); everything runs on the processor")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Found(FINE, f"GPU {index}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")


def extras() -> Iterable[Found]:
    """Packages that some commands want, and programs that they call."""
    for extra, use in USES.items():
        missing = [name for name in _required(extra) if _version(name) is None]
        if missing:
            text = f"{', '.join(missing)} missing, for {use}"
            yield Found(NOTE, f"extra {extra}", text, f"pip install '{DISTRIBUTION}[{extra}]'")
        else:
            yield Found(FINE, f"extra {extra}", f"complete, for {use}")
    adb = shutil.which("adb")
    remedy = "" if adb else "install Android's SDK platform-tools"
    use = "for dnas latency measure --backend tflite-adb"
    yield Found(FINE if adb else NOTE, "adb", f"{adb or 'not on the PATH'}, {use}", remedy)


def data() -> Iterable[Found]:
    """The data sets that commands find by themselves."""
    yield Found(FINE, "digits", "within scikit-learn, no download")
    folder = os.environ.get("DNAS_DATA")
    if not folder:
        yield Found(NOTE, "DNAS_DATA", "not set: tests and benchmarks on larger data skip")
        return
    cifar = Path(folder, "cifar10", "cifar-10-batches-py")
    if cifar.is_dir():
        yield Found(FINE, "DNAS_DATA", f"{folder}, with CIFAR-10")
    else:
        yield Found(NOTE, "DNAS_DATA", f"{folder} has no CIFAR-10: {cifar} is not there")


def folders() -> Iterable[Found]:
    """Where runs and temporary files go."""
    for what, folder in (("present folder", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / 1e9
        if not _is_writable(folder):
            yield Found(WRONG, what, f"{folder} cannot be written to", "work in another folder")
        elif free < LEAST_GB:
            yield Found(WRONG, what, f"{folder} has {free:.2f} GB left", "make room: a run takes up to one")
        else:
            yield Found(FINE, what, f"{folder}, {free:.0f} GB free")


PARTS: tuple[Callable[[], Iterable[Found]], ...] = (packages, pair, machine, extras, data, folders)


def _required(extra: str | None) -> list[str]:
    """Names of the packages that the installed library asks for, or that one of its extras does."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    wanted = None if extra is None else f"extra == '{extra}'"
    found = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        marker = marker.strip().replace('"', "'")
        if marker == (wanted or "") and (name := _NAME.match(requirement)):
            found.append(name.group())
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
