"""Every kind on a device that is not the CPU: what it makes stays there, and nothing is mixed."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest
import torch

from app.errors import InputError
from app.kinds import KINDS
from app.kinds.style_presets import PRESETS as STYLE_PRESETS
from app.kinds.style_presets import StyleLossName
from app.networks.catalogue import SHIPPED
from tests.support.fake_device import DEVICE, FakeDevice
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Member, Source
from worker.contract.steps import Step, run_steps
from worker.media.pictures import Picture, encode_preview
from worker.networks.loading import NetworkLoader, network_for
from worker.runtime.functions import steps_of

Json = Mapping[str, Any]

STYLE = {"content": "c", "style": ["s"], "size": 96, "steps": 2}
CLASSES = {"target": ["spiral", "gear"], "size": 48, "steps": 2}
INVERSION = {"image": "i", "size": 48, "steps": 2, "layers": ["relu2_2", "relu3_1"]}
CASES: list[tuple[str, Json]] = [
    *(("style_transfer", {**STYLE, "preset": preset}) for preset in STYLE_PRESETS),
    ("style_transfer", {**STYLE, "optimizer": "adam"}),
    *(("style_transfer", {**STYLE, "style_loss": name}) for name in get_args(StyleLossName)),
    ("style_transfer", {**STYLE, "color": "content"}),
    ("deep_dream", {"image": "i", "size": 72, "octaves": 2, "steps": 1}),
    ("deep_dream", {"image": "i", "size": 72, "octaves": 2, "steps": 1, "guide": "g"}),
    ("deep_dream", {"image": "i", "size": 72, "octaves": 1, "steps": 1, "strongest": 3}),
    ("deep_dream", {"image": "i", "size": 72, "octaves": 1, "steps": 1, "frames": 2, "rotation": 5}),
    *(
        ("class_visualization", {**CLASSES, "preset": preset})
        for preset in KINDS["class_visualization"].presets
    ),
    ("class_visualization", {**CLASSES, "transforms": {"scale": 0.1, "rotate": 5, "noise": 0.1}}),
    *(
        ("feature_visualization", {"layer": "relu3_1", "size": 48, "steps": 2, **change})
        for change in (
            {"channels": [1, 2], "diversity": 2.0, "variations": 2},
            {"channels": [1], "objective": "neuron"},
            {"objective": "layer"},
            {"objective": "caricature", "image": "i"},
        )
    ),
    ("deep_dream", {"image": "i", "size": 72, "octaves": 1, "steps": 1, "network": "efficientnet_lite0"}),
    ("style_transfer", {**STYLE, "network": "efficientnet_lite0"}),
    ("class_visualization", {"target": ["tabby"], "size": 48, "steps": 2, "network": "efficientnet_lite0"}),
    ("feature_inversion", INVERSION),
    ("feature_inversion", {**INVERSION, "parametrization": "pixels", "optimizer": "lbfgs"}),
    ("texture_synthesis", {"image": "i", "size": 64, "steps": 2, "seamless": True}),
    *(
        ("occlusion", {"image": "i", "network": "palette", "size": 48, "window": 24, "fill": fill})
        for fill in ("gray", "blur", "local-mean")
    ),
    *(
        ("adversarial", {"image": "i", "method": method, "size": 48, "steps": 2})
        for method in ("bim", "pgd-linf", "pgd-l2")
    ),
    ("adversarial", {"image": "i", "method": "fgsm", "size": 48}),
    ("classify", {"image": "i", "network": "palette", "figure": True}),
    ("classify", {"images": ["i", "i"], "network": "palette", "crops": "ten", "scales": [1, 2], "size": 48}),
    ("evaluate", {"dataset": "d", "network": "palette", "size": 48}),
    ("adversarial", {"method": "fooling", "target": "spiral", "size": 48, "steps": 2}),
    ("architecture", {"network": "palette"}),
    ("architecture", {"layers": "CONV-RELU-LOCAL-BN-POOL-FC", "input": 8}),
    *(
        ("saliency", {"image": "i", "network": "palette", "size": 64, "nodes": 3, **change})
        for change in (
            {
                "samples": 3,
                "methods": [
                    *("gradient", "smooth_grad", "integrated_gradients", "guided_backprop", "deconvnet"),
                    *("grad_cam", "smooth_grad_cam", "score_cam"),
                ],
            },
            {"methods": "integrated_gradients", "baseline": "mean", "layer": "relu3_1"},
            {"methods": "integrated_gradients", "baseline": "blurred", "network": "efficientnet_lite0"},
        )
    ),
    ("class_map", {"image": "i", "network": "palette", "size": 192}),
    ("class_map", {"image": "i", "network": "efficientnet_lite0", "size": 300}),
    (
        "activations",
        {"image": "i", "network": "palette", "size": 48, "layers": ["conv2_1", "relu2_2", "logits"]},
    ),
    ("export_network", {"network": "palette"}),
    ("filters", {"network": "palette"}),
    ("filters", {"network": "efficientnet_lite0", "layer": "block4", "part": "project"}),
    ("max_patches", {"dataset": "d", "network": "palette", "size": 48, "layer": "relu2_2", "limit": 2}),
]


def name_of(case: Any) -> str:
    return case if isinstance(case, str) else "-".join(str(v) for k, v in case.items() if k not in STYLE)


@pytest.mark.medium
@pytest.mark.parametrize(("kind", "asked"), CASES, ids=name_of)
def test_a_job_mixes_no_devices_and_needs_no_float64(kind: str, asked: Json) -> None:
    compute = Compute(DEVICE, torch.bfloat16)
    params = KINDS[kind].params.model_validate(asked).resolve(SHIPPED)
    picture = torch.rand(1, 3, 96, 128)
    pictures = {
        name: [Source("", lambda: Picture(picture))] * len(refs) for name, refs in params.pictures().items()
    }
    labelled = [Member(Source("", lambda: Picture(picture)), label, label) for label in ("zebra", "maze")]
    inputs = Inputs(pictures, dict.fromkeys(params.datasets(), labelled))
    network = network_for(params, compute, NetworkLoader())
    with FakeDevice() as device:

        def preview(step: Step) -> None:
            copied = device.copied
            encode_preview(step.image(), max_side=16) if step.image is not None else None
            assert device.copied - copied <= 16 * 16 * 3

        outcome = run_steps(steps_of(params, inputs, network, compute), preview)
    assert {each.device.type for each in outcome.images.values()} <= {"cpu"}


def test_every_kind_that_computes_with_a_network_is_tried() -> None:
    untried = set(KINDS) - {kind for kind, _ in CASES}
    assert untried == {
        "embedding",
        "gradient_check",
        "train",
        "learning_rate_range",
        "pull_weights",
        "import_members",
        "make_dataset",
    }


def test_an_embedding_reads_codes_alone_from_the_device() -> None:
    """They are all 1 there, which it refuses to arrange, after all that it does on the device."""
    compute = Compute(DEVICE, torch.bfloat16)
    asked = {"dataset": "d", "network": "palette", "size": 48, "probe": True}
    params = KINDS["embedding"].params.model_validate(asked).resolve(SHIPPED)
    picture = Source("", lambda: Picture(torch.rand(1, 3, 96, 128)))
    inputs = Inputs(sets={"dataset": [Member(picture, label, label) for label in "aabbccdd"]})
    network = network_for(params, compute, NetworkLoader())
    with FakeDevice(), pytest.raises(InputError, match="says the same of all pictures"):
        run_steps(steps_of(params, inputs, network, compute))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + torch.ones(3),
        lambda x: x.double(),
        lambda x: x.to("cpu", torch.float64),
        lambda x: torch.zeros(3, dtype=torch.float64, device=x.device),
    ],
)
def test_the_fake_device_fails_where_a_real_one_would(wrong: Any) -> None:
    with FakeDevice(), pytest.raises(AssertionError, match=r"on the device|got tensors of"):
        wrong(torch.ones(3, device=DEVICE))
