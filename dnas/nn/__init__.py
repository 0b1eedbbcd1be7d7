"""Networks and supernets."""
