"""What results of several kinds have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    """A part of a result."""

    model_config = ConfigDict(frozen=True)


class UsedNetwork(Row):
    """A network that a result was computed with."""

    name: str = Field(description="As it was called then.")
    sha256: str | None = Field(description="Hash of its weights, in hex; null: it was used without weights.")


class Float32Modes(Row):
    """How a CUDA device multiplied float32 numbers: `ieee`, `tf32` or `bf16`."""

    matmul: str = Field(description="In products of matrices.")
    convolution: str = Field(description="In convolutions.")


class Recipe(Row):
    """What is needed to make the same result again, bit for bit."""

    kind: str = Field(description="The kind of job.")
    params: dict[str, Any] = Field(description="As resolved: nothing is left to a preset.")
    inputs: dict[str, list[str]] = Field(description="SHA-256 of pictures and sets, in hex, by param.")
    network: UsedNetwork | None = Field(description="Null: none was needed.")
    further_networks: list[UsedNetwork] = Field(description="Those beside it.")
    seed: int | None = Field(description="Null: nothing is left to chance.")
    device: str = Field(description="`cpu`, `cuda:0`; several, with commas, of a training.")
    processor: str = Field(description="The name of the GPU, or the instruction set used of the CPU.")
    dtype: str = Field(description="Of activations: `float32` or `bfloat16`.")
    threads: int = Field(description="Threads of the CPU.")
    stack_size: int = Field(description="Jobs that were computed together, this one included.")
    float32: Float32Modes | None = Field(description="Null: the device is no CUDA device.")
    impasto: str = Field(description="Version of the service.")
    torch: str = Field(description="Version of PyTorch.")
    pillow: str = Field(description="Version of Pillow.")


class Result(Row):
    """What the result of every kind has."""

    compute_seconds: float = Field(description="Seconds that it was computed for.")
    recipe: Recipe


class Size(Row):
    """The size of a picture."""

    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")


class ClassRow(Row):
    """A class, and how likely it is."""

    class_: str = Field(alias="class", description="Its name.")
    index: int = Field(description="Its place among the network's classes, from 0.")
    probability: float = Field(description="0 to 1.")


class ClassScoresRow(Row):
    """How well a class is told from others. A share whose denominator is 0 is null."""

    class_: str = Field(alias="class", description="Its name.")
    precision: float | None = Field(description="Share of what is taken for it that is it, 0 to 1.")
    recall: float | None = Field(description="Share of its pictures that are taken for it, 0 to 1.")
    f1: float | None = Field(description="Harmonic mean of precision and recall, 0 to 1.")
    support: int = Field(description="Pictures that are of it.")
    predicted: int = Field(description="Pictures that are taken for it.")


class DamagedPicture(Row):
    """A picture that could not be decoded."""

    name: str
    error: str = Field(description="Why.")


class DamagedPictures(Row):
    """The pictures of a set that could not be decoded, and were left out."""

    count: int
    pictures: list[DamagedPicture] = Field(description="The first 20.")
