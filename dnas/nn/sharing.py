"""The ways in which the choices of a layer share weights, by name."""

from __future__ import annotations

from dnas.nn.entangled import EntangledBlock
from dnas.nn.independent import IndependentBlock
from dnas.nn.mixed_block import MixedBlock

SHARINGS: dict[str, type[MixedBlock]] = {"independent": IndependentBlock, "entangled": EntangledBlock}
