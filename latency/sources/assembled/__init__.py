"""Tables assembled from measured kernels: exact where a kernel was measured, else from a kernel model."""
