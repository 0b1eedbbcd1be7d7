"""Latency tables: their format and the loader's API."""

from latency.table.errors import TableError
from latency.table.table import LatencyTable, load_table, shipped_tables

__all__ = ["LatencyTable", "TableError", "load_table", "shipped_tables"]
