"""A training whose disk becomes full ends with one message; with room again it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

# In a shell that may mount: a disk on which a file leaves some bytes, until it is removed.
FIT = """\
mkdir disk && mount -t tmpfs -o size=8m none disk && head -c $((8388608 - $1)) /dev/zero > disk/filler
shift
"$@"
echo status $? checkpoints $(cd disk/run/checkpoints && ls -A)
rm disk/filler
"$1" -m lightning_modules.app.cli fit --resume disk/run && cp disk/run/checkpoints/last.ckpt resumed.ckpt
"""


@pytest.mark.slow
def test_it_goes_on_as_if_nothing_had_happened(
    tiny_flags: list[str],
    run_cli: Callable[..., subprocess.CompletedProcess[str]],
    environment: dict[str, str],
    own_mounts: list[str],
    tmp_path: Path,
) -> None:
    flags = [*tiny_flags, "--checkpoint_minutes=1e-6"]
    assert run_cli(*flags, "--run_folder=whole", cwd=tmp_path).returncode == 0
    whole = tmp_path / "whole" / "checkpoints" / "last.ckpt"
    # Room for one checkpoint and for what is beside it, but not for a second.
    room = str(round(1.9 * os.path.getsize(whole)))
    command = [sys.executable, "-m", "lightning_modules.app.cli", *flags, "--run_folder=disk/run"]
    done = subprocess.run(
        [*own_mounts, "sh", "-c", FIT, "sh", room, *command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "status 1 checkpoints moment.ckpt\n" in done.stdout
    assert done.stderr.count(".ckpt cannot be written (No space left on device)") == 1
    assert "Traceback" not in done.stderr
    wanted, found = (torch.load(path, weights_only=True) for path in (whole, tmp_path / "resumed.ckpt"))
    for part in ("state_dict", "optimizer_states", "global_step"):
        torch.testing.assert_close(found[part], wanted[part], rtol=0, atol=0)
