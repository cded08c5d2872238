"""The card of a network."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.networks.training_record import TrainingRecord

# Above every number of a network; what is larger would be printed and computed with at length.
MOST = 1 << 31
Argument = Annotated[int, Field(gt=-MOST, lt=MOST)]


# Sides in pixels of the squares that networks are shown.
SMALLEST_SHOWN, LARGEST_SHOWN = 8, 2048

# Temperatures of scores: divided by less, they are no longer finite in float32.
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.001, 1000

# Side in pixels of the picture of a network that takes any: what ImageNet's networks classify.
USUAL_SIDE = 224


class LayerCard(BaseModel):
    """One named layer of a network."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Name of the layer, such as relu4_1.")
    kind: Literal[
        "conv",
        "relu",
        "pool",
        "fc",
        "logits",
        "dropout",
        "fire",
        "residual",
        "inception",
        "activation",
        "norm",
        "luminance",
        "sparse_conv",
    ]
    channels: int = Field(ge=1, lt=MOST, description="Feature maps (or units, for a fully connected layer).")
    stride: int = Field(ge=0, lt=MOST, description="Pixels of the picture between neighbouring positions.")
    receptive_field: int = Field(
        ge=0,
        lt=MOST,
        description="Side of the square of input pixels that one position can see; 0: all of them.",
    )


Positive = Annotated[float, Field(gt=0)]


class Download(BaseModel):
    """Where the weights of a network are published."""

    model_config = ConfigDict(frozen=True)

    file: str = Field(description="Name of the file, on any mirror.")
    bytes: int = Field(description="About how large it is.")
    sha256_prefix: str = Field(description="What its SHA-256 begins with, as published.")


# What of a card a network's results depend on, beside its weights.
OF_RESULTS = (
    "architecture",
    "architecture_params",
    "layers",
    "classes",
    "input_size",
    "temperature",
    "energy_threshold",
    "mean",
    "std",
)


class NetworkCard(BaseModel):
    """What is known of a network without loading it."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    title: str
    summary: str = Field(description="One sentence for a person who chooses a network.")
    architecture: str = Field(description="Name of the builder of its layers, such as vgg.")
    architecture_params: dict[str, bool | Argument | float | str | None] = Field(
        description="Arguments of the builder."
    )
    layers: list[LayerCard] = Field(min_length=1)
    classes: list[str] = Field(description="Names of the classes, by index; empty: cannot classify.")
    input_size: int | None = Field(
        ge=1, lt=MOST, description="Side of the square it classifies; None: any size."
    )
    temperature: Positive | None = Field(
        None, description="Divides the logits before their softmax; None: nobody has measured it."
    )
    energy_threshold: float | None = Field(
        None,
        description="Energy, -T log sum exp(logits / T), above which a picture has none of the classes; "
        "None: nobody has measured it.",
    )
    mean: tuple[float, float, float] = Field(description="Subtracted from RGB in [0, 1].")
    std: tuple[Positive, Positive, Positive] = Field(description="Divides after the mean is subtracted.")
    parameters: int = Field(
        ge=0, lt=MOST**2, description="Number of parameters of the convolutions and beyond."
    )
    trained_parameters: int | None = Field(
        None,
        ge=0,
        lt=MOST**2,
        description="Number of parameters as published, with batch norms that are part of the convolutions "
        "here; None: the same.",
    )
    multiply_adds: int | None = Field(
        None,
        ge=0,
        lt=MOST**2,
        description="Multiplications, each with an addition, for a picture of `input_size`, or 224 px.",
    )
    source: str = Field(description="Where the weights come from, and their licence.")
    sha256: str | None = Field(description="Hash of the weights; None: they are not here.")
    download: Download | None = Field(None, description="None: there is nothing to download.")
    training: TrainingRecord | None = Field(None, description="How it was trained, if that was here.")

    def computes_as(self, other: "NetworkCard") -> bool:
        """Whether another network gives the same of the same weights."""
        return all(getattr(self, name) == getattr(other, name) for name in OF_RESULTS)

    def layer(self, name: str) -> LayerCard:
        """The layer of that name; KeyError if there is none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    @property
    def counted_side(self) -> int:
        """Side in pixels of the picture that the multiply-adds are counted for."""
        return self.input_size or USUAL_SIDE

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers from the picture to the output."""
        return [layer.name for layer in self.layers]
