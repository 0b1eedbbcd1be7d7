"""The modules that blocks, stems and heads are made of; they know tensors, and no search space."""
