"""Faster ways to compute the same, by hand-written forward and backward passes (docs/performance.md)."""
