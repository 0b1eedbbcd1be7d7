"""Tables from a model of three coefficients, fitted to the published latencies of whole networks."""
