"""How networks and supernets are computed."""
