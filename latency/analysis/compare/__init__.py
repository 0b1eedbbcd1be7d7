"""How differently devices see one search space."""
