"""What training left behind, and what can be asked of it: checkpoints, weights, one-shot accuracy."""
