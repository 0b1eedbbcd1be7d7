"""Mean and standard deviation of each data set's channels, for images in [0, 1]."""

from __future__ import annotations

from dnas.runs.normalisation import Normalisation

# Over all pixels of the 1,797 images of sklearn.datasets.load_digits, divided by 16, repeated to three
# channels.
DIGITS = Normalisation(mean=(0.3053,) * 3, std=(0.3760,) * 3)

# Over all pixels of the 50,000 training images; the tests compute them anew.
CIFAR10 = Normalisation(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))

# The customary ImageNet constants, as used by all torchvision classification weights.
IMAGENET = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
