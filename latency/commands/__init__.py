"""Subcommands of ``python -m latency``: files with ``add_arguments(parser)``, ``run(arguments, console)``."""
