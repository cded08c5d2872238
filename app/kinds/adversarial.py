"""Params of adversarial pictures: the one source of their defaults."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.ascent import USUAL_SIZE
from app.kinds.base import Lane, NetworkNeed, Params, PictureRef, Variations, require_card
from app.kinds.class_visualization import require_classes
from app.networks import NetworkCard

Method = Literal["fgsm", "bim", "pgd-linf", "pgd-l2", "fooling", "linear"]

# Params that only some methods heed, and what the others say where one is given.
_HEEDED: dict[str, tuple[Method, ...]] = {
    "image": ("fgsm", "bim", "pgd-linf", "pgd-l2", "linear"),
    "against": ("linear",),
    "epsilon": ("fgsm", "bim", "pgd-linf", "pgd-l2", "linear"),
    "steps": ("bim", "pgd-linf", "pgd-l2", "fooling"),
    "step_size": ("bim", "pgd-linf", "pgd-l2", "fooling"),
    "confidence": ("fooling",),
    "size": ("fgsm", "bim", "pgd-linf", "pgd-l2", "fooling"),
}

# Methods that draw something at random, and so give another picture for another seed.
_SEEDED: tuple[Method, ...] = ("pgd-linf", "pgd-l2", "fooling", "linear")

# In levels. Most attacks on colored pictures are measured at 8 (Madry et al., "Towards deep learning models
# resistant to adversarial attacks", ICLR 2018, section 5). The linear classifier of a planet and mountains
# turns round at about 15, at its heaviest weight.
EPSILON: dict[Method, float] = {"fgsm": 8, "bim": 8, "pgd-linf": 8, "pgd-l2": 1020, "linear": 24}

# Networks that resist that, and how much more they take. palette was trained on attacks: of four drawn
# pictures pgd-linf turns three into any other class at 8 and all at 16, and none and three into a leopard;
# pgd-l2 at 1020 and 2040 (distances of 4 and 8 for values in [0, 1]) likewise.
RESISTANCE = {"palette": 2.0}

# Madry et al. take 7 to 40 steps, each 2.5 times as long as needed to reach the radius (appendix B).
PGD_STEPS = 40
PGD_REACH = 2.5

# Nguyen, Yosinski, Clune, "Deep neural networks are easily fooled", CVPR 2015, figure 1: pictures that nobody
# recognises, believed with at least 99.6 %.
CONFIDENCE = 0.996
FOOLING_STEPS = 500
FOOLING_STEP = 2.0

# What the linear classifier tells apart if nothing else is asked for. Of pairs of classes whose pictures have
# a layout of their own, one of those that it tells best: 4 of 5 pictures that it was not fitted on.
LINEAR_TARGET = "planet"
LINEAR_AGAINST = "mountains"

# The network whose classes are those that this project draws.
DRAWN_CLASSES = "palette"


def _text(value: Any) -> Any:
    """A class by index, as a number or as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClassName = Annotated[
    Annotated[str, Field(min_length=1, max_length=200)],
    BeforeValidator(_text, json_schema_input_type=str | int),
    Field(json_schema_extra={"widget": "class"}),
]


class AdversarialParams(Params):
    """Pictures that a classifier takes for what they are not (Goodfellow, Shlens, Szegedy 2015)."""

    kind: ClassVar[str] = "adversarial"
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "Adversarial pictures"
    summary: ClassVar[str] = "Change a picture a little, and a network takes it for something else."
    action: ClassVar[str] = "Deceive"
    foremost: ClassVar[tuple[str, ...]] = ("method", "target", "epsilon")
    example: ClassVar[dict[str, Any]] = {"method": "pgd-linf", "target": "leopard"}

    image: PictureRef | None = Field(
        None,
        title="Picture",
        description="The picture to change; a square is cut out of its middle. Fooling pictures are made "
        "without; for the linear classifier one is drawn if there is none.",
    )
    method: Method = Field(
        "pgd-linf",
        title="Method",
        description="fgsm: one step along the gradient's sign; bim: several; pgd-linf, pgd-l2: several from "
        "a random start, within a distance by the largest change or by the sum of squares; fooling: from "
        "noise, until the network is sure; linear: a linear classifier of two drawn classes, fooled with "
        "its own weights.",
    )
    target: ClassName | None = Field(
        None,
        title="Target",
        description="The class to be taken for, by name or by index. Empty: any that it is not taken for "
        "now; for the linear classifier, planet.",
    )
    against: ClassName | None = Field(
        None,
        title="Other class",
        description="Of the linear classifier: the class that it tells the target from. Empty: mountains.",
    )
    epsilon: float | None = Field(
        None,
        gt=0,
        le=255_000,
        title="Epsilon",
        description="The largest change, in levels of 0 to 255. pgd-l2: the root of the sum of squares over "
        "all values; linear: the change at the heaviest weight; else that of any value. Empty: 16, for "
        "pgd-l2 2040, for linear 24.",
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=20_000,
        title="Steps",
        description="Steps of an iterative method; fooling stops sooner if it gets there. Empty: the "
        "method's own.",
    )
    step_size: float | None = Field(
        None,
        gt=0,
        le=255_000,
        title="Step size",
        description="Length of a step in levels, measured as epsilon is; of a fooling picture the mean "
        "change of a value. Empty: the method's own.",
    )
    confidence: float | None = Field(
        None,
        gt=0,
        lt=1,
        title="Confidence",
        description="The probability at which a fooling picture is done. Empty: 0.996.",
    )
    size: int | None = Field(
        None,
        ge=16,
        le=2048,
        title="Size",
        description="Side of the square in pixels. Empty: what the network classifies, or 128.",
    )
    network: str = Field("palette", title="Network", description="Name of the network to deceive.")
    variations: Variations = 1
    seed: int = Field(
        0, ge=0, le=2**63 - 1, title="Seed", description="Seed of noise, random starts and drawn pictures."
    )

    def network_need(self) -> NetworkNeed | None:
        """The network that looks."""
        return None if self.method == "linear" else NetworkNeed(self.network)

    def resolve(self) -> Self:
        """Fill in what the method says, and check classes and what goes with the method."""
        self._check_heeded()
        if self.method == "linear":
            return self._resolve_linear()
        card = require_card(self.network)
        if not card.classes:
            raise InputError("network", f"{card.name} cannot classify: choose a network that has classes.")
        if self.method == "fooling":
            if self.target is None:
                raise InputError("target", "Name the class that the noise is to be taken for.")
        elif self.image is None:
            raise InputError("image", f"Name the picture to change; {self.method} does not make one.")
        values = self._fooling() if self.method == "fooling" else self._attack()
        target = None if self.target is None else require_classes(card, [self.target], "target")[0]
        size = self.size or card.input_size or USUAL_SIZE
        return self.model_copy(update={**values, "target": target, "size": size})

    def _check_heeded(self) -> None:
        for name, methods in _HEEDED.items():
            if getattr(self, name) is not None and self.method not in methods:
                said = ", ".join(methods)
                raise InputError(
                    name, f"The method {self.method} does not heed this: leave it out, or use {said}."
                )
        if self.variations > 1 and self.method not in _SEEDED:
            raise InputError(
                "variations",
                f"With {self.method} every seed gives one picture: leave this out, or use "
                f"{', '.join(_SEEDED)}.",
            )

    def _attack(self) -> dict[str, float | int]:
        epsilon = self.epsilon or EPSILON[self.method] * RESISTANCE.get(self.network, 1.0)
        if self.method == "fgsm":
            return {"epsilon": epsilon}
        if self.method == "bim":
            # Kurakin, Goodfellow, Bengio, "Adversarial examples in the physical world", ICLR workshop 2017,
            # section 2.2: steps of one level, and so many that the edge is reached and a little beyond.
            steps = self.steps or max(1, round(min(epsilon + 4, 1.25 * epsilon)))
            return {
                "epsilon": epsilon,
                "steps": steps,
                "step_size": self.step_size or max(1, epsilon / steps),
            }
        steps = self.steps or PGD_STEPS
        return {
            "epsilon": epsilon,
            "steps": steps,
            "step_size": self.step_size or PGD_REACH * epsilon / steps,
        }

    def _fooling(self) -> dict[str, float | int]:
        return {
            "steps": self.steps or FOOLING_STEPS,
            "step_size": self.step_size or FOOLING_STEP,
            "confidence": self.confidence or CONFIDENCE,
        }

    def _resolve_linear(self) -> Self:
        card = require_card(self.network)
        if card.name != DRAWN_CLASSES:
            raise InputError(
                "network",
                f"The linear classifier stands alone: leave this out, or set it to {DRAWN_CLASSES}.",
            )
        target = _drawn(card, self.target, LINEAR_TARGET, "target")
        against = _drawn(card, self.against, LINEAR_AGAINST, "against")
        if target == against:
            raise InputError("against", f"Both classes are {target!r}: name another.")
        epsilon = self.epsilon or EPSILON["linear"]
        return self.model_copy(update={"target": target, "against": against, "epsilon": epsilon})


def _drawn(card: NetworkCard, given: str | None, usual: str, field: str) -> str:
    return usual if given is None else require_classes(card, [given], field)[0]
