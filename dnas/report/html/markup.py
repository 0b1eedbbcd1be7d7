"""HTML and SVG as text. Every text is escaped where it enters, so that no name can become markup."""

from __future__ import annotations

import json
from html import escape
from typing import Any

# Elements that never have content; in SVG they close themselves.
LEAVES = frozenset({"circle", "line", "path", "rect", "use"})


class Markup(str):
    """Text that is markup already; any other ``str`` is escaped."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: object) -> Markup:
    """``<name attributes>children</name>``.

    Args:
        children: :class:`Markup`, or plain text, which is escaped.
        attributes: ``class_`` gives class, ``data_m`` gives data-m; numbers are written short, True is an
            attribute without a value, None and False leave it out.
    """
    head = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in LEAVES and not children:
        return Markup(f"<{head}/>")
    return Markup(f"<{head}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """The children one after the other; plain text among them is escaped."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c, quote=False) for c in children))


def number(value: float, decimals: int = 1) -> str:
    """At most that many decimals; a tenth of a pixel is all that can be seen."""
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def percent(share: float) -> str:
    """``share`` in per cent, fine enough for the place of a marker in the widest chart."""
    return f"{number(100 * share, 2)}%"


def data(content: Any, **attributes: object) -> Markup:
    """``content`` as JSON for the page's script; no text in it can end the script element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return element("script", Markup(text.replace("<", "\\u003c")), type="application/json", **attributes)


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = number(value) if isinstance(value, (int, float)) else str(value)
    return f' {name}="{escape(text)}"'
