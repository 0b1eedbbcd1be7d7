"""From a search checkpoint to architectures: the most probable ones, within bounds, or drawn."""
