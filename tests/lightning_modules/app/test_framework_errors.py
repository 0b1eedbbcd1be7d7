"""What a user may ask of the frameworks and cannot have ends in one sentence."""

from __future__ import annotations

import socket

import pytest
import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessRaisedException

from lightning_modules.app.cli import main
from lightning_modules.app.framework_errors import in_our_words


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to have")
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--trainer.accelerator=cuda", "CUDAAccelerator` can not run on your system"),
        ("--trainer.accelerator=gpu", "No supported gpu backend found"),
        ("--trainer.strategy=dpp", "dpp"),
        ("--trainer.precision=8-true", "8-true"),
        ("--trainer.logger=WandbLogger", "wandb"),
        ("--trainer.devices=-1", "trainer.devices cannot be used: "),
        ("--trainer.devices=[0,1]", "trainer.devices cannot be used: "),
        ("--trainer.strategy=ddp_spawn", "cannot take trainer.strategy ddp: use ddp_find_unused"),
    ],
)
def test_what_is_not_there(
    option: str, message: str, tiny_flags: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        main([*tiny_flags, option])
    said = str(caught.value)
    assert said.startswith("dnas fit: ") and message in said


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("ValueError: no such\n  thing", "no such thing"),
        ("dnas.images.decoding.ImageFault: a.jpg cannot be decoded", "a.jpg cannot be decoded"),
        ("KeyError: 'a'", None),
        ("nowhere.Fault: ValueError: no", None),
    ],
)
def test_what_a_spawned_process_raised(raised: str, said: str | None) -> None:
    places = '  File "a.py", line 1, in f\n    g()\n    ^^^\n  File "b.py", line 2, in g\n    raise\n'
    error = ProcessRaisedException(f"\n\n-- Process 1:\nTraceback:\n{places}{raised}\n", 1, 2)
    expected = ProcessRaisedException if said is None else ValueError
    with pytest.raises(expected) as caught, in_our_words():
        raise error
    assert said is None or str(caught.value) == said


def test_a_package_that_is_missing_is_named() -> None:
    """Lightning's own message is one of the package alone; Python's has a name."""
    wanted = r"^Needs psutil, which an option asks for: install it$"
    with pytest.raises(ValueError, match=wanted), in_our_words():
        raise ModuleNotFoundError("Needs psutil.")
    with pytest.raises(ValueError, match=r"asks for: pip install nosuch$"), in_our_words():
        import nosuch  # noqa: F401


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader worker (pid 7) is killed by signal: Bus error. ",
        "DataLoader worker (pid(s) 7, 8) exited unexpectedly",
        "received 0 items of ancdata",
        "unable to allocate shared memory(shm) for file </torch_7>: No space left on device (28)",
    ],
)
def test_a_loading_process_that_is_gone(said: str) -> None:
    with (
        pytest.raises(ValueError, match=r"loads images has ended .*shm-size.*data\.num_workers"),
        in_our_words(),
    ):
        raise RuntimeError(said)


def test_errors_of_programs_stay() -> None:
    for error in (RuntimeError("no such thing"), TypeError("f() takes 1 argument")):
        with pytest.raises(type(error)) as caught, in_our_words():
            raise error
        assert caught.value is error


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match="set MASTER_PORT to a free one"), in_our_words():
            distributed.init_process_group(
                "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1
            )
