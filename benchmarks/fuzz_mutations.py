"""Files that were valid: mutated in their bytes, in their text and in their structure.

All choices come from a ``random.Random``, so that a seed gives the same file again.
"""

from __future__ import annotations

import copy
import random
import re
from typing import Any

# What readers stumble over: numbers at the end of a range, names that are paths, text that steers terminals.
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 255, 256, 65536, 2**31, 2**53 + 1, 2**63, 2**64 + 1, 10**30, 10**400, -(10**400)),
    *(1e308, -1e308, 5e-324, 1e-300, 0.5, -0.0, float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "1e999",
        "1_000",
        "0x10",
        "\u0661\u0662",
        "-1",
        "9" * 5000,
        "1:2:3",
        "2020-13-45",
    ),
    *(
        "..",
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "-rf",
        "~",
        "CON",
        "x" * 5000,
        "x\0y",
        "\x1b[31m",
        "\x07",
    ),
    *(
        "\u202eexe",
        "\u2066",
        "\ud800",
        "\U0001f600",
        "é",
        "e\u0301",
        "\ufeff",
        "\u2028",
        "[/bold]",
        "[red]",
        "%s",
    ),
    *(
        "{0}",
        "true",
        "null",
        "~",
        "<<",
        "=",
        "!!int x",
        "skip",
        "conv",
        "L1",
        "\n",
        "\r",
        "\t",
        "a\nb",
        ",",
        ";",
    ),
)
VALUES: tuple[Any, ...] = (
    *NUMBERS,
    *TEXTS,
    None,
    True,
    False,
    [],
    {},
    [[]],
    {"a": []},
    [1, 2],
    ["x", 1.5],
    {1: 2},
)
TOKENS = (
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"\n\n",
        b"#",
        b":",
        b"- ",
        b"? ",
        b"| ",
        b"> ",
        b"---\n",
    ),
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"&a [*a]",
        b"!!python/name:os.system ",
        b"!!binary ",
        b"!!set ",
        b"%YAML 9\n",
    ),
    *(
        b"[" * 2000,
        b"{" * 300,
        b"{a: " * 100,
        b"- " * 500,
        b'{"a":' * 2000,
        b'"',
        b"'",
        b"\\u202e",
        b"\\",
        b"\t",
    ),
    *(
        b"1e308",
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"9" * 5000,
        b"-",
        b",",
        b",,",
        b"=",
        b"\x1b[2J",
        b"\xe2\x80\xae",
    ),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def mutated_bytes(content: bytes, draw: random.Random) -> bytes:
    """One to four changes: bits, cut and repeated parts, tokens, numbers."""
    for _ in range(draw.randint(1, 4)):
        content = draw.choice((_flip, _cut, _repeat, _insert, _swap_lines, _number, _number))(content, draw)
    return content


def mutated_data(data: Any, draw: random.Random) -> Any:
    """One to three values replaced, removed, doubled, renamed or wrapped, at any depth."""
    data = copy.deepcopy(data)
    for _ in range(draw.randint(1, 3)):
        places = list(_places(data))
        if places:
            _change(*draw.choice(places), draw)
    return data


def _places(data: Any) -> Any:
    """(collection, key) of everything inside."""
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from _places(data[key])


def _change(parent: Any, key: Any, draw: random.Random) -> None:
    kind = draw.randrange(8)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[draw.choice((*TEXTS, 0, None, 1.5))] = parent.pop(key)
    elif kind == 1:
        parent.insert(key, copy.deepcopy(parent[key]))
    elif kind == 2:
        for _ in range(draw.choice((1, 2, 100))):
            parent[key] = draw.choice(([parent[key]], {"a": parent[key]}))
    elif kind == 3 and isinstance(parent[key], int | float):
        parent[key] = draw.choice(NUMBERS)
    elif kind == 4 and isinstance(parent[key], list):
        parent[key] = parent[key] * draw.choice((2, 50))
    elif kind == 5 and isinstance(parent[key], str):
        parent[key] += draw.choice(TEXTS)
    else:
        parent[key] = copy.deepcopy(draw.choice(VALUES))


def _flip(content: bytes, draw: random.Random) -> bytes:
    if not content:
        return content
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def _part(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randint(0, len(content))
    return start, min(len(content), start + draw.choice((1, 3, 10, 100, len(content))))


def _cut(content: bytes, draw: random.Random) -> bytes:
    start, end = _part(content, draw)
    return content[:start] + content[end:]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    start, end = _part(content, draw)
    return content[:end] + content[start:end] * draw.choice((1, 2, 20)) + content[end:]


def _insert(content: bytes, draw: random.Random) -> bytes:
    at = draw.randint(0, len(content))
    return content[:at] + draw.choice(TOKENS) + content[at:]


def _swap_lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b"\n")
    one, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _number(content: bytes, draw: random.Random) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return content
    match = draw.choice(found)
    new = draw.choice(
        (*(repr(each) for each in NUMBERS if abs(each) < 1e300 or isinstance(each, float)), *TEXTS)
    )
    return content[: match.start()] + new.encode("utf-8", "surrogatepass") + content[match.end() :]
