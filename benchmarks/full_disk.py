"""Every command on a disk that becomes full, in a folder that is read-only, and in one that vanishes.

    sudo python benchmarks/full_disk.py [--only refine "sweep (config)"]

Mounts small tmpfs (Linux, root). Every command first runs with room. Then it runs three times with less: with
none, a third and two thirds of the bytes that it wrote. After each of these runs the disk has room again and
the command is given again. Commands run in forked processes. FAULT marks a run that did not end with status 1
and one message (or with 0, where figures and logs alone were lost), that left a temporary file, or that did
not end well with room again. Exit status 1 if there is any.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import torch
import torchvision
import yaml
from PIL import Image
from soak import QUIET, SPACE

from dnas.space import SearchSpace
from latency.sources.calibrated.calibrated_table import build_calibrated
from latency.sources.calibrated.model import CalibratedModel
from lightning_modules.app.cli import main as dnas

TINY = ("--data.resolution=8", "--data.batch_size=8", "--trainer.limit_train_batches=2", *QUIET)
TINY += ("--trainer.limit_val_batches=1", "--trainer.max_epochs=2")
SECONDS = 300


class Run(NamedTuple):
    """How a command ended: its status (None: it had to be ended), and what it wrote to standard error."""

    status: int | None
    stderr: str

    @property
    def message(self) -> str:
        """Its last lines."""
        lines = [line for line in self.stderr.splitlines() if line and "DNAS_TRACEBACK" not in line]
        if self.status == 0:
            return "warns, and ends without figures or logs"
        return lines[-1] if lines else "no message"

    @property
    def fault(self) -> str:
        """What is wrong with the way in which it refused to go on; empty if nothing is."""
        if self.status == 0 and "this goes on without" in self.stderr:
            return ""
        if self.status != 1:
            return f"status {self.status}: {self.message}"
        return f"traceback: {self.message}" if "Traceback" in self.stderr else ""


def main() -> None:
    options = _parser().parse_args()
    os.environ.pop("DNAS_TRACEBACK", None)
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(Path(folder))
        known = commands(made, Path(folder) / "disk")
        faults = 0
        print(
            "| command | bytes | full disk | room again | read-only | vanishes |\n|---|---|---|---|---|---|"
        )
        for name, arguments in known.items():
            if not options.only or name in options.only:
                cells = tried(arguments, Path(folder) / "disk")
                faults += sum(cell.startswith("FAULT") for cell in cells)
                print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
    raise SystemExit(1 if faults else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="COMMAND", help="as the table has them")
    return parser


def prepare(folder: Path) -> Path:
    """All that the commands read: space, tables, checkpoints, an architecture, weights, photographs."""
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE), encoding="utf-8")
    space = SearchSpace.load(folder / "space.yaml")
    for model in ("adreno630_mace", "adreno630_snpe"):
        build_calibrated(CalibratedModel.load(model), space, folder / f"{model}.csv")
    rows = [f"{d.layers[0].name},{n},1" for d in space.decisions for n in d.names]
    (folder / "readings.csv").write_text(
        "\n".join(["layer,choice,ms", "stem,,1", "head,,1", "overhead,,0", *rows])
    )
    facts = dict.fromkeys(("device", "soc", "gpu", "runtime", "runtime_version", "backend", "licence"), "x")
    facts |= {"name": "x", "source": "x", "precision": "fp32", "date": "2026-11-29"}
    (folder / "facts.yaml").write_text(yaml.safe_dump(facts), encoding="utf-8")
    for split in ("train", "val"):
        for number in range(8):
            path = folder / "photos" / split / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.effect_noise((40, 30), 20 + number + 8 * (split == "val")).convert("RGB").save(path)
    torch.save(torchvision.models.mobilenet_v3_small().state_dict(), folder / "weights.pth")
    known = commands(folder, folder)
    one_shot = ["fit", "--config=digits/one_shot.yaml", f"--model.space={folder}/space.yaml", *TINY]
    train = ["fit", "--config=digits/train.yaml", f"--model.architecture={folder}/derived/architecture.json"]
    for made, arguments in {
        "search": [*known["fit"], f"--run_folder={folder}/search"],
        "supernet": [*one_shot, f"--run_folder={folder}/supernet"],
        "refined": [*known["refine"], "--output", f"{folder}/refined", "--generations", "2"],
        "derived": [*known["derive"], "--output", f"{folder}/derived"],
        "trained": [*train, *TINY, f"--run_folder={folder}/trained"],
    }.items():
        print(f"Making {made}", file=sys.stderr)
        _must(arguments)
    return folder


# By name, each writing to DISK what it makes of what `prepare` has MADE.
COMMANDS = {
    "fit": "SEARCH --run_folder=DISK/new --checkpoint_minutes=1e-6",
    "derive": "derive --checkpoint SEARCHED --output DISK/new",
    "refine": "REFINE --generations 3 --output DISK/new",
    "compare": "compare --run a=MADE/refined --table TABLE --budgets 9 --output DISK/new",
    "fidelity": "fidelity --checkpoint SUPERNET --train-config digits/train.yaml --architectures 3 "
    "--epochs 1 --set data.resolution=8 data.batch_size=8 trainer.limit_train_batches=2 "
    "trainer.limit_val_batches=1 trainer.limit_test_batches=1 --output DISK/new",
    "sweep (checkpoint)": "sweep --checkpoint SEARCHED --targets 9 --output DISK/new",
    "sweep (config)": "sweep --config digits/search.yaml --targets 9 --set model.space=MADE/space.yaml "
    "model.table=TABLE model.steps.warmup_epochs=1 PLAIN_TINY --output DISK/new",
    "export": "export --checkpoint MADE/trained/checkpoints/last.ckpt --output DISK/a.onnx",
    "zoo load": "zoo load mobilenet_v3_small --weights MADE/weights.pth --output DISK/a.ckpt",
    "space new": "space new DISK/space.yaml",
    "configs": "configs --copy digits/search.yaml --to DISK",
    "data check --page": "data check MADE/photos --page DISK/page.png",
    "latency measure": "latency measure --space MADE/space.yaml --backend torch-cpu --output DISK/table.csv "
    "--rounds 2 --networks 2 --runs 2 --visit-ms 0.1 --repeats 0",
    "latency build-calibrated": "latency build-calibrated adreno630_mace --space MADE/space.yaml "
    "--output DISK/a.csv",
    "latency import": "latency import csv MADE/readings.csv --space MADE/space.yaml --device x --soc x "
    "--gpu x --runtime x --backend x --precision fp32 --date 2026-11-29 --kind measured --relative-error 0.1 "
    "--runtime-version 1 --licence x --source x --output DISK/a.csv",
    "latency calibrate": "latency calibrate --published mace_ms --header MADE/facts.yaml "
    "--output DISK/a.yaml",
    "latency profile": "latency profile --table TABLE --space MADE/space.yaml --networks 100 "
    "--output DISK/new",
    "latency compare": "latency compare TABLE MADE/adreno630_snpe.csv --space MADE/space.yaml --networks 50 "
    "--output DISK/new",
    "demo": "demo --epochs 1 --output DISK/new",
}


def commands(made: Path, disk: Path) -> dict[str, list[str]]:
    """The arguments of :data:`COMMANDS`, with their abbreviations written out."""
    meaning = {
        "SEARCH ": f"fit --config=digits/search.yaml --model.space=MADE/space.yaml {' '.join(TINY)} "
        "--model.table=TABLE --model.steps.warmup_epochs=1 ",
        "REFINE": "refine --checkpoint SUPERNET --population 8 --table TABLE --recalibration-batches 1",
        "PLAIN_TINY": " ".join(part.removeprefix("--") for part in TINY),
        "SEARCHED": "MADE/search/checkpoints/last.ckpt",
        "SUPERNET": "MADE/supernet/checkpoints/last.ckpt",
        "TABLE": "MADE/adreno630_mace.csv",
        "MADE": str(made),
        "DISK": str(disk),
    }
    written = {}
    for name, command in COMMANDS.items():
        for abbreviation, text in meaning.items():
            command = command.replace(abbreviation, text)
        written[name] = command.split()
    return written


def tried(arguments: list[str], disk: Path) -> list[str]:
    """The cells of a line."""
    with mounted(disk, "1g"):
        run = ended(arguments)
        used = _used(disk)
        if run.status != 0:
            return ["", f"FAULT even with room: {run.status} {run.stderr[-300:]}", "", "", ""]
    return [
        f"{used:,}",
        *_full(arguments, disk, used),
        _read_only(arguments, disk),
        _vanishes(arguments, disk),
    ]


def _full(arguments: list[str], disk: Path, used: int) -> tuple[str, str]:
    messages, again = [], []
    for share in (0, 1 / 3, 2 / 3):
        with mounted(disk, f"{1 << 26}"):
            filler = disk / "filler"
            _fill(filler, leaving=int(share * used))
            run = ended(arguments)
            fault = run.fault or _left_over(disk)
            messages.append(f"FAULT {fault}" if fault else run.message)
            filler.unlink()
            given = _again(arguments, disk)
            last = ended(given)
            again.append("ends" if last.status == 0 else f"FAULT {last.status}: {last.message}")
    return _worst(messages, disk), _worst(again, disk)


def _again(arguments: list[str], disk: Path) -> list[str]:
    """What the message says to give: fit goes on from a checkpoint, and takes another folder without one."""
    folder = disk / "new"
    if arguments[0] == "fit":
        if any((folder / "checkpoints").glob("*.ckpt")):
            return ["fit", "--resume", str(folder)]
        return [part.replace(str(folder), f"{folder}2") for part in arguments]
    return [*arguments, "--overwrite"] if arguments[0] in ("derive", "compare") else arguments


def _read_only(arguments: list[str], disk: Path) -> str:
    with mounted(disk, "64m"):
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        run = ended(arguments)
        return _worst([f"FAULT {run.fault}" if run.fault else run.message], disk)


def _vanishes(arguments: list[str], disk: Path) -> str:
    """Either the folder is made again and the command ends, or there is one message; never a traceback."""
    with mounted(disk, "1g"):
        removed = threading.Event()

        def remove() -> None:
            while not removed.is_set():
                if (disk / "new").is_dir() and any((disk / "new").iterdir()):
                    os.rename(disk / "new", disk / "gone")
                    return
                time.sleep(0.01)

        watcher = threading.Thread(target=remove)
        watcher.start()
        run = ended(arguments)
        removed.set()
        watcher.join()
        if not (disk / "gone").exists():
            return "one file"
        if run.status == 0:
            return "makes it anew, ends"
        return _worst([f"FAULT {run.fault}" if run.fault else run.message], disk)


def _worst(messages: list[str], disk: Path) -> str:
    faults = [message for message in messages if message.startswith("FAULT")]
    text = (faults or messages)[-1]
    return text.replace(str(disk), "DISK").replace("|", "/")[:300]


def _left_over(disk: Path) -> str:
    left = [path.name for path in disk.rglob(".*") if path.name != ".lock"]
    return f"left {', '.join(left)}" if left else ""


def _fill(filler: Path, leaving: int) -> None:
    """A file as large as the disk but for some bytes."""
    free = os.statvfs(filler.parent).f_bavail * os.statvfs(filler.parent).f_frsize
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(free - leaving, 1))


def _used(disk: Path) -> int:
    found = os.statvfs(disk)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextmanager
def mounted(disk: Path, size: str) -> Iterator[None]:
    """An empty tmpfs of a size at ``disk``."""
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def ended(arguments: list[str]) -> Run:
    """Run a command in a forked process to its end."""
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("fork").Process(target=_child, args=(arguments, folder))
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
            return Run(None, "it did not end")
        return Run(process.exitcode, (Path(folder) / "stderr").read_text(encoding="utf-8", errors="replace"))


def _child(arguments: list[str], folder: str) -> None:
    with (Path(folder) / "stderr").open("w", buffering=1) as err, (Path(folder) / "stdout").open("w") as out:
        os.dup2(err.fileno(), 2)
        os.dup2(out.fileno(), 1)
        with redirect_stderr(err), redirect_stdout(out):
            try:
                dnas(arguments)
            except SystemExit as error:
                if isinstance(error.code, str):
                    print(error.code, file=err)
                    sys.exit(1)
                sys.exit(error.code)
            except BaseException:
                traceback.print_exc()
                sys.exit(1)


def _must(arguments: list[str]) -> None:
    run = ended(arguments)
    if run.status != 0:
        raise SystemExit(f"dnas {' '.join(arguments)} ended with status {run.status}:\n{run.stderr}")


if __name__ == "__main__":
    main()
