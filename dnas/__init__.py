"""Hardware-aware neural architecture search for mobile GPUs."""

from dnas import costs, zoo
from dnas.architecture import Architecture
from dnas.nn.network import Network
from dnas.nn.supernet import Supernet
from dnas.search.nsga2 import NSGA2
from dnas.space import SearchSpace

__version__ = "0.1.0"
__all__ = ["NSGA2", "Architecture", "Network", "SearchSpace", "Supernet", "costs", "zoo"]
