"""Evaluating in increasing numbers of images, until it is plain that a network is dominated.

A race (Maron and Moore, Hoeffding races, 1994) with a paired test: a network is compared, on the batches that
it has seen, with rivals that are as fast and as large and were evaluated on all of them. Where it is worse
than one beyond doubt, it ends there, and the rival says what the other batches would have come to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from dnas.runs.evaluator import Batch, Evaluation, score

FloatArray = npt.NDArray[np.float64]

# The share of the batches after which a network is judged: it doubles, as in successive halving.
_LOOKS = (1 / 8, 1 / 4, 1 / 2)
# Fewer batches have no spread to speak of.
_LEAST = 5
# Chance that a network no worse than a rival is stopped at one look: batches are drawn without replacement,
# so that it is smaller yet.
_LEVEL = 1e-2
# The columns of scores.
_COLUMNS = {"top1": 0, "loss": 2}
Quality = Literal["top1", "loss"]


class Entrant(NamedTuple):
    """Of an evaluation that took part in races.

    Attributes:
        evaluation: of all batches, or where they were not all looked at an estimate; its images say so.
        scores: (B, 3) top-1, top-5 and loss by batch; NaN where it was not looked at.
    """

    evaluation: Evaluation
    scores: FloatArray


@dataclass(frozen=True)
class Race:
    """How networks are evaluated on batches of a split, (images, labels) in memory.

    Args:
        quality: what rivals are compared by.

    Raises:
        ValueError: too few batches for a network ever to be stopped.
    """

    quality: Quality
    batches: int

    def __post_init__(self) -> None:
        if not self.looks:
            raise ValueError(
                f"a race needs {2 * _LEAST - 1} batches of validation images or more, got {self.batches}"
            )

    @property
    def looks(self) -> list[int]:
        """Batches after which a network is judged."""
        numbers = (math.ceil(share * self.batches) for share in _LOOKS)
        return [number for number in numbers if number >= _LEAST]

    def order(self) -> list[int]:
        """In which batches are seen: always the same one, but none that classes could be sorted in."""
        return np.random.default_rng(0).permutation(self.batches).tolist()

    @torch.no_grad()
    def run(
        self, network: nn.Module, batches: Sequence[Batch], num_classes: int, rivals: Sequence[Entrant]
    ) -> Entrant:
        """Evaluate ``network``, in eval mode, as far as its rivals let it come.

        Args:
            rivals: evaluated on all batches, and no worse in all that is known without an evaluation.
        """
        network.eval()
        order, outputs = self.order(), dict[int, Batch]()
        scores = np.full((self.batches, 3), np.nan)
        for look in [*self.looks, self.batches]:
            for index in order[len(outputs) : look]:
                images, labels = batches[index]
                outputs[index] = network(images), labels
            if look == self.batches:
                break
            scores[order[:look]] = [_scores(*outputs[index]) for index in order[:look]]
            if (winner := self._winner(scores[order[:look]], rivals, order[:look])) is not None:
                sizes = np.array([len(labels) for _, labels in batches], dtype=np.float64)
                return Entrant(_estimate(scores, sizes, winner), scores)
        scores[order] = [_scores(*outputs[index]) for index in order]
        # In the order of the batches, as without a race: the same sums to the last bit.
        everything = (outputs[index] for index in range(self.batches))
        device = batches[0][1].device
        return Entrant(score(everything, num_classes, device), scores)

    def _winner(self, seen: FloatArray, rivals: Sequence[Entrant], order: Sequence[int]) -> Entrant | None:
        """The rival that beats a network on (n, 3) seen scores most clearly; None if none does clearly."""
        if not rivals:
            return None
        column = _COLUMNS[self.quality]
        sign = 1.0 if self.quality == "loss" else -1.0
        theirs = np.stack([rival.scores[order, column] for rival in rivals])
        worse = sign * (seen[:, column] - theirs)
        mean, deviation = worse.mean(axis=1), worse.std(axis=1, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.where(mean > 0, mean / (deviation / math.sqrt(len(order))), 0.0)
        best = int(np.argmax(statistic))
        return rivals[best] if statistic[best] > stats.t.ppf(1 - _LEVEL, len(order) - 1) else None


def _scores(logits: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """Top-1, top-5 (of fewer classes: top-all) and cross-entropy of one batch."""
    hits = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    top1, top5 = hits[:, 0].float().mean(), hits.any(dim=1).float().mean()
    return top1.item(), top5.item(), F.cross_entropy(logits, labels).item()


def _estimate(scores: FloatArray, sizes: FloatArray, rival: Entrant) -> Evaluation:
    """What the rival came to, and the difference on the batches that both have seen."""
    seen = ~np.isnan(scores[:, 0])
    difference = np.average((scores - rival.scores)[seen], axis=0, weights=sizes[seen])
    top1, top5, loss = (np.array(rival.evaluation[:3]) + difference).tolist()
    return Evaluation(max(0.0, top1), max(0.0, top5), loss, int(sizes[seen].sum()))
