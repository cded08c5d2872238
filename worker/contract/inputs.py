"""What a job is computed from: pictures, alphas, clips, states and sets, by param, loaded when asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from app.datasets.service import DatasetService
from app.datasets.split import Part
from app.errors import InputError
from app.networks.card import NetworkCard
from app.settings import WeightsFolder
from models.network import Network
from worker.contract.steps import StepState
from worker.media.clips import Clip
from worker.media.pictures import Picture

Loaded = Picture | Clip | StepState
"""What a file that a param names may hold."""


@dataclass(frozen=True)
class Source:
    """One file that a param names: its SHA-256, and how its content is decoded.

    ``load`` raises InputError that names the param if the file is gone or cannot be decoded. ``name`` is that
    of the file, where it has one.
    """

    sha256: str
    load: Callable[[], Loaded]
    name: str = ""


@dataclass(frozen=True)
class Member:
    """A picture of a set, with its label (None: it has none) and the name of its file.

    ``part`` is its place in the split of the set (None: it has no label). ``image_id`` is that of the stored
    picture (None: there is no service).
    """

    source: Source
    label: str | None
    name: str
    part: Part | None = None
    image_id: str | None = None


class Inputs:
    """The inputs of one job by param. Nothing is decoded before it is asked for, and each file once.

    (Once more after :meth:`forget`.)

    Pictures are float32 RGB (1, 3, H, W) with sRGB values in [0, 1], alphas (1, 1, H, W) in [0, 1].
    """

    def __init__(
        self,
        sources: Mapping[str, Sequence[Source]] | None = None,
        sets: Mapping[str, Sequence[Member]] | None = None,
        weights: WeightsFolder | None = None,
        set_hashes: Mapping[str, str] | None = None,
        datasets: DatasetService | None = None,
        networks: Mapping[str, Network] | None = None,
        cards: Mapping[str, NetworkCard] | None = None,
        set_names: Mapping[str, str] | None = None,
    ) -> None:
        """``set_hashes`` are of the content of sets, by param, and ``set_names`` what people call them.

        ``weights`` is the folder of downloaded weights, ``datasets`` the sets, for jobs that add to them;
        ``networks`` are those that a job needs beside the one that its function is given; ``cards`` has the
        card of that one, by its name.
        """
        self.networks = dict(networks or {})
        self.cards = dict(cards or {})
        self.set_names = dict(set_names or {})
        self._sources = by_param = dict(sources or {})
        self._sets = dict(sets or {})
        self._weights = weights
        self._set_hashes = dict(set_hashes or {})
        self._datasets = datasets
        # Bounded, as a set may have more pictures than fit into the memory; those of params are few. Without
        # a reference to itself, since all that it has decoded would otherwise outlive the job.
        self._load = lru_cache(maxsize=24)(lambda param, place: by_param[param][place].load())
        # Of the first picture of each param that was opened.
        self._alphas: dict[str, Tensor | None] = {}

    @classmethod
    def of(cls, pictures: Mapping[str, Sequence[Tensor | Clip | StepState]]) -> "Inputs":
        """Inputs that are loaded already: opaque pictures, clips and states, by param."""

        def source(each: Tensor | Clip | StepState) -> Source:
            return Source("", lambda: Picture(each) if isinstance(each, Tensor) else each)

        return cls({param: [source(each) for each in several] for param, several in pictures.items()})

    def __contains__(self, param: str) -> bool:
        """Whether the job names a picture, a clip or a set under a param."""
        return param in self._sources or param in self._sets

    @property
    def hashes(self) -> dict[str, list[str]]:
        """The SHA-256 of the files, and of the content of sets, by param, for the recipe."""
        files = {param: [source.sha256 for source in several] for param, several in self._sources.items()}
        return files | {param: [sha256] for param, sha256 in self._set_hashes.items()}

    def sources(self, param: str) -> Sequence[Source]:
        """The files of a param, in order, for jobs that decode one after the other and keep none."""
        return self._sources[param]

    def picture(self, param: str) -> Tensor:
        """The one picture of a param; InputError if it is a clip."""
        (picture,) = self.pictures(param)
        return picture

    def pictures(self, param: str) -> list[Tensor]:
        """The pictures of a param, in order; InputError if one of them is a clip."""
        return [each.rgb for each in self.opened(param)]

    def opened(self, param: str) -> list[Picture]:
        """The pictures of a param with their transparency, in order; InputError if one of them is a clip."""
        loaded = [self._load(param, place) for place in range(len(self._sources[param]))]
        for each in loaded:
            if isinstance(each, Clip):
                raise InputError(param, "This is a clip: take a still picture, such as one frame of it.")
        pictures = [each for each in loaded if isinstance(each, Picture)]
        if pictures:
            self._alphas[param] = pictures[0].alpha
        return pictures

    def sides(self, param: str) -> list[tuple[int, int]]:
        """Height and width in pixels of the files of a param, as displayed; of states none."""
        loaded = [self._load(param, place) for place in range(len(self._sources[param]))]
        clips = [(each.height, each.width) for each in loaded if isinstance(each, Clip)]
        return [*clips, *(each.sides for each in loaded if isinstance(each, Picture))]

    def state(self, param: str) -> StepState | None:
        """The state of a param that takes one; None if it names a picture, or nothing."""
        loaded = self._load(param, 0) if param in self._sources else None
        return loaded if isinstance(loaded, StepState) else None

    def picture_or_clip(self, param: str) -> Tensor | Clip:
        """The one picture or clip of a param."""
        loaded = self._load(param, 0)
        return loaded if isinstance(loaded, Clip) else self.picture(param)

    def alpha(self, param: str) -> Tensor | None:
        """The transparency of the first picture of a param; None if it is opaque, a clip, or not there."""
        if param not in self._sources:
            return None
        if param not in self._alphas:
            loaded = self._load(param, 0)
            self._alphas[param] = loaded.alpha if isinstance(loaded, Picture) else None
        return self._alphas[param]

    def forget(self) -> None:
        """Keep nothing that was decoded, but for alphas: what is asked for again is decoded again."""
        self._load.cache_clear()

    @property
    def weights(self) -> WeightsFolder:
        """The folder of downloaded weights; ValueError if there is none."""
        if self._weights is None:
            raise ValueError("there is no folder to keep weights in")
        return self._weights

    @property
    def datasets(self) -> DatasetService:
        """The sets of the service; ValueError if there is none."""
        if self._datasets is None:
            raise ValueError("there is no service to keep sets in")
        return self._datasets

    def members(self, param: str) -> Sequence[Member]:
        """The pictures of the set of a param, in order; each is decoded by its own ``source.load()``."""
        return self._sets[param]
