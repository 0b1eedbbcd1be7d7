"""TFLite's (LiteRT's) GPU delegate on a phone: models by litert-torch, timed by ``benchmark_model`` over adb.

Each visit is one run of that tool, which tells the mean of its runs alone. A model that the GPU does not run
completely is refused. Tested with a stand-in for adb and for litert-torch: no phone was at hand.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

from dnas.layers.layers import with_stock_convolutions
from dnas.support.extras import require
from latency.sources.imported import benchmark_model
from latency.sources.imported.reading import Reading
from latency.sources.imported.text import normal
from latency.sources.measured.backends.base import Backend, Effort, Options, Times, refuse_if
from latency.table.errors import TableError

FOLDER = "/data/local/tmp/dnas_latency"
BINARY = f"{FOLDER}/benchmark_model"
GPU_FLAGS = ("--use_gpu=true", "--gpu_precision_loss_allowed=true")  # the second: computes in fp16
TIMEOUT_S = 600
UNKNOWN = "unknown"
GLES = re.compile(r"GLES: [^,]+, (?P<gpu>[^,]+), (?P<driver>.+)")


class TFLiteADB(Backend):
    """A runnable is the model's path on the phone."""

    statistic = "median"
    rounds = 5
    runs = 50
    # The delegate refuses a model without operations.
    empty = nn.ReLU

    def __init__(self, options: Options) -> None:
        serial, missing = find_phone(options.serial)
        binary = options.benchmark_model
        if binary is None or not binary.is_file():
            missing.append(
                f"--benchmark-model FILE, the tool built for the phone (given: {binary}); LiteRT's site "
                "offers it for Android as 'benchmark_model'"
            )
        missing += require(("litert_torch",), "litert")
        refuse_if(missing, "tflite-adb")
        assert binary is not None
        self.phone, self.flags = Phone(serial), (*GPU_FLAGS, *options.benchmark_flags)
        self.binary_sha256 = hashlib.sha256(binary.read_bytes()).hexdigest()
        self.models, self.logs = options.work_dir / "models", options.work_dir / "logs"
        self.pushed: set[str] = set()
        self.phone.shell("mkdir", "-p", FOLDER)
        self.phone.push(binary, BINARY)
        self.phone.shell("chmod", "+x", BINARY)

    def prepare(self, name: str, build: Callable[[], nn.Module], shape: Sequence[int]) -> str:
        path = self.models / f"{name}.tflite"
        if not path.exists():
            convert(build(), shape, path)
        target = f"{FOLDER}/{path.name}"
        if target not in self.pushed:
            self.phone.push(path, target)
            self.pushed.add(target)
        return target

    def visit(self, runnable: str, effort: Effort) -> Times:
        reading = self._run(runnable, effort.runs, effort.warmup)
        return Times((reading.ms,), reading.n or effort.runs)

    def time(self, runnable: str, runs: int) -> list[float]:
        """The mean of ``runs`` runs, the only time that the tool tells."""
        return [self._run(runnable, runs, warmup=1).ms]

    def facts(self) -> dict[str, str]:
        return {
            **self.phone.facts(),
            "runtime": "TFLite (LiteRT) benchmark_model",
            "runtime_version": f"of the binary with sha256 {self.binary_sha256[:16]}",
            "backend": f"GPU delegate, {' '.join(self.flags)}",
            "precision": "fp16",
        }

    def _run(self, model: str, runs: int, warmup: int) -> Reading:
        counts = (f"--num_runs={runs}", f"--warmup_runs={warmup}")
        text = self.phone.shell(BINARY, f"--graph={model}", *counts, *self.flags)
        return read_log(text, self._keep(Path(model).stem, text))

    def _keep(self, name: str, text: str) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        number = len(list(self.logs.glob(f"{name}.*.log")))
        path = self.logs / f"{name}.{number}.log"
        path.write_text(text, encoding="utf-8")
        return path


def read_log(text: str, path: Path) -> Reading:
    """The one reading of a log; raises :class:`TableError` when it has none or the GPU did not run it all."""
    result = benchmark_model.read(normal(text), str(path), None)
    if result.unread:
        raise TableError(f"{path}: {result.unread[0].reason}.")
    reading = result.readings[0]
    if reading.cpu:
        raise TableError(f"{path}: no delegate is named, so the model ran on the CPU.")
    return reading


def convert(module: nn.Module, shape: Sequence[int], path: Path) -> None:
    """Write ``module`` as .tflite with channels-last input and output, as the GPU has its maps.

    Convolutions are stock ones: on channels-last maps ours would become fully connected operators.
    """
    litert = import_module("litert_torch")
    module = with_stock_convolutions(module)
    images = torch.randn(*shape)
    with torch.inference_mode():
        is_map = module(images).ndim == 4
    wrapped = litert.to_channel_last_io(module, args=[0], outputs=[0] if is_map else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.part.tflite")
    litert.convert(wrapped.eval(), (images.permute(0, 2, 3, 1).contiguous(),)).export(str(partial))
    partial.replace(path)


class Phone:
    """One device; ``serial`` as ``adb devices`` names it."""

    def __init__(self, serial: str) -> None:
        self.serial = serial

    def shell(self, *command: str) -> str:
        """Output and errors of a command on the phone; raises :class:`TableError` when it fails."""
        return _adb("-s", self.serial, "shell", " ".join(command) + " 2>&1")

    def push(self, source: Path, target: str) -> None:
        """Copy a file to the phone; raises :class:`TableError` when that fails."""
        _adb("-s", self.serial, "push", str(source), target)

    def facts(self) -> dict[str, str]:
        """Device, soc, gpu and driver in the phone's own words, ``unknown`` where it does not say."""
        maker, model = self._property("ro.product.manufacturer"), self._property("ro.product.model")
        soc = " ".join(filter(None, [self._property("ro.soc.manufacturer"), self._property("ro.soc.model")]))
        gles = GLES.search(self.shell("dumpsys", "SurfaceFlinger"))
        return {
            "device": f"{maker} {model}".strip() or UNKNOWN,
            "soc": soc or self._property("ro.board.platform") or UNKNOWN,
            "gpu": gles["gpu"].strip() if gles else UNKNOWN,
            "driver": gles["driver"].strip() if gles else UNKNOWN,
        }

    def _property(self, name: str) -> str:
        return self.shell("getprop", name).strip()


def find_phone(serial: str | None) -> tuple[str, list[str]]:
    """The serial of the phone to use, and what is missing to use one (then the serial is empty)."""
    if shutil.which("adb") is None:
        return "", ["adb: install Android's SDK platform-tools and put adb on the PATH"]
    lines = [line.split() for line in _adb("devices").splitlines()[1:] if line.strip()]
    ready = [words[0] for words in lines if words[1:2] == ["device"]]
    if serial is not None and serial not in ready:
        return "", [f"a ready phone {serial}: 'adb devices' lists {_listing(lines)}"]
    if serial is None and len(ready) != 1:
        what = "one of several phones: give --serial" if ready else "a phone with USB debugging allowed"
        return "", [f"{what}; 'adb devices' lists {_listing(lines)}"]
    return serial or ready[0], []


def _listing(lines: Sequence[Sequence[str]]) -> str:
    return ", ".join(" ".join(words[:2]) for words in lines) or "none"


def _adb(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["adb", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise TableError(f"'adb {' '.join(arguments)}' did not end within {TIMEOUT_S} s.") from None
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-2000:]
        raise TableError(f"'adb {' '.join(arguments)}' ended with code {done.returncode}: {output}")
    return done.stdout
