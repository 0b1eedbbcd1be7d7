"""Four ways to make a table: assembled, calibrated, imported, measured."""
