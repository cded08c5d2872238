"""Params of adversarial pictures."""

from typing import Any, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.classes import ClassName, require_classes, require_classifier
from app.kinds.fields import (
    DEFAULT_SIZE,
    MOST_STEPS,
    NetworkName,
    NetworkSize,
    PictureRef,
    Seed,
    StepsOrPreset,
    Variations,
)
from app.kinds.layers import require_card
from app.kinds.results.pictures import AdversarialResult
from app.kinds.spec import KindSpec
from app.kinds.work import activation_bytes, steps_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK, Catalogue

AttackMethod = Literal["fgsm", "bim", "pgd-linf", "pgd-l2"]
Method = Literal["fgsm", "bim", "pgd-linf", "pgd-l2", "fooling", "linear"]

# The methods that a param applies to, where those are not all.
_APPLIES_TO: dict[str, tuple[Method, ...]] = {
    "image": ("fgsm", "bim", "pgd-linf", "pgd-l2", "linear"),
    "against": ("linear",),
    "epsilon": ("fgsm", "bim", "pgd-linf", "pgd-l2", "linear"),
    "steps": ("bim", "pgd-linf", "pgd-l2", "fooling"),
    "step_size": ("bim", "pgd-linf", "pgd-l2", "fooling"),
    "confidence": ("fooling",),
    "size": ("fgsm", "bim", "pgd-linf", "pgd-l2", "fooling"),
}

# The distance by the sum of squares at which any picture of a million values may become any other.
MOST_LEVELS = 255_000

# Methods that draw something at random, so that another seed gives another picture.
_SEEDED: tuple[Method, ...] = ("pgd-linf", "pgd-l2", "fooling", "linear")

# In levels. Most attacks on colored pictures are measured at 8 (Madry et al., "Towards deep learning models
# resistant to adversarial attacks", ICLR 2018, section 5). The linear classifier of a planet and mountains
# flips at about 15, at its heaviest weight.
EPSILON: dict[Method, float] = {"fgsm": 8, "bim": 8, "pgd-linf": 8, "pgd-l2": 1020, "linear": 24}

# Factors of epsilon for networks that are robust. palette was trained on attacks: of four drawn
# pictures pgd-linf moves three to any other class at 8 and all at 16, and none and three to leopard;
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

# The default classes of the linear classifier. Of pairs of classes whose pictures have
# a layout of their own, one of those that it tells best: 4 of 5 pictures that it was not fitted on.
LINEAR_TARGET = "planet"
LINEAR_AGAINST = "mountains"

# The network whose classes are those that this project draws.
DRAWN_CLASSES = "palette"


class AdversarialParams(Params):
    """Pictures that a classifier assigns to a wrong class (Goodfellow, Shlens, Szegedy 2015)."""

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
        le=MOST_LEVELS,
        title="Epsilon",
        description="The largest change, in levels of 0 to 255. pgd-l2: the root of the sum of squares over "
        "all values; linear: the change at the heaviest weight; else that of any value. Empty: 8, for "
        "pgd-l2 1020, twice that for palette; for linear 24.",
    )
    steps: StepsOrPreset = Field(
        None,
        description="Steps of an iterative method; fooling stops sooner if it gets there. Empty: the "
        "method's own.",
    )
    step_size: float | None = Field(
        None,
        gt=0,
        le=MOST_LEVELS,
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
    size: NetworkSize = Field(
        None,
        description=f"Side of the square in pixels. Empty: what the network classifies, or {DEFAULT_SIZE}.",
    )
    network: NetworkName = Field(DEFAULT_NETWORK, description="Name of the network to deceive.")
    variations: Variations = 1
    seed: Seed = Field(0, description="Seed of noise, random starts and drawn pictures.")

    def network_need(self) -> NetworkNeed | None:
        """The network that classifies."""
        return None if self.method == "linear" else NetworkNeed(self.network)

    def resolve(self, catalogue: Catalogue) -> "ResolvedAdversarial":
        """Fill in the method's defaults, and check the classes and which params apply."""
        self._check_applies()
        card = require_card(catalogue, self.network)
        if self.method == "linear":
            return self.resolved_as(ResolvedLinear, self._linear(card))
        require_classifier(card)
        size = self.size or card.input_size or DEFAULT_SIZE
        if self.method == "fooling":
            if self.target is None:
                raise InputError("target", "Name the class that the noise is to be taken for.")
            values = self._fooling() | {"target": self._target(card), "size": size}
            return self.resolved_as(ResolvedFooling, values)
        if self.image is None:
            raise InputError("image", f"Name the picture to change; {self.method} does not make one.")
        values = self._attack() | {"target": self._target(card), "size": size}
        return self.resolved_as(ResolvedAttack, values)

    def _target(self, card: NetworkCard) -> str | None:
        return None if self.target is None else require_classes(card, [self.target], "target")[0]

    def _check_applies(self) -> None:
        for name, methods in _APPLIES_TO.items():
            if getattr(self, name) is not None and self.method not in methods:
                said = ", ".join(methods)
                raise InputError(
                    name, f"The method {self.method} does not use this: leave it out, or use {said}."
                )
        if self.variations > 1 and self.method not in _SEEDED:
            raise InputError(
                "variations",
                f"With {self.method} every seed gives one picture: leave this out, or use "
                f"{', '.join(_SEEDED)}.",
            )

    def _attack(self) -> dict[str, Any]:
        epsilon = self.epsilon or EPSILON[self.method] * RESISTANCE.get(self.network, 1.0)
        if self.method == "fgsm":
            return {"epsilon": epsilon}
        if self.method == "bim":
            # Kurakin, Goodfellow, Bengio, "Adversarial examples in the physical world", ICLR workshop 2017,
            # section 2.2: steps of one level, and so many that the edge is reached and a little beyond.
            usual = max(1, round(min(epsilon + 4, 1.25 * epsilon)))
            steps = self.steps or min(usual, MOST_STEPS)
            step_size = max(1, epsilon / steps)
        else:
            steps = self.steps or PGD_STEPS
            step_size = PGD_REACH * epsilon / steps
        step_size = min(step_size, MOST_LEVELS)
        return {"epsilon": epsilon, "steps": steps, "step_size": self.step_size or step_size}

    def _fooling(self) -> dict[str, Any]:
        return {
            "steps": self.steps or FOOLING_STEPS,
            "step_size": self.step_size or FOOLING_STEP,
            "confidence": self.confidence or CONFIDENCE,
        }

    def _linear(self, card: NetworkCard) -> dict[str, Any]:
        if card.name != DRAWN_CLASSES:
            raise InputError(
                "network",
                f"The linear classifier uses no network: leave this out, or set it to {DRAWN_CLASSES}.",
            )
        target = _drawn(card, self.target, LINEAR_TARGET, "target")
        against = _drawn(card, self.against, LINEAR_AGAINST, "against")
        if target == against:
            raise InputError("against", f"Both classes are {target!r}: name another.")
        return {"target": target, "against": against, "epsilon": self.epsilon or EPSILON["linear"]}


class ResolvedAttack(AdversarialParams):
    """Resolved params of a change within a ball around a picture. fgsm has neither steps nor a step size."""

    image: PictureRef
    method: AttackMethod
    epsilon: float
    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Steps of each variation; fgsm takes one."""
        del members
        return steps_work(card, [self.size], (self.steps or 1) * self.variations)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of one picture."""
        return activation_bytes(card, self.size**2)


class ResolvedFooling(AdversarialParams):
    """Resolved params of a picture made from noise."""

    method: Literal["fooling"]
    target: ClassName
    steps: int
    step_size: float
    confidence: float
    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """All steps of each variation: it ends earlier if the network is sure by then."""
        del members
        return steps_work(card, [self.size], self.steps * self.variations)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of one picture."""
        return activation_bytes(card, self.size**2)


class ResolvedLinear(AdversarialParams):
    """Resolved params of the deception of a linear classifier."""

    method: Literal["linear"]
    target: ClassName
    against: ClassName
    epsilon: float


ResolvedAdversarial = ResolvedAttack | ResolvedFooling | ResolvedLinear


def _drawn(card: NetworkCard, given: str | None, usual: str, field: str) -> str:
    return usual if given is None else require_classes(card, [given], field)[0]


SPEC = KindSpec(
    name="adversarial",
    params=AdversarialParams,
    result=AdversarialResult,
    resolved=(ResolvedAttack, ResolvedFooling, ResolvedLinear),
    function="worker.synthesis.adversarial:adversarial",
    lane="long",
    shared_by_variations=(),
    title="Adversarial pictures",
    summary="Change a picture a little, and a network takes it for something else.",
    submit_label="Deceive",
    command="adversarial",
    primary_fields=("method", "target", "epsilon"),
    label_fields=("steps", "network", "size"),
    example_picture="image",
    example={"method": "pgd-linf", "target": "leopard"},
)
