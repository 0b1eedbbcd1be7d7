"""Did a change of code change results? A sha256 of every result of one short run of everything, on digits.

    python benchmarks/same_results.py --checkout ../before --save before.json
    python benchmarks/same_results.py --against before.json

Search, derivation, retraining, one-shot training and refinement, with fixed seeds and one thread, through the
command that the checkout declares in its pyproject.toml, with the options that its configs have: an older
checkout may have another layout. What differs between any two runs (dates, paths, seconds) is in no hash.
Hashes compare on one machine only, with the same versions of PyTorch and matplotlib: others round, and draw,
differently.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

LAST = "checkpoints/last.ckpt"
ARCHITECTURE = "derived/architecture.json"
# Long enough for every kind of step: alpha trains after its warm-up, and evolution selects twice.
COMMANDS = (
    "fit --config digits/search.yaml --trainer.max_epochs 4 {warmup_epochs} 2 --run_folder search",
    f"derive --checkpoint search/{LAST} --output derived --latency-below 20 --sample 3",
    f"fit --config digits/train.yaml --model.architecture {ARCHITECTURE} --trainer.max_epochs 2"
    " --run_folder retrained",
    "fit --config digits/one_shot.yaml --trainer.max_epochs 3 --run_folder one_shot",
    f"refine --checkpoint one_shot/{LAST} --output refined --table adreno630_mace_calibrated"
    " --population 8 --generations 3 --device cpu",
)
Hashes = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = Path(__file__).resolve().parents[1]
    parser.add_argument("--checkout", type=Path, default=here, help="whose code runs (default: this one)")
    parser.add_argument("--output", type=Path, help="new folder of the runs (default: a temporary one)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the hashes as JSON")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with hashes saved earlier")
    options = parser.parse_args()
    earlier = json.loads(options.against.read_text()) if options.against else None
    with tempfile.TemporaryDirectory() as temporary:
        output = (options.output or Path(temporary)).resolve()
        run_all(options.checkout.resolve(), output)
        hashes = dict(sorted(results(output)))
    for name, value in hashes.items():
        print(f"{value}  {name}")
    if options.save:
        options.save.write_text(json.dumps(hashes, indent=1) + "\n")
    if earlier is not None:
        if found := differences(earlier, hashes):
            sys.exit("\n".join(found))
        print(f"{len(hashes)} results, all as in {options.against}")


def run_all(checkout: Path, output: Path) -> None:
    """Run the commands of ``checkout`` in ``output``, an empty folder; their output goes to run.log there."""
    if output.exists() and any(output.iterdir()):
        sys.exit(f"--output {output} is not empty: give a new folder.")
    output.mkdir(parents=True, exist_ok=True)
    module, function = entry_point((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    code = f"from {module} import {function}; {function}()"
    own = {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    searched = yaml.safe_load((checkout / "configs/digits/search.yaml").read_text(encoding="utf-8"))
    for command in COMMANDS:
        line = command.format(warmup_epochs=option(searched, "warmup_epochs"))
        print(f"$ dnas {line}", file=sys.stderr, flush=True)
        started = time.perf_counter()
        with (output / "run.log").open("a") as log:
            process = [sys.executable, "-c", code, *shlex.split(line)]
            ended = subprocess.run(process, cwd=output, env=os.environ | own, stdout=log, stderr=log)
        if ended.returncode:
            sys.exit(
                f"dnas {line}\nended with {ended.returncode}:\n{(output / 'run.log').read_text()[-2000:]}"
            )
        print(f"  {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def entry_point(pyproject: str) -> tuple[str, str]:
    """(module, function) of the command ``dnas`` in the text of a pyproject.toml."""
    # Python 3.10 has no TOML reader, and the line is a plain one.
    found = re.search(r'^\[project\.scripts\]\n(?:(?!\[).*\n)*?dnas\s*=\s*"([\w.]+):(\w+)"', pyproject, re.M)
    if found is None:
        sys.exit("pyproject.toml declares no command 'dnas' in [project.scripts].")
    return found[1], found[2]


def option(config: Mapping[str, Any], name: str) -> str:
    """The flag of an option, wherever the checkout's config has it."""
    for key, value in config.items():
        if key == name:
            return f"--{key}"
        below = option(value, name) if isinstance(value, Mapping) else ""
        if below:
            return below if key == "init_args" else f"--{key}.{below.removeprefix('--')}"
    return ""


def results(output: Path) -> Iterator[tuple[str, str]]:
    """Name and sha256 of every result in the folder of the runs."""
    for run in ("search", "one_shot", "retrained"):
        # Every checkpoint of this library is plain data: none may run code, not even of an older checkout.
        state = torch.load(output / run / LAST, map_location="cpu", weights_only=True)["state_dict"]
        yield f"weights: {run}", of_tensors(state)
        if run == "search":
            yield "alpha", of_tensors({n: t for n, t in state.items() if n.rpartition(".")[2] == "alpha"})
    for path in sorted((output / "derived").glob("*.json")):
        facts = json.loads(path.read_text())
        kept = ("choices", "costs", "one_shot_accuracy", "derivation")
        yield f"architecture: {path.stem}", of_data({name: facts[name] for name in kept})
    front = json.loads((output / "refined" / "front.json").read_text())
    yield "front: members", of_data(front["members"])
    for path in sorted(output.rglob("*.png")):
        yield f"figure: {path.relative_to(output).as_posix()}", of_bytes([path.read_bytes()])


def of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """sha256 of names, types, shapes and values, in the order of names."""
    if not tensors:
        raise ValueError("No tensors: the checkpoint has other names than those looked for.")
    return of_bytes(part for name in sorted(tensors) for part in _parts(name, tensors[name]))


def of_data(data: Any) -> str:
    """sha256 of plain data; floats count to the last digit, the order of keys does not."""
    return of_bytes([json.dumps(data, sort_keys=True).encode()])


def of_bytes(parts: Iterable[bytes]) -> str:
    """sha256 of all parts, one after the other."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


def differences(earlier: Hashes, now: Hashes) -> list[str]:
    """What differs, a line a result; empty if nothing does."""
    return [
        *(f"missing: {name}" for name in earlier if name not in now),
        *(f"new: {name}" for name in now if name not in earlier),
        *(f"differs: {name}" for name in now if name in earlier and now[name] != earlier[name]),
    ]


def _parts(name: str, tensor: torch.Tensor) -> Iterator[bytes]:
    yield f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode()
    # As bytes, because NumPy has no bfloat16. The storage of a view may be larger, or in another order.
    yield tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


if __name__ == "__main__":
    main()
