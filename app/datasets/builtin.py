"""The sets that are made here without an upload: where their pictures come from, and how many there are."""

from pathlib import Path
from typing import Annotated, get_args

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Engine

from app.datasets import cifar10, repository
from app.datasets.dataset import BuiltIn, Dataset
from app.datasets.errors import DatasetNameTaken, InvalidDataset
from app.networks.catalogue import get_card

BUILT_IN: tuple[BuiltIn, ...] = get_args(BuiltIn)

# Of each class; 1,024 pictures of palette's 64 classes are drawn in seconds.
DEFAULT_COUNT = 16
DEFAULT_SIZE = 64


class DigitsOptions(BaseModel):
    """Handwritten digits of 8×8 pixels from the UCI repository, as scikit-learn has them: 1797 pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Cifar10Options(BaseModel):
    """60,000 photographs of 32×32 pixels in ten classes, of files that lie in the data folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PaletteOptions(BaseModel):
    """The pictures that palette was trained on, drawn from seeds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: list[str] | None = Field(None, min_length=1, max_length=64, description="Empty: all 64.")
    count: Annotated[int, Field(ge=1, le=50_000, description="Pictures of each class.")] = DEFAULT_COUNT
    seed: Annotated[int, Field(ge=0, lt=2**62, description="Seed of the first picture of each class.")] = 0
    size: Annotated[int, Field(ge=8, le=512, description="Side in pixels.")] = DEFAULT_SIZE

    @property
    def class_names(self) -> list[str]:
        """The names of its classes, in the order of its members."""
        return list(get_card("palette").classes) if self.classes is None else self.classes


Options = DigitsOptions | PaletteOptions | Cifar10Options
_OPTIONS: dict[str, type[DigitsOptions] | type[PaletteOptions] | type[Cifar10Options]] = {
    "digits": DigitsOptions,
    "palette": PaletteOptions,
    "cifar10": Cifar10Options,
}


def parse_options(source: str, options: dict[str, object]) -> Options:
    """The options of a built-in set, checked. Raises pydantic's ValidationError; InvalidDataset."""
    parsed = _OPTIONS[source].model_validate(options)
    if isinstance(parsed, PaletteOptions):
        known = get_card("palette").classes
        unknown = [name for name in parsed.class_names if name not in known]
        if unknown:
            raise InvalidDataset("classes", f"palette draws no {unknown[0][:80]!r}, but {', '.join(known)}.")
        if len(set(parsed.class_names)) < len(parsed.class_names):
            raise InvalidDataset("classes", "A class is named twice: name each once.")
    return parsed


def options_of(dataset: Dataset) -> Options:
    """The options of a built-in set that is kept."""
    return _OPTIONS[dataset.source].model_validate(dataset.options)


def built_in(name: str) -> BuiltIn | None:
    """The built-in source of that name; None if there is none."""
    return next((source for source in BUILT_IN if source == name), None)


def require_count(options: Options, most: int) -> None:
    """Check that a set of some options has at most ``most`` members. Raises InvalidDataset.

    Sets that are always the same are as large as they are.
    """
    if isinstance(options, PaletteOptions) and len(options.class_names) * options.count > most:
        classes = len(options.class_names)
        raise InvalidDataset(
            "count",
            f"{options.count:,} pictures of {classes} classes are {classes * options.count:,}, and a set "
            f"may have {most:,}: choose at most {most // classes:,}.",
        )


def problem_of(source: BuiltIn, data_dir: Path) -> str | None:
    """Why a built-in set cannot be made here, and the remedy; None if it can."""
    return cifar10.problem_of(data_dir) if source == "cifar10" else None


def find_or_begin(engine: Engine, source: BuiltIn) -> Dataset:
    """The built-in set with default options, which is open until a worker has made it."""
    found = repository.find_dataset(engine, source)
    if found is not None:
        return found
    try:
        return repository.add_dataset(
            engine, source, source, parse_options(source, {}).model_dump(exclude_defaults=True)
        )
    except DatasetNameTaken:  # by another request, at this moment
        return repository.get_dataset(engine, source)
