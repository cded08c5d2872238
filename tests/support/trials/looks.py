"""Tries of the params of all kinds that look inside."""

from tests.support.trials.base import Kind, Trial, tries

TWO = ["cnn-max", "cnn-none"]
CLASSIFYING = tries(
    network="cnn-none",
    networks=TWO,
    crops="ten",
    scales=[2],
    size=20,
    temperature=3,
)
CLASSIFY = Kind(
    {"image": "one", "network": "cnn-max"},
    CLASSIFYING
    | tries(
        image="two",
        images=Trial(["one", "two"], {"image": None, "images": ["one"]}),
        dataset=Trial("another", {"image": None, "dataset": "labelled"}),
        top=2,
        ensemble=Trial("compare", {"networks": TWO}),
        figure=True,
    ),
)
EVALUATE = Kind(
    {"dataset": "labelled", "network": "cnn-max"},
    CLASSIFYING
    | tries(
        dataset="another",
        shown=2,
        # The names of the classes are no numbers.
        labels=Trial("names", {"dataset": "numbered", "labels": "indices"}, refused=True),
    ),
)

NEURON = {"layer": "conv2_1", "channel": 1, "position": [0, 0]}
SMOOTH = {"methods": "smooth_grad"}
INTEGRATED = {"methods": "integrated_gradients"}
SALIENCY = Kind(
    {"image": "one", "methods": "gradient", "network": "cnn-max"},
    tries(
        image="two",
        methods="guided_backprop",
        target=Trial("bee", {"target": "ant"}),
        layer="conv2_1",
        channel=Trial(2, NEURON),
        position=Trial([1, 1], NEURON),
        cam_layer=Trial("relu1_1", {"methods": "grad_cam"}),
        network="cnn-none",
        size=20,
        samples=Trial(3, SMOOTH),
        noise=Trial(0.3, SMOOTH),
        nodes=Trial(5, INTEGRATED),
        baseline=Trial("white", INTEGRATED),
        seed=Trial(1, SMOOTH),
    ),
)
OCCLUSION = Kind(
    {"image": "one", "network": "cnn-max"},
    tries(
        image="two",
        target=Trial("bee", {"target": "ant"}),
        window=6,
        stride=2,
        fill="black",
        size=20,
        network="cnn-none",
    ),
)
CLASS_MAP = Kind(
    {"image": "one", "size": 48, "network": "cnn-max"},
    tries(image="two", target=Trial("bee", {"target": "ant"}), network="cnn-none", size=64),
)
ACTIVATIONS = Kind(
    {"image": "one", "layer": "conv2_1", "network": "cnn-max"},
    tries(
        image="two",
        network="cnn-none",
        layer="conv1_1",
        layers=Trial(["conv1_1"], {"layer": None}),
        channels=[1],
        order="strongest",
        limit=2,
        scale="each",
        size=20,
    ),
)
FILTERS = Kind(
    {"network": "cnn-max"},
    tries(
        network="cnn-none",
        against="cnn-none",
        layer="conv2_1",
        part=Trial("conv2", {"network": "resnet20", "layer": "res2_1"}),
        channels=[1],
        inputs=Trial([1], {"layer": "conv2_1"}),
        limit=2,
        scale="common",
    ),
)
MAX_PATCHES = Kind(
    {"dataset": "labelled", "layer": "conv2_1", "network": "cnn-max"},
    tries(
        dataset="another",
        network="cnn-none",
        layer="conv1_1",
        channels=[1],
        patches=2,
        limit=2,
        projection="none",
        size=20,
    ),
)
PROBED = {"probe": True, "probe_layers": ["conv1_1"]}
EMBEDDING = Kind(
    {"dataset": "labelled", "layer": "conv2_1", "network": "cnn-max"},
    tries(
        dataset="another",
        network="cnn-none",
        layer="conv1_1",
        image="one",
        method="pca",
        perplexity=3,
        neighbors=3,
        probe=True,
        probe_layers=Trial(["conv2_1"], PROBED),
        limit=10,
        size=20,
        # Of the pictures that are held out; for the map it counts in sets that are too large for a test.
        seed=Trial(1, PROBED),
    ),
)
LAYERS = {"network": None, "layers": "CONV3x3-4/2-FC-3", "input": 8, "rounding": "floor"}
ARCHITECTURE = Kind(
    {"network": "cnn-max"},
    tries(
        network="cnn-none",
        layers=Trial("CONV-FC-3", {"network": None}),
        input=20,
        rounding=Trial("ceil", LAYERS),
    ),
)
EXPORT = Kind({"network": "cnn-max"}, tries(network="cnn-none", size=20))

LOOKS = {
    "classify": CLASSIFY,
    "evaluate": EVALUATE,
    "saliency": SALIENCY,
    "occlusion": OCCLUSION,
    "class_map": CLASS_MAP,
    "activations": ACTIVATIONS,
    "filters": FILTERS,
    "max_patches": MAX_PATCHES,
    "embedding": EMBEDDING,
    "architecture": ARCHITECTURE,
    "export_network": EXPORT,
}
