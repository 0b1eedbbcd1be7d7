"""Searching a trained supernet for architectures by evolution or a baseline, resumable at any moment."""
