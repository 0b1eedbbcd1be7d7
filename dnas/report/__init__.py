"""Results for humans: figures (matplotlib), tables for the terminal (rich), and the logs they are made of."""
