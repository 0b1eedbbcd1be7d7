"""Hardware-aware neural architecture search for mobile GPUs."""

from dnas import costs
from dnas.nn.network import Network
from dnas.nn.supernet import Supernet
from dnas.search.evolution.nsga2 import NSGA2
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture

__version__ = "0.1.0"
__all__ = ["NSGA2", "Architecture", "Network", "SearchSpace", "Supernet", "costs", "zoo"]
