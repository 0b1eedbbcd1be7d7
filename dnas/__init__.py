"""Hardware-aware neural architecture search for mobile GPUs.

A public name is imported when it is first asked for, so that what needs no network never waits for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dnas import costs, zoo
    from dnas.nn.network import Network
    from dnas.nn.supernet import Supernet
    from dnas.search.evolution.nsga2 import NSGA2
    from dnas.space import SearchSpace
    from dnas.space.architecture import Architecture

__version__ = "0.1.0"
__all__ = ["NSGA2", "Architecture", "Network", "SearchSpace", "Supernet", "costs", "zoo"]

_CLASSES = {
    "NSGA2": "dnas.search.evolution.nsga2",
    "Architecture": "dnas.space.architecture",
    "Network": "dnas.nn.network",
    "SearchSpace": "dnas.space",
    "Supernet": "dnas.nn.supernet",
}
_MODULES = {
    "costs": "dnas.costs",
    "zoo": "dnas.zoo",
    # Packages that ``import dnas`` brings along, as ``dnas.nn``.
    **{name: f"dnas.{name}" for name in ("blocks", "layers", "nn", "search", "space", "support")},
}

# Out of a type checker's sight: it would take any name for one of ours.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name (PEP 562)."""
        if name in _MODULES:
            value = import_module(_MODULES[name])
        elif name in _CLASSES:
            value = getattr(import_module(_CLASSES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value  # found at once the next time
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
