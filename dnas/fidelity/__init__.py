"""Does a supernet rank architectures as training them alone does? See docs/fidelity.md."""
