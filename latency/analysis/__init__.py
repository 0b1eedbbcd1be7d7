"""What tables say: of one device (profile), and of several (compare)."""
