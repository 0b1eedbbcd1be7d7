"""A mistake on the command line or in a config, out of jsonargparse's wrapping."""

from __future__ import annotations

import pytest
from jsonargparse import ArgumentParser

from lightning_modules.app.lightning_command import said_by_constructor, without_wrapping


class Engine:
    def __init__(self, power: int = 1) -> None:
        if power < 1:
            raise ValueError(f"power must be at least 1, got {power}")


class Car:
    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine


def parser() -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--car", type=Car | None)
    return parser


def test_what_a_nested_constructor_said_is_found() -> None:
    config = parser().parse_args(
        [f"--car={__name__}.Car", f"--car.engine={__name__}.Engine", "--car.engine.power=0"]
    )
    with pytest.raises(ValueError) as caught:
        parser().instantiate_classes(config)
    assert "Union" in str(caught.value)
    assert str(said_by_constructor(caught.value)) == "power must be at least 1, got 0"


def test_errors_of_ours_keep_their_own_message_whatever_caused_them() -> None:
    with pytest.raises(ValueError, match="damaged") as caught:
        read_number("x")
    assert said_by_constructor(caught.value) is caught.value


def read_number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError("the file is damaged") from error


def test_only_place_and_mistake_are_left() -> None:
    message = (
        'Parser key "model":\n  Does not validate against any of the Union subtypes\n  Subtypes: [int]\n'
        "  Errors:\n    - Option 'nosuch' is not accepted\n    - Expected a <class 'NoneType'>\n"
        "  Given value type: <class 'NestedArg'>\n  Given value: NestedArg(key='nosuch', val='3')"
    )
    assert without_wrapping(message) == "Parser key \"model\":\n  Option 'nosuch' is not accepted"


@pytest.mark.parametrize("message", ["unrecognized arguments: --nosuch 4", "Given value: x"])
def test_plain_messages_stay(message: str) -> None:
    assert without_wrapping(message) == message
