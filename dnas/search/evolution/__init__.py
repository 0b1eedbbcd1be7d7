"""Evolution and its baselines: ask-and-tell searches over genomes of categories."""
