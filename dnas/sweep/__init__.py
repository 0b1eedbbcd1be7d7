"""A search for every width, resolution and latency target, joined in one front and one report."""
