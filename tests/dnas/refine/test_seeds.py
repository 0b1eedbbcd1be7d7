"""Where a refinement may begin, and what is refused as a beginning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dnas.refine.seeds import read_seeds
from dnas.runs.checkpoint_file import read
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture


def architecture_file(folder: Path, space: SearchSpace, *indices: int) -> str:
    return str(Architecture(space, indices).save(folder / f"{'_'.join(map(str, indices))}.json"))


def front_file(folder: Path, space: SearchSpace, *members: tuple[int, ...], **changes: object) -> str:
    names = [{"choices": list(Architecture(space, member).names)} for member in members]
    content = {"format": "dnas-front/1", "space_sha256": space.digest, "members": names}
    path = folder / "front.json"
    path.write_text(json.dumps(content | changes), encoding="utf-8")
    return str(path)


def test_nothing_to_begin_with(tiny_space: SearchSpace) -> None:
    seeds = read_seeds([], tiny_space, samples=5, seed=0)
    assert seeds.genomes.shape == (0, 3) and seeds.prior is None


def test_files_and_fronts_in_their_order(tiny_space: SearchSpace, tmp_path: Path) -> None:
    sources = [
        architecture_file(tmp_path, tiny_space, 3, 2, 1),
        front_file(tmp_path, tiny_space, (0, 0, 0), (1, 2, 3)),
    ]
    seeds = read_seeds(sources, tiny_space, samples=5, seed=0)
    assert seeds.genomes.tolist() == [[3, 2, 1], [0, 0, 0], [1, 2, 3]] and seeds.prior is None


def test_a_search_gives_its_best_its_samples_and_its_prior(
    search_checkpoint: Path, tiny_space: SearchSpace
) -> None:
    alpha, valid = read(search_checkpoint).alpha, torch.from_numpy(tiny_space.valid)
    seeds = read_seeds([str(search_checkpoint)], tiny_space, samples=7, seed=3)
    assert len(seeds.genomes) == 8
    assert seeds.genomes[0].tolist() == alpha.masked_fill(~valid, -np.inf).argmax(1).tolist()
    assert len({tuple(row) for row in seeds.genomes[1:].tolist()}) == 7
    assert seeds.prior is not None
    np.testing.assert_allclose(seeds.prior, probabilities(alpha, valid), rtol=1e-6)
    again, other = (read_seeds([str(search_checkpoint)], tiny_space, 7, seed).genomes for seed in (3, 4))
    assert np.array_equal(seeds.genomes, again) and not np.array_equal(seeds.genomes, other)


def test_a_name_of_the_zoo() -> None:
    space = SearchSpace.load("moga")
    assert read_seeds(["moga_a"], space, 0, 0).genomes.shape == (1, 14)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda folder, space: "moga_a", "moga_a is of the space moga, the supernet of tiny"),
        (lambda folder, space: "nobody", "nobody"),
        (lambda folder, space: str(folder / "none.json"), "cannot be read"),
        (lambda folder, space: str(folder / "none.ckpt"), "No checkpoint"),
        (lambda folder, space: front_file(folder, space), "without members"),
        (lambda folder, space: front_file(folder, space, (0, 0, 0), space_sha256="0"), "another space"),
        (lambda folder, space: front_file(folder, space, (0, 0, 0), format="x"), "expected 'format'"),
        (
            lambda folder, space: architecture_file(folder, space.adapt(num_classes=11), 0, 0, 0),
            "tiny.*in another version",
        ),
    ],
)
def test_what_cannot_be_a_beginning(
    write: object, told: str, tiny_space: SearchSpace, tmp_path: Path
) -> None:
    assert callable(write)
    with pytest.raises(ValueError, match=told):
        read_seeds([write(tmp_path, tiny_space)], tiny_space, samples=1, seed=0)
