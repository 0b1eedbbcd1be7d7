"""Timing the blocks of a search space on a device, and whole networks to test the table."""
