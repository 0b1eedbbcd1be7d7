"""What a layer can be: one file per block type, the contract in :mod:`dnas.blocks.base`."""
