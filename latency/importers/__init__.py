"""Readers of latencies that people have already: one small module per format, one interface.

A reader turns the text of a file into readings (:mod:`latency.importers.reading`);
:mod:`~latency.importers.keys` and :mod:`~latency.importers.resolve` find the blocks of a search space that
they speak of, :mod:`~latency.importers.build` makes the table. Described for users in
docs/latency_import.md.
"""
