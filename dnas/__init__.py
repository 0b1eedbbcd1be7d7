"""Hardware-aware neural architecture search for mobile GPUs."""

from dnas import costs, zoo
from dnas.architecture import Architecture
from dnas.space import SearchSpace

__version__ = "0.1.0"
__all__ = ["Architecture", "SearchSpace", "costs", "zoo"]
