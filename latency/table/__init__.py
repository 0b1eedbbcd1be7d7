"""Latency tables: their format and the loader's API."""

from latency.table.errors import TableError
from latency.table.loading import load_table
from latency.table.table import LatencyTable
from latency.table.table_file import shipped_tables

__all__ = ["LatencyTable", "TableError", "load_table", "shipped_tables"]
