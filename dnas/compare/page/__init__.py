"""The report of a comparison as one HTML file: no network, no framework, readable on a phone."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template

from dnas.compare.looks import looks
from dnas.compare.model import Comparison
from dnas.compare.page.sections import sections
from dnas.compare.page.series import colours, symbols
from dnas.report.html.markup import Markup, element, join
from dnas.support.files import write_text

FILE = "report.html"


def write_report(comparison: Comparison, folder: str | Path) -> Path:
    """Write ``report.html`` into ``folder``, which is created; a reader never sees half a page.

    The file needs nothing else: no network, no other file, and its figures are there without a script.

    Raises:
        ValueError: (a subclass of it) the comparison's space is none, or a member does not fit it.
    """
    return write_text(Path(folder) / FILE, page(comparison))


def page(comparison: Comparison) -> str:
    """The whole page as text; the same comparison gives the same page."""
    look = looks(comparison.methods)
    dark = f"@media(prefers-color-scheme:dark){{{colours(look, dark=True)}}}"
    text = Template(_resource("page.html")).substitute(
        title=join(comparison.title),
        style=f"{_resource('report.css')}{colours(look, dark=False)}{dark}",
        symbols=symbols(look),
        content=join(*(_section(*section) for section in sections(comparison))),
        script=_resource("report.js"),
    )
    # A path with bytes that are no UTF-8 must not cost the report.
    return text.encode("utf-8", "replace").decode("utf-8")


def _section(name: str, heading: Markup, body: Markup) -> Markup:
    return element("section", heading, body, id=name)


def _resource(name: str) -> str:
    return resources.files("dnas.compare.page").joinpath(name).read_text(encoding="utf-8")
