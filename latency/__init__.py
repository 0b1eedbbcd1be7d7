"""Latency tables of mobile GPUs: format, loader and predictions."""

from latency.table import LatencyTable, TableError, load_table, shipped_tables

__all__ = ["LatencyTable", "TableError", "load_table", "shipped_tables"]
