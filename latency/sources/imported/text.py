"""The text of a file as its tool wrote it: what a terminal, phone or editor put around it is gone.

Every importer reads this text, so none knows of encodings, line ends, colours, quotes and prefixes. Lines
keep their numbers.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from dnas.support.documents import MAX_LOG_BYTES, read_bytes

# Windows PowerShell 5 writes UTF-16 when output is redirected; adb of old phones ends lines with \r\r\n.
LINE_END = re.compile(r"\r*\n|\r")
TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\^_]")
# Marks of the direction of writing, and what is left of a terminal's controls, would act upon ours.
INVISIBLE = re.compile("[\x08\x1b\x80-\x84\x86-\x9f\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
BLANK = re.compile("[\u00a0\u2007\u202f]")
BINARY = re.compile(r"[\x00-\x07\x0e-\x1a\x1c-\x1f\x7f]")

_TIME = r"\d{2}:\d{2}:\d{2}[.,]\d{3,9}"
_DATED = rf"(?:(?:\d{{4}}-)?\d{{2}}-\d{{2}}[ T]){_TIME}(?:Z|[+-]\d{{2}}:?\d{{2}})?"
_DATED_TO_SECONDS = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}"
_LEVEL = "INFO|VERBOSE|WARNING|WARN|ERROR|DEBUG"
PREFIXES = re.compile(
    "|".join(
        (
            r"[ \t]{0,3}(?:> ?)+",  # a quotation in a mail or an issue
            rf"{_DATED} +(?:\d+ +){{1,3}}[VDIWEF] [^:]*?: ?",  # logcat -v threadtime
            rf"{_DATED} +[VDIWEF]/[^(]*\( *\d+\): ?",  # logcat -v time
            r"[VDIWEF]/[^(]*\( *\d+\): ?",  # logcat -v brief
            rf"(?:(?:{_DATED}|{_TIME}) +)?\d+-\d+/\S+ [VDIWEF]/[^:]*: ?",  # Android Studio, until 2022
            rf"(?:(?:{_DATED}|{_TIME}) +)?\d+-\d+ +\S+ +\S+ +[VDIWEF] {{2}}",  # and since then
            r"[VDIWEF] +\S+\.(?:cc|cpp|h):\d+\] ?",  # MACE
            r"[IWEF]\d{4,8} [\d:. ]+\S+\.(?:cc|cpp|h|py):\d+\] ?",  # glog and absl
            rf"{_DATED_TO_SECONDS}(?:[.,]\d{{3}})? (?:{_LEVEL}) [\w.]+: ?",  # Python's logging
            rf"{_DATED} ",  # a build server
            rf"(?:{_LEVEL}): ?(?:\[[^\]\s]+:\d+\] ?)?",  # TFLite and LiteRT
        )
    )
)


def read_text(path: Path) -> str:
    """A file's text, decoded and normalised.

    Raises:
        ValueError: no such file, an empty one, a huge one, or a binary one.
    """
    if not path.is_file():
        raise ValueError("no such file")
    content = read_bytes(path, MAX_LOG_BYTES)
    if not content.strip():
        raise ValueError("the file is empty")
    text = _decoded(content)
    if BINARY.search(text):
        raise ValueError("a binary file, expected text")
    return normal(text)


def normal(text: str) -> str:
    """One line per line, ended by ``\\n``, without colours, quotation marks, prefixes and what trails."""
    text = INVISIBLE.sub("", BLANK.sub(" ", TERMINAL.sub("", text)))
    return "\n".join(_bare(line) for line in LINE_END.split(text))


def _bare(line: str) -> str:
    # One tool's line may have passed through several others.
    while (match := PREFIXES.match(line)) and match.end():
        line = line[match.end() :]
    # Code in a line of Markdown ends in a mark of its own.
    return line.rstrip().rstrip("`").rstrip()


def _decoded(content: bytes) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return _strictly(content, encoding)
    # Latin text in UTF-16 without a mark has a zero in every second byte.
    if content[1:200:2].count(0) > len(content[1:200:2]) * 0.9:
        return _strictly(content, "utf-16-le")
    if content[0:200:2].count(0) > len(content[0:200:2]) * 0.9:
        return _strictly(content, "utf-16-be")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _strictly(content, "cp1252")  # a micro sign of an old Windows


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("a binary file, expected text") from None
