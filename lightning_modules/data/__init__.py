"""Image data for search and retraining: disjoint seeded splits, training loaders that resume bit for bit."""

from lightning_modules.data.base import ImageDataModule
from lightning_modules.data.cifar10 import CIFAR10
from lightning_modules.data.digits import Digits
from lightning_modules.data.imagefolder import ImageFolder
from lightning_modules.data.loaders import ResumableLoader
from lightning_modules.data.locate import DataNotFound

__all__ = ["CIFAR10", "DataNotFound", "Digits", "ImageDataModule", "ImageFolder", "ResumableLoader"]
