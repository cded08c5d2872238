"""The parts of a set: what is trained on, what choices are made by, and what is only tested."""

from typing import Literal

Part = Literal["train", "validation", "test"]
