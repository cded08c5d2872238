"""The pictures that a style transfer is made from, which are kept no longer than they are needed."""

from dataclasses import dataclass, field

from app.kinds.style_transfer import ResolvedStyleTransfer
from worker.contract.inputs import Inputs
from worker.synthesis.style_colors import Coloring, Pictures, coloring


@dataclass
class StyleSources:
    """The pictures of a job, by param, as :func:`coloring` makes them; decoded again after :meth:`let_go`."""

    params: ResolvedStyleTransfer
    inputs: Inputs
    _coloring: Coloring | None = field(default=None, init=False)
    _named: list[str] = field(init=False)

    def __post_init__(self) -> None:
        # Once: to see that a param names a state, the state is read, which is several times as large.
        self._named = [name for name in self.params.pictures() if self.inputs.state(name) is None]

    @property
    def coloring(self) -> Coloring:
        """The pictures to paint from, and how one becomes the result."""
        if self._coloring is None:
            self._coloring = coloring(self.params, {name: self.inputs.pictures(name) for name in self._named})
        return self._coloring

    @property
    def pictures(self) -> Pictures:
        """The pictures to paint from."""
        return self.coloring.pictures

    def let_go(self) -> None:
        """Keep no picture: large ones are as large as the result."""
        self._coloring = None
        self.inputs.forget()
