"""One behaviour, one callback, one file."""

from lightning_modules.callbacks.anneal import Anneal, AnnealLearningRates
from lightning_modules.callbacks.clip import ClipGradients
from lightning_modules.callbacks.compile import CompileLayers
from lightning_modules.callbacks.cost import TrainingCost
from lightning_modules.callbacks.figures import SearchFigures
from lightning_modules.callbacks.finite import Diverged, FiniteTraining, OnNaN
from lightning_modules.callbacks.graphs import CudaGraphs
from lightning_modules.callbacks.interrupt import GracefulInterrupt
from lightning_modules.callbacks.memory import PlanMemory
from lightning_modules.callbacks.monitor import EpochHistory, SearchMonitor
from lightning_modules.callbacks.random_state import RandomState
from lightning_modules.callbacks.refine import RefineAfterFit
from lightning_modules.callbacks.warmup import AlphaWarmup

__all__ = [
    "AlphaWarmup",
    "Anneal",
    "AnnealLearningRates",
    "ClipGradients",
    "CompileLayers",
    "CudaGraphs",
    "Diverged",
    "EpochHistory",
    "FiniteTraining",
    "GracefulInterrupt",
    "OnNaN",
    "PlanMemory",
    "RandomState",
    "RefineAfterFit",
    "SearchFigures",
    "SearchMonitor",
    "TrainingCost",
]
