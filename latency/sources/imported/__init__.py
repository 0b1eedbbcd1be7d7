"""Readers of latencies that people have already: one small module per format, one interface.

A reader turns the text of a file into readings (:mod:`latency.sources.imported.reading`);
:mod:`~latency.sources.imported.keys` and :mod:`~latency.sources.imported.resolve` find the blocks of a search
space that they speak of, :mod:`~latency.sources.imported.imported_table` makes the table. Described for
users in docs/latency_import.md.
"""
