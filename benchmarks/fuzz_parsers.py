"""Every parser of files that strangers may have written: a valid file, and what reads it.

What a parser accepts is used as far as its commands use it, so that numbers that overflow later come out.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from fuzz_mutations import mutated_bytes, mutated_data
from rich.console import Console

from dnas.compare.files import RunError
from dnas.compare.reading import read_source
from dnas.costs import count
from dnas.nn.network import Network
from dnas.runs import checkpoint_file, weights_file
from dnas.runs.checkpoint import SEARCH, SECTION, CheckpointError
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError
from dnas.space.space_file import SpaceError
from dnas.support.resuming import read_call
from latency.commands import import_table
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.documents import load
from latency.sources.calibrated.model import CalibratedModel
from latency.sources.imported.formats import FORMATS
from latency.table import facts, load_table, table_file
from latency.table.errors import TableError
from lightning_modules.app.moved_keys import refuse_moved

SPACE = """\
format: dnas-space/2
name: fuzzed
resolution: 32
num_classes: 10
divisor: 8
norm: {eps: 0.001, momentum: 0.01}
stem:
  - {type: conv, out: 8, kernel: 3, stride: 2, activation: hswish}
choices:
  skip: {type: skip}
  E2K5: {expansion: 2, kernel: 5, se: 0.25}
  F3K3: {type: fused_inverted_residual, expansion: 3, kernel: 3}
  B: {type: bottleneck, expansion: 0.5}
  U: {type: universal_inverted_bottleneck, expansion: 2, start: 3, middle: 5}
stages:
  - {out: 8, stride: 1, activation: relu, repeat: 2, optional: 1, choices: [E2K5, F3K3]}
  - {out: 12, stride: 2, activation: hswish, choices: [E2K5, B, U]}
head:
  - {type: conv, out: 24, kernel: 1, activation: hswish}
  - {type: pool}
  - {type: dropout, rate: 0.1}
"""
CONFIG = """\
trainer: {max_epochs: 2, callbacks: [{class_path: lightning_modules.callbacks.ClipWeights}]}
model:
  class_path: lightning_modules.search.DifferentiableSearch
  init_args:
    space: moga
    table: redmi_note_7
    objective: {form: {class_path: dnas.search.gradient.objective.HingeLatency, init_args: {target_ms: 20}}}
    steps: {warmup_epochs: 1, tau: 1.0}
data: {class_path: lightning_modules.data.Digits, init_args: {batch_size: 32}}
"""
FACTS = "\n".join(f"{name}: '1.0'" for name in facts.REQUIRED if name not in ("date", "precision")) + (
    "\ndate: 2024-01-01\nprecision: fp16\n"
)
_BENCHMARK_MODEL = """INFO: STARTING!
INFO: Graph: [L1_E2K5.tflite]
INFO: Use gpu: [1]
INFO: Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate.
INFO: count=100 first=99 curr=98 min=90 max=130 avg=97.5 std=20 p5=91 median=97 p95=120
INFO: Inference timings in us: Init: 8000, First inference: 9000, Warmup (avg): 3600, Inference (avg): 97.5
BENCHMARK RESULTS: Inference (avg): 0.10 ms (100 runs) Inference (std): 0.02 ms
"""
_KEYS = ("L1_E2K5", "L1_F3K3", "L2_E2K5", "L2_F3K3", "L3_E2K5", "L3_B", "L3_U", "stem", "head", "overhead")
LOGS = {
    "benchmark_model": _BENCHMARK_MODEL,
    "gpu_profile": "Precision: F16\nPer kernel timing(2 kernels):\n  conv 0 -> add - 0.5 ms, 3.5 Gb/s\n"
    "  conv 1 -> add - 0.25 ms, 3.5 Gb/s\n--------------------\nAccumulated time per operation type:\n"
    "  conv(x2) - 0.75 ms\n--------------------\nIdeal total time: 0.75\n",
    "litert_json": json.dumps(
        {
            "model": "L1_E2K5.tflite",
            "accelerators": ["GPU"],
            "fully_accelerated": True,
            "latency": {"avg_ms": 1.25, "std_ms": 0.1, "num_runs": 50},
        }
    ),
    "benchncnn": "loop_count = 8\ngpu_device = -1\n"
    + "".join(f"{key}  min =    1.20  max =    1.70  avg =    1.30\n" for key in _KEYS),
    "mnn": "MNN benchmark\nForward type: **CPU** thread=4** precision=2**\n"
    "--------> Benchmarking... loop = 20, warmup = 5\n"
    + "".join(f"[ - ] {key}.mnn   max =  1.700 ms  min =  1.200 ms  avg =  1.300 ms\n" for key in _KEYS),
    "mace": "".join(
        f"model name: {key}\nmace version: v0.12.0\ndevice: GPU\nround: 100\nRun model\n"
        "Average latency: 3.58 ms\n"
        f"===\n  capability(CPU)  init  warmup  run_avg\n===\ntime   19.6   116.0   346.6   3.580\n"
        for key in _KEYS
    ),
    "onnxruntime": json.dumps(
        [
            {"cat": "Node", "dur": 4, "name": "c_kernel_time", "args": {"provider": "CPUExecutionProvider"}},
            *({"cat": "Session", "dur": each, "name": "model_run", "args": {}} for each in (900, 10, 12)),
        ]
    ),
    "executorch": "event_block_name,event_name,raw,p90 (ms),avg (ms),op_types,is_delegated_op,"
    'delegate_backend_name\nExecute,Method::execute,"[2.0, 3.0, 4.0]",3.8,3.0,[],False,\n',
    "proxylessnas": "unit: ms\n" + "".join(f"{key}: {{mean: 1.5, count: 3, var: 0.1}}\n" for key in _KEYS),
    "fbnet": json.dumps({"pixel": dict.fromkeys(_KEYS, 1500.0), "phone": {"L1_B": [1, 2, 3]}}),
    "matrix": "layer E2K5 F3K3 skip\n1 0.5 0.75 0\n2 1.5 1.75 0\n3 2.5 2.75 1\n",
    "csv": "layer,choice,latency (us),std,n\n"
    + "".join(f"{','.join((*key.split('_'), '')[:2])},1200,12,50\n" for key in _KEYS),
}


@dataclass(frozen=True)
class Parser:
    """One parser.

    Attributes:
        name: as printed.
        suffix: of its files.
        errors: its own, that may come out.
        valid: a valid file.
        use: reads a file and uses what it holds.
        restructured: mutates the structure of the valid file; None for formats that have none but text.
    """

    name: str
    suffix: str
    errors: tuple[type[Exception], ...]
    valid: bytes
    use: Callable[[Path], Any]
    restructured: Callable[[random.Random], bytes] | None = None

    def mutated(self, draw: random.Random) -> bytes:
        """A file that was valid."""
        if self.restructured is not None and draw.random() < 0.6:
            return self.restructured(draw)
        return mutated_bytes(self.valid, draw)

    def crash(self, path: Path) -> Exception | None:
        """What comes out of reading a file, if it is not the parser's own error."""
        try:
            self.use(path)
        except self.errors as error:
            return None if type(error) in self.errors else error
        except Exception as error:
            return error
        return None


def parsers(folder: Path) -> list[Parser]:
    """All of them; their valid files are made in ``folder``."""
    space_path = folder / "fuzzed.yaml"
    space_path.write_text(SPACE, encoding="utf-8")
    space = SearchSpace.load(space_path)
    table = build_calibrated(CalibratedModel.load("adreno630_mace"), space, folder / "fuzzed.csv")
    architecture = Architecture.random(space, np.random.default_rng(0))
    header = folder / "facts.yaml"
    header.write_text(FACTS, encoding="utf-8")
    model = yaml.safe_dump(dict(load("models", "adreno630_mace", "dnas-latency-model/1")))
    made = _Made(space, architecture)
    call = json.dumps({"command": "dnas refine", "arguments": ["--seed", "1"], "cwd": "."})
    documents = [
        _document("space", ".yaml", (SpaceError,), SPACE, _use_space),
        _document("architecture", ".json", (ArchitectureError,), made.architecture, _use_architecture),
        _document("architecture-yaml", ".yaml", (ArchitectureError,), made.architecture, _use_architecture),
        _document("run", ".json", (RunError,), made.architecture, lambda path: read_source(str(path))),
        _document("config", ".yaml", (ValueError,), CONFIG, _use_config),
        _document("facts", ".yaml", (TableError,), FACTS, facts.read),
        _document("latency-model", ".yaml", (TableError,), model, CalibratedModel.load),
        _document("command", ".json", (ValueError,), call, _use_call),
    ]
    tables = [
        Parser(
            "table",
            ".csv",
            (TableError,),
            table.read_bytes(),
            lambda path: load_table(path, space).latency_interval(architecture),
            partial(_resealed, table.read_text(encoding="utf-8")),
        )
    ]
    logs = [
        Parser(
            f"import-{name}",
            ".log",
            (TableError,),
            LOGS[name].encode(),
            partial(_use_log, name, space_path, header),
            partial(_restructured, LOGS[name]) if LOGS[name].startswith(("{", "[{", "unit:")) else None,
        )
        for name in FORMATS
    ]
    checkpoints = [
        Parser(name, ".ckpt", (CheckpointError,), _torch_file(content), use, partial(_resaved, content))
        for name, content, use in (
            ("checkpoint", made.checkpoint, checkpoint_file.read_supernet),
            ("weights", {"state_dict": made.weights}, weights_file.read_weights),
        )
    ]
    return [*documents, *tables, *logs, *checkpoints]


class _Made:
    """What the library itself writes, as text and as data."""

    def __init__(self, space: SearchSpace, architecture: Architecture) -> None:
        self.architecture = json.dumps({**architecture.to_dict(), "provenance": {"search_seed": 1}})
        self.weights = dict(Network(architecture).state_dict())
        self.checkpoint = {
            "state_dict": {f"supernet.{key}": value for key, value in self.weights.items()},
            "epoch": 3,
            "hyper_parameters": {"table": "phone"},
            SECTION: {
                "format": SEARCH,
                "space": space.to_dict(),
                "supernet": {"sharing": "entangled"},
                "alpha": torch.zeros(len(space), space.max_choices),
                "table": {"name": "phone", "kind": "measured", "sha256": "0" * 64},
                "seed": 1,
                "versions": {"torch": "2"},
                "history": [],
                "training": {},
            },
        }


def _document(
    name: str, suffix: str, errors: tuple[type[Exception], ...], text: str, use: Callable[[Path], Any]
) -> Parser:
    return Parser(name, suffix, errors, text.encode(), use, partial(_restructured, text))


def _restructured(text: str, draw: random.Random) -> bytes:
    data = mutated_data(yaml.safe_load(text), draw)
    try:
        as_json = text.startswith(("{", "["))
        dumped = json.dumps(data) if as_json else yaml.safe_dump(data, allow_unicode=draw.random() < 0.5)
    except (TypeError, ValueError):  # keys of JSON, integers of more digits than Python writes
        return mutated_bytes(text.encode(), draw)
    return dumped.encode("utf-8", "surrogatepass")


def _resealed(text: str, draw: random.Random) -> bytes:
    """A table with other rows or another header, whose checksum is right."""
    lines = mutated_bytes(text.encode(), draw).decode("utf-8", "replace").splitlines()
    kept = [line for line in lines if not line.startswith(table_file.DIGEST)]
    start = next((index for index, line in enumerate(kept) if not line.startswith("#")), len(kept))
    seal = f"{table_file.DIGEST} {table_file.digest(chr(10).join(kept))}"
    return "\n".join([*kept[:start], seal, *kept[start:]]).encode()


def _resaved(content: dict[str, Any], draw: random.Random) -> bytes:
    return _torch_file(mutated_data(content, draw))


def _torch_file(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _use_space(path: Path) -> None:
    space = SearchSpace.load(path)
    costs = count(space)
    costs.madds_of(space.sample(2, np.random.default_rng(0)))
    assert SearchSpace.from_dict(space.to_dict()).digest == space.digest
    f"{space.size:,}"


def _use_architecture(path: Path) -> None:
    architecture = Architecture.load(path)
    architecture.canonical()
    sum(op.madds for op in architecture.ops)


def _use_config(path: Path) -> None:
    refuse_moved(["fit", "--config", str(path)])


def _use_call(path: Path) -> None:
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    (folder / "command.json").write_bytes(path.read_bytes())
    read_call(folder)


def _use_log(name: str, space: Path, header: Path, path: Path) -> None:
    """``dnas latency import``, whole."""
    unit = [] if FORMATS[name].UNIT else ["--unit", "us"]
    output = path.with_name("imported.csv")
    options = {"space": space, "header": header, "output": output, "relative-error": 0.1}
    line = [name, str(path), *(f"--{key}={value}" for key, value in options.items()), *unit]
    parser = argparse.ArgumentParser()
    import_table.add_arguments(parser)
    import_table.run(parser.parse_args(line), Console(file=io.StringIO(), highlight=False, markup=False))
