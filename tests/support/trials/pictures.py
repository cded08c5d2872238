"""Tries of the params of all kinds that make pictures."""

from tests.support.trials.base import Kind, Trial, tries

PICTURE_FILES = tries(format="jpeg", bit_depth=16)
PIXELS = {"parametrization": "pixels", "steps": 4}

STYLE = Kind(
    {"content": "one", "style": ["two"], "size": 32, "steps": 3, "network": "cnn-max"},
    tries(
        content="three",
        style=["three"],
        preset="gatys-2016",
        size=40,
        style_weight=100,
        content_weight=50,
        style_loss="mean_std",
        content_loss="laplacian",
        tv_weight=20,
        style_weights=Trial([1, 3], {"style": ["two", "three"]}),
        style_scale=0.5,
        style_masks=Trial(["left", "right"], {"style": ["two", "three"]}),
        content_mask="left",
        content_weight_map="left",
        style_scales=[0.5],
        style_size=24,
        fine_style=Trial("three", {"style_layers": ["relu1_1", "pool2"]}),
        color="content",
        color_match="cholesky",
        steps=4,
        content_layers=["relu1_1"],
        style_layers=["relu1_1"],
        views=["picture"],
        optimizer="adam",
        pooling="max",
        init="noise",
        init_image="three",
        tileable=True,
        network="cnn-none",
        seed=Trial(1, {"init": "noise"}),
        continue_from="small",
        keep_state=True,
        timelapse="webp",
    )
    | PICTURE_FILES,
)

ZOOM = {"frames": 2}
DREAM = Kind(
    {"image": "one", "size": 32, "octaves": 2, "steps": 2, "network": "cnn-max"},
    tries(
        image="two",
        layers=["relu1_1"],
        channels=[1],
        strongest=2,
        guide="two",
        network="cnn-none",
        size=40,
        octaves=1,
        octave_scale=1.2,
        steps=3,
        strength=5,
        jitter=5,
        laplacian_levels=0,
        tone_shift=1,
        frames=2,
        zoom=Trial(1.5, ZOOM),
        rotation=Trial(20, ZOOM),
        blend=Trial(0.5, {"image": "clip"}),
        fps=Trial(30, ZOOM),
        format=Trial("webp", ZOOM),
        variations=2,
        seed=1,
    ),
)

MAXIMIZATION = {"size": 16, "steps": 2, "network": "cnn-max"}
OF_MAXIMIZATION = (
    tries(
        preset="maco",
        network="cnn-none",
        size=20,
        variations=2,
        steps=3,
        parametrization="pixels",
        noise=0.1,
        transforms={"jitter": 3},
        looks=2,
        optimizer="nadam",
        step_size=0.2,
        l2_weight=50,
        p_weight=50,
        tv_weight=50,
        decay=Trial(0.1, PIXELS),
        blur=Trial(1, PIXELS),
        blur_every=Trial(1, {**PIXELS, "blur": 1}),
        seed=1,
    )
    | PICTURE_FILES
)
CLASSES = Kind({**MAXIMIZATION, "target": "ant"}, OF_MAXIMIZATION | tries(target="bee"))
FEATURES = Kind(
    {**MAXIMIZATION, "layer": "conv2_1", "channels": [1]},
    OF_MAXIMIZATION
    | tries(
        layer="conv1_1",
        objective=Trial("layer", {"channels": None}),
        image=Trial("two", {"objective": "caricature", "image": "one", "channels": None}),
        channels=[2],
        terms=Trial({"conv1_1:1": 1}, {"terms": {"conv1_1:2": 1}, "layer": None, "channels": None}),
        sign="negative",
        diversity=Trial(5, {"variations": 2}),
    ),
)

INVERSION = Kind(
    {"image": "one", "layers": ["relu2_1"], "size": 24, "steps": 2, "network": "cnn-max"},
    tries(
        image="two",
        # Both have the layer.
        network=Trial("cnn-none", {"layers": ["conv2_1"]}),
        layers=["conv1_1"],
        size=20,
        steps=3,
        variations=2,
        p_weight=1,
        tv_weight=1,
        optimizer="adam",
        parametrization="pixels",
        seed=1,
    )
    | PICTURE_FILES,
)

TEXTURE = Kind(
    {"image": "one", "size": 32, "steps": 2, "network": "cnn-max"},
    tries(
        image="two",
        size=40,
        aspect=2,
        seamless=True,
        source_size=24,
        steps=3,
        layers=["relu1_1"],
        tv_weight=20,
        pooling="max",
        network="cnn-none",
        variations=2,
        seed=1,
    )
    | PICTURE_FILES,
)

LINEAR = {"method": "linear", "image": None, "network": "palette", "size": None, "steps": None}
FOOLING = {"method": "fooling", "image": None, "target": "bee", "steps": 20}
ADVERSARIAL = Kind(
    {"image": "one", "size": 16, "steps": 2, "network": "cnn-max"},
    tries(
        image="two",
        method="bim",
        target="ant",
        against=Trial("gear", LINEAR),
        epsilon=30,
        steps=3,
        step_size=0.5,
        confidence=Trial(0.01, FOOLING),
        size=20,
        network="cnn-none",
        variations=2,
        seed=1,
    ),
)

PICTURES = {
    "style_transfer": STYLE,
    "deep_dream": DREAM,
    "class_visualization": CLASSES,
    "feature_visualization": FEATURES,
    "feature_inversion": INVERSION,
    "texture_synthesis": TEXTURE,
    "adversarial": ADVERSARIAL,
}
