"""What a survey says: problems, which break or spoil a training, and notes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dnas.data.survey import PARTS, Found, Survey
from dnas.images.decoding import shown

# Largest class over smallest, from which on a note says so.
IMBALANCE = 10


@dataclass(frozen=True)
class Finding:
    """One thing to say.

    Attributes:
        text: the sentence.
        names: what it is about, a line each: files, groups of equal files, classes.
        is_problem: it breaks or spoils a training.
        name_all: also on the terminal, where others are cut short.
    """

    text: str
    names: tuple[str, ...] = ()
    is_problem: bool = True
    name_all: bool = False


def findings(survey: Survey) -> list[Finding]:
    """All, problems first."""
    found = [*_missing(survey), *_damaged(survey), *_duplicates(survey), *_empty_looking(survey)]
    found += [*_imbalance(survey), *_remarks(survey)]
    return sorted(found, key=lambda finding: not finding.is_problem)


def counts(survey: Survey) -> dict[str, dict[str, int]]:
    """Part -> class -> number of its files, damaged ones included."""
    counted = Counter((image.part, image.label) for image in survey.images)
    return {part: {name: counted[part, name] for name in names} for part, names in survey.classes.items()}


def _missing(survey: Survey) -> Iterable[Finding]:
    parts = survey.classes
    if "" not in parts:
        for part in PARTS:
            if part not in parts:
                yield Finding(f"There is no folder {part}: 'dnas fit' needs train and val.")
    if len(names := {name for part in parts.values() for name in part}) == 1:
        yield Finding("There is one class, where a classifier needs two, in a folder each:", _shown(names))
    for part, numbers in counts(survey).items():
        if empty := [name for name, number in numbers.items() if not number]:
            yield Finding(f"{len(empty)} class(es) have no image{_within(part)}:", _shown(empty))
    if set(PARTS) <= set(parts):
        for part, other in (PARTS, PARTS[::-1]):
            if alone := sorted(set(parts[part]) - set(parts[other])):
                yield Finding(f"{len(alone)} class(es) are in {part} and not in {other}:", _shown(alone))


def _damaged(survey: Survey) -> Iterable[Finding]:
    damaged = [image for image in survey.images if image.fault]
    if damaged:
        named = tuple(f"{shown(image.path)} ({image.fault})" for image in damaged)
        yield Finding(f"{len(damaged)} image file(s) cannot be decoded:", named, name_all=True)


def _duplicates(survey: Survey) -> Iterable[Finding]:
    groups: dict[str, list[Found]] = defaultdict(list)
    for image in survey.images:
        if image.digest and not image.fault:
            groups[image.digest].append(image)
    equal = [group for group in groups.values() if len(group) > 1]
    labels, in_one = _parted(equal, lambda image: image.label)
    splits, within = _parted(in_one, lambda image: image.part)
    if labels:
        yield Finding(f"{len(labels)} image(s) have more than one class, in equal files:", _groups(labels))
    if splits:
        yield Finding(f"{len(splits)} image(s) are in train and in val, in equal files:", _groups(splits))
    if within:
        yield Finding(
            f"{len(within)} image(s) are there more than once in their class, in equal files; a validation"
            " split cut from train may share them:",
            _groups(within),
            is_problem=False,
        )


def _parted(
    groups: Iterable[list[Found]], key: Callable[[Found], str]
) -> tuple[list[list[Found]], list[list[Found]]]:
    """Groups of more than one key, and the others."""
    several: list[list[Found]] = []
    others: list[list[Found]] = []
    for group in groups:
        (several if len({key(image) for image in group}) > 1 else others).append(group)
    return several, others


def _empty_looking(survey: Survey) -> Iterable[Finding]:
    whole = [image for image in survey.images if not image.fault]
    for what, is_so in (
        ("of one colour all over", lambda image: image.blank),
        ("nearly black, with values below a sixteenth of the range of their bits", lambda image: image.dark),
    ):
        if alike := [image for image in whole if is_so(image)]:
            yield from _alike(whole, alike, what, is_so)


def _alike(
    whole: Sequence[Found], alike: Sequence[Found], what: str, is_so: Callable[[Found], bool]
) -> Iterable[Finding]:
    others = {(image.part, image.label) for image in whole if not is_so(image)}
    classes = sorted({"/".join(filter(None, key)) for key in {(i.part, i.label) for i in alike} - others})
    if classes:
        yield Finding(f"All images of {len(classes)} class(es) are {what}:", _shown(classes))
    yield Finding(
        f"{len(alike)} image(s) are {what}:", _shown(image.path for image in alike), is_problem=False
    )


def _imbalance(survey: Survey) -> Iterable[Finding]:
    for part, numbers in counts(survey).items():
        filled = {name: number for name, number in numbers.items() if number}
        if not filled:
            continue
        least, most = min(filled, key=filled.__getitem__), max(filled, key=filled.__getitem__)
        if filled[most] >= IMBALANCE * filled[least]:
            yield Finding(
                f"Classes are of very different size{_within(part)}: {shown(least)} has {filled[least]:,}"
                f" images, {shown(most)} {filled[most]:,}.",
                is_problem=False,
            )


def _remarks(survey: Survey) -> Iterable[Finding]:
    headers = [image.header for image in survey.images if image.header and not image.fault]
    turned = sum(header.orientation > 1 for header in headers)
    several = sum(header.several_frames for header in headers)
    if turned:
        yield Finding(f"{turned} image(s) are turned as their orientation tag says.", is_problem=False)
    if several:
        yield Finding(
            f"{several} image(s) have several frames, of which the first is used.", is_problem=False
        )
    if sentence := survey.left_out.sentence():
        yield Finding(f"Left out: {sentence}.", is_problem=False)


def _within(part: str) -> str:
    return f" in {part}" if part else ""


def _shown(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(shown, names))


def _groups(groups: Iterable[Sequence[Found]]) -> tuple[str, ...]:
    return tuple(" = ".join(shown(image.path) for image in group) for group in groups)
