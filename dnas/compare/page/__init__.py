"""The report of a comparison as one HTML file: no network, no framework, readable on a phone."""

from __future__ import annotations

from dnas.compare.page.page import write_report

__all__ = ["write_report"]
