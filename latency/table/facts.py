"""What a user states of a device and of how latencies were made: a YAML file, or options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from dnas.support.documents import DocumentError, load_yaml, read_text
from latency.table.errors import TableError

REQUIRED = {
    "device": "phone or board, e.g. 'Pixel 4'",
    "soc": "e.g. 'Snapdragon 855'",
    "gpu": "e.g. 'Adreno 640'",
    "runtime": "e.g. TFLite",
    "runtime_version": "e.g. 2.10",
    "backend": "e.g. 'GPU delegate, OpenCL'",
    "precision": "fp32, fp16, bf16, int8, mixed or unknown",
    "licence": "of the latencies, e.g. CC-BY-4.0",
    "source": "who measured, where it was published",
    "date": "of the measurement, YYYY-MM-DD",
}
OPTIONAL = {
    "name": "of the table (default: the output file's)",
    "driver": "version of the GPU's driver",
    "notes": "anything else that readers of the table should know",
}
FACTS = {**REQUIRED, **OPTIONAL}


def collect(
    options: Mapping[str, str | None], path: str | None, stated: Mapping[str, str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """(facts, problems): whatever is missing is named.

    Args:
        options: go before the YAML file at ``path``.
        stated: what the files with the latencies state, for facts that nobody gives.
    """
    given, problems = _read(path) if path else ({}, [])
    sources = (options, given, stated or {})
    facts = {
        key: value for key in FACTS if (value := next(filter(None, (s.get(key) for s in sources)), None))
    }
    missing = [key for key in REQUIRED if key not in facts]
    if missing:
        asked = "; ".join(f"--{key.replace('_', '-')} ({REQUIRED[key]})" for key in missing)
        problems.append(f"not given, neither as options nor in --header FILE: {asked}")
    return facts, problems


def read(path: str | Path) -> dict[str, str]:
    """The facts of a YAML file, any of :data:`FACTS`, all as texts.

    Raises:
        TableError: no such file, no YAML mapping, or keys that are no facts.
    """
    facts, problems = _read(str(path))
    if problems:
        raise TableError("; ".join(problems))
    return facts


def _read(path: str) -> tuple[dict[str, str], list[str]]:
    """All values as texts: YAML would make 2.1 of version 2.10."""
    try:
        text = read_text(Path(path))
        load_yaml(text)
        data = yaml.load(text, Loader=yaml.BaseLoader)
    except (OSError, DocumentError, yaml.YAMLError) as error:
        return {}, [f"--header {path}: {error}"]
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        return {}, [f"--header {path}: expected a mapping from {', '.join(FACTS)} to texts"]
    unknown = [str(key) for key in data if key not in FACTS]
    problems = (
        [f"--header {path}: unknown {', '.join(unknown)}; known are {', '.join(FACTS)}"] if unknown else []
    )
    return {key: value for key, value in data.items() if key in FACTS}, problems
