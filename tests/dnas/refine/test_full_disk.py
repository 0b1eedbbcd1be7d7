"""A refinement whose disk becomes full ends with one error; with room again it ends as an undisturbed one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dnas.refine.settings import Settings

# In a process that may mount: disks with some free pages of 4096 bytes, the rest is a file that can go.
REFINE = """\
import json, subprocess, sys
from pathlib import Path
from dnas.refine.run import refine
from dnas.refine.settings import Settings
from latency import load_table

RESULTS = "state.json", "evaluated.csv", "front.json", "hypervolume.csv"
checkpoint, table, folder = map(Path, sys.argv[1:])

def run(output):
    settings = Settings(
        checkpoint, output, str(table), population=6, generations=3, recalibration_batches=1, quality="loss"
    )
    refine(settings, load_table=load_table)
    return {name: (output / name).read_bytes() for name in RESULTS}

whole, full_at = run(folder / "whole"), []
for pages in (0, 1, 4):
    disk = folder / f"disk{pages}"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    (disk / "filler").write_bytes(bytes((1 << 20) - 4096 * pages))
    try:
        run(disk)
    except OSError as error:
        full_at.append((error.strerror, Path(error.filename).name))
    (disk / "filler").unlink()
    assert run(disk) == whole, pages
print(json.dumps(full_at))
"""


@pytest.mark.slow
def test_with_room_again_it_ends_as_if_nothing_had_happened(
    make_settings: Callable[..., Settings], own_mounts: list[str], tmp_path: Path
) -> None:
    settings = make_settings(tmp_path)
    command = [*own_mounts, sys.executable, "-c", REFINE, str(settings.checkpoint), str(settings.table)]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    full_at = json.loads(done.stdout.splitlines()[-1])
    assert [reason for reason, _ in full_at] == 3 * ["No space left on device"]
    evaluations, state, _ = [name for _, name in full_at]
    assert evaluations.startswith("evaluations-") and state == "state.json"
