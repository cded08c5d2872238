"""Where and how precisely a job is computed."""

from dataclasses import dataclass, field

import torch

from app.kinds.work import Spending


@dataclass(frozen=True)
class Compute:
    """A device, the dtype of activations there, and the number of CPU threads.

    ``dtype`` is float32 or bfloat16 (float64 in gradient checks). Losses, Gram matrices and the picture
    itself are float32 or better whatever it is. Sums depend on ``threads`` in their last bits.
    ``picture_bytes`` is the memory that the activations of a picture without tiles may take. ``partners`` are
    further devices that a training uses together with this one; one may be there several times.
    ``spending`` is what a descent may take to begin with, and ``may_round`` whether its activations may
    become bfloat16 where memory runs out.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    threads: int = field(default_factory=torch.get_num_threads)
    picture_bytes: int = 4_000_000_000
    partners: tuple[torch.device, ...] = ()
    spending: Spending = field(default_factory=Spending)
    may_round: bool = False
