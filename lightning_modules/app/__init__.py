"""The ``dnas`` command: Lightning's subcommands, the demo, configs and run folders."""
