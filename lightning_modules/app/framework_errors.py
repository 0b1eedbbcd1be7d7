"""Errors of the frameworks that a user causes: what they say, without their traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.distributed import DistNetworkError
from torch.multiprocessing.spawn import ProcessExitedException

from lightning_modules.app.run_folder import folder_of_first_process
from lightning_modules.callbacks.lost import gone


@contextmanager
def in_our_words() -> Iterator[None]:
    """Turn a setting that cannot be used, or a port that is taken, into an error of the user's.

    Raises:
        ValueError: instead of the framework's own kind.
    """
    try:
        yield
    except ValueError as error:
        if not str(error).startswith("Expected more than 1 value per channel"):
            raise
        raise ValueError(
            "A batch norm has a single value per channel, no deviation: one image, whose map is down to 1 x "
            "1 pixels. Give at least two images a batch (data.batch_size; data.eval_batch_size, with which "
            "statistics are recalibrated), larger images (data.resolution), or model.stem_stride 1."
        ) from error
    except MisconfigurationException as error:
        raise ValueError(" ".join(str(error).split())) from error
    except DistNetworkError as error:
        reason = " ".join(str(error).split()).partition(" Exception raised from")[0]
        raise ValueError(
            f"The processes cannot meet ({reason}). If the port is taken, set MASTER_PORT to a free one; "
            "another run may use it."
        ) from error
    except ProcessExitedException as error:
        # Of a strategy that spawns: torch has ended the others.
        folder = folder_of_first_process(".")
        why = error.signal_name or f"status {error.exit_code}"
        raise ValueError(gone(error.error_index, None, why, folder)) from error
    except ModuleNotFoundError as error:
        # Lightning says which package, and names no module.
        install = f"pip install {error.name}" if error.name else "install it"
        raise ValueError(f"{str(error).rstrip('.')}, which an option asks for: {install}") from error
