"""GPUs that compute as the CPU does, in all processes of a service, and that a test may lose.

A folder has a file ``count``: how many there are. Once it also has ``lost-1``, every operation of the process
that had the second one fails, as after an error of a driver, and a new process finds only those before it.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = "IMPASTO_TEST_GPUS"
# Every Python process imports sitecustomize when it starts.
REGISTER = "from tests.support import fake_gpus\n\nfake_gpus.install()\n"


def with_gpus(count: int, folder: Path) -> dict[str, str]:
    """The environment of a service on a machine with so many GPUs, of which ``folder`` knows."""
    (folder / "count").write_text(str(count))
    (folder / "sitecustomize.py").write_text(REGISTER)
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, FOLDER: str(folder)}


def lose(folder: Path, index: int) -> None:
    """Break a GPU."""
    (folder / f"lost-{index}").touch()


def mend(folder: Path, index: int) -> None:
    """Give it back."""
    (folder / f"lost-{index}").unlink()


def install() -> None:
    """Have this process find the GPUs of the folder in its environment."""
    import app.workers.memory

    app.workers.memory.has_accelerator = lambda: True  # type: ignore[assignment]
    # Others do not load torch, and shall not.
    if any("worker.runtime" in argument for argument in sys.orig_argv) or "IMPASTO_WORKER_LANE" in os.environ:
        _install_in_torch(Path(os.environ[FOLDER]))


def _install_in_torch(folder: Path) -> None:
    import torch

    from worker.runtime import device

    def count() -> int:
        indices = range(int((folder / "count").read_text()))
        return next((each for each in indices if (folder / f"lost-{each}").exists()), len(indices))

    torch.cuda.is_available = lambda: count() > 0
    torch.cuda.device_count = count
    choose: Callable[..., torch.device] = device.choose_device

    def choose_device(setting: str, name: str = "IMPASTO_DEVICE") -> torch.device:
        chosen = choose(setting, name)
        if chosen.type != "cuda":
            return chosen
        _breakable(folder / f"lost-{chosen.index or 0}").__enter__()
        return torch.device("cpu")

    device.choose_device = choose_device


def _breakable(lost: Path) -> Any:
    from tests.support.operators import Operators

    class Breakable(Operators):
        """Fails once a file is there."""

        def run(self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
            if lost.exists():
                raise RuntimeError("CUDA error: unspecified launch failure")
            return super().run(func, args, kwargs)

    return Breakable()
