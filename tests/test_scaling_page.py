"""The job for SLURM in docs/scaling.md is a script that bash can read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"


def test_the_job_has_no_mistake_in_its_syntax() -> None:
    (script,) = re.findall(
        r"^```bash\n(#!.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert "#SBATCH --signal=USR1@90" in script and "dnas fit" in script
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
