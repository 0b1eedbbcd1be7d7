"""Five ways to make a table: assembled, calibrated, adapted, imported, measured."""
