"""The fair comparison of search methods: one space, one latency table, one evaluator, several seeds."""
