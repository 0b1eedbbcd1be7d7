"""Every command and every snippet of the README runs (DESIGN contract 10), searches cut to a step or two."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.split("  #")[0].strip()
    for language, text in BLOCKS
    if language == "bash"
    for line in text.splitlines()
    if line.strip() and not line.startswith("#")
]
SHORT = {
    "fit": [
        *("--trainer.max_epochs", "1"),
        *("--trainer.limit_train_batches", "2"),
        *("--trainer.limit_val_batches", "1"),
    ],
    "refine": [*("--population", "3"), *("--generations", "2"), *("--recalibration-batches", "1")],
    "measure": ["--rounds", "2", "--networks", "4", "--repeats", "0", "--visit-ms", "2"],
}
# Run elsewhere: the demo in test_demo.py, the tests by whoever reads this, the install in test_packaging.py.
ELSEWHERE = {"make demo", "make test", "pip install ."}


def test_nothing_is_left_out():
    runnable = [command for command in COMMANDS if command.startswith("dnas ")]
    assert set(COMMANDS) - set(runnable) == ELSEWHERE
    assert len(runnable) >= 7


def test_make_knows_the_targets():
    for target in ("demo", "test", "check"):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def shortened(words):
    """The command with options that cut it to seconds."""
    return words + [option for name, options in SHORT.items() if name in words[1:3] for option in options]


@pytest.mark.slow
def test_commands_run_in_their_order(tmp_path):
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")  # the README speaks from within the checkout
    for command in COMMANDS:
        if command in ELSEWHERE:
            continue
        words = shlex.split(command)
        words[0] = str(Path(sys.executable).with_name("dnas"))
        done = subprocess.run(shortened(words), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.slow
def test_python_snippets_run_and_print_what_they_say(tmp_path):
    snippets = [text for language, text in BLOCKS if language == "python"]
    assert snippets
    for text in snippets:
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        promised = re.findall(r"print\(.*\)\s+# (\S.*)", text)
        assert len(printed) == len(promised)
        for line, promise in zip(printed, promised, strict=True):
            if promise.endswith("..."):
                assert line.startswith(promise.removesuffix("...").strip())


def test_links_lead_somewhere():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]
    missing = []
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                missing.append(f"{page.name}: {link}")
    assert not missing
