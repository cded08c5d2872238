"""Optional params of the kinds.

Derived from the API's description by clients/python/generate.py; edit that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import JsonValue

from impasto_client.options import CallOptions


class StyleTransferOptions(CallOptions, total=False):
    """Optional params of style_transfer."""

    preset: Literal[
        "impasto",
        "gatys-2016",
        "gatys-2016-code",
        "neural-style",
        "crowson-2021",
        "crowson-2023",
        "strotss-2019",
        "nnst-2022",
    ]
    """Where the values left empty come from. Default "impasto"."""
    size: int
    """Longer side of the result in pixels. At least 16, at most 8,192, default 512."""
    style_weight: float | None
    """Strength of the style. At least 0, at most 1e+12."""
    content_weight: float | None
    """Faithfulness to the content. At least 0, at most 1e+12."""
    style_loss: (
        Literal[
            "gram",
            "mean_std",
            "covariance",
            "wasserstein",
            "sliced_wasserstein",
            "histogram",
            "nearest_neighbors",
            "relaxed_emd",
        ]
        | None
    )
    """What of the style pictures is compared with the result."""
    content_loss: Literal["features", "self_similarity", "laplacian"] | None
    """What of the content is compared with the result."""
    tv_weight: float | None
    """Weight of the total variation: more gives calmer areas. At least 0, at most 1e+12."""
    style_weights: Sequence[float] | None
    """One number a style picture; only their ratios matter. Empty: equal shares."""
    style_scale: float
    """Size of the style pictures relative to the result: larger gives larger strokes. Smaller
    pictures keep their own size; above 1 they are enlarged by this factor at most. At least 0.1,
    at most 4, default 1.0.
    """
    style_scales: Sequence[float] | None
    """One number a style picture, each as Stroke size, which is then left at 1. Empty: Stroke size
    for all.
    """
    style_size: int | None
    """Longer side of the style pictures in pixels, whatever the size of the result is: its strokes
    keep their size in pixels. Smaller pictures keep their own size. Empty: that of the result. At
    least 16, at most 8,192.
    """
    color: Literal["style", "content", "luminance"]
    """Whose colours the result has: the style's; the content's, under the lightness of the result;
    or luminance: painted in grey, in the content's range of lightness, and then with its colours.
    Default "style".
    """
    color_match: Literal["none", "cholesky", "pca", "symmetric", "histogram"]
    """Match colours before painting: the content's to the style's with color=style; with
    color=content the style's to the content's, so that strokes keep colours of their own. By mean
    and covariance (cholesky; pca; symmetric, which changes the least), or by the whole
    distribution (histogram). Default "none".
    """
    steps: int | None
    """Optimizer iterations over all scales. At least 1, at most 20,000."""
    content_layers: Sequence[str] | Mapping[str, float] | None
    """Layer names, or names with weights."""
    style_layers: Sequence[str] | Mapping[str, float] | None
    """Layer names, or names with weights."""
    views: str | Sequence[Literal["picture", "negative", "rotated", "rotated_negative"]] | None
    """What the network sees: the picture, its negative, or either with its colours exchanged. Losses
    are means over them, so that the result fits what is peculiar to the network less. Each is
    computed by itself. At scales above 150 px they take turns, and the last scale has the first.
    """
    optimizer: Literal["lbfgs", "preconditioned_lbfgs", "adam"] | None
    """How the loss is minimized."""
    pooling: Literal["average", "max"] | None
    """Average is smoother, max is crisper."""
    init: Literal["content", "noise", "image"] | None
    """What the optimizer starts from."""
    tileable: bool
    """Make a tile: its left edge goes on at its right one, its top edge at its bottom one. Default
    false.
    """
    network: str
    """Name of the network. Default "palette"."""
    seed: int
    """Seed of the noise it may start from. At least 0, at most 9,223,372,036,854,775,807, default 0."""
    keep_state: bool
    """Keep what the optimizer knows as a file, so that a later job can go on exactly: about 300
    bytes a pixel with L-BFGS, and fewer with Adam. Default false.
    """
    timelapse: Literal["none", "mp4", "webp"]
    """A short video, besides, of the picture coming into being: MP4, or animated WebP. Default
    "none".
    """
    format: Literal["png", "jpeg", "webp", "tiff"]
    """Of the result. PNG, WebP and TIFF keep transparency, a JPEG lies on white. JPEG and WebP lose
    a little. Default "png".
    """
    bit_depth: Literal[8, 16]
    """16 keeps finer steps, in PNG and TIFF files alone. Default 8."""


class DeepDreamOptions(CallOptions, total=False):
    """Optional params of deep_dream."""

    layers: Sequence[str] | Mapping[str, float] | None
    """Layer names, or names with weights: early ones draw strokes, late ones parts of things. Empty:
    one in the middle.
    """
    channels: Sequence[int] | None
    """Channels of the one layer to exaggerate. Empty: all of them."""
    strongest: int | None
    """Exaggerate only this many channels of each layer: those that the picture excites most. At
    least 1, at most 32.
    """
    network: str
    """Name of the network. Default "palette"."""
    size: int
    """Longer side of the result in pixels. At least 16, at most 8,192, default 600."""
    octaves: int
    """Sizes at which it dreams, from small to full. At least 1, at most 12, default 4."""
    octave_scale: float
    """Ratio of each of these sizes to the one before. At least 1.05, at most 4, default 1.4."""
    steps: int
    """Steps at each octave. At least 1, at most 1,000, default 10."""
    strength: float
    """How far a step moves a color value on average, in levels of 255. Above 0, at most 64, default
    1.5.
    """
    jitter: int
    """Each step rolls the picture by up to this many pixels, at random. At least 0, at most 1,024,
    default 32.
    """
    laplacian_levels: int
    """Bands of detail that a step moves equally, beside the rest; 0: the gradient as it is. At least
    0, at most 8, default 4.
    """
    tone_shift: float
    """How much of the change in the lightness and colours of large areas stays: with 0 they are the
    picture's, with 1 skies burn out. At least 0, at most 1, default 0.1.
    """
    frames: int | None
    """Of a picture: frames of a video that zooms into the dream. Of a clip: how many of its frames,
    at most. At least 2, at most 600.
    """
    zoom: float
    """Enlargement from frame to frame of a zoom video. At least 0.5, at most 2, default 1.05."""
    rotation: float
    """Degrees that a zoom video turns by each frame. At least -180, at most 180, default 0.0."""
    blend: float
    """Share of the frame before, as dreamt, in what the next frame of a clip starts from. At least
    0, below 1, default 0.15.
    """
    fps: float | None
    """Of a video. Empty: 15, or the clip's own. At least 1, at most 60."""
    format: Literal["mp4", "webp"]
    """Of a video. Default "mp4"."""
    variations: int
    """Pictures to make, from this seed and those that follow it. At least 1, at most 16, default 1."""
    seed: int
    """Seed of the jitter. At least 0, at most 9,223,372,036,854,775,807, default 0."""


class ClassVisualizationOptions(CallOptions, total=False):
    """Optional params of class_visualization."""

    preset: Literal["lucid", "maco", "simonyan-2014", "yosinski-2015"]
    """Where the values left empty come from. Default "lucid"."""
    network: str
    """Name of the network. Default "palette"."""
    size: int | None
    """Side of each picture in pixels. Empty: what the network classifies, or 128. At least 8, at
    most 2,048.
    """
    variations: int
    """Pictures of each, from this seed and those that follow it. At least 1, at most 16, default 1."""
    steps: int | None
    """Steps of the ascent. At least 1, at most 20,000."""
    parametrization: Literal["pixels", "fourier", "phase"] | None
    """What is optimized: pixels, a spectrum of decorrelated colours, or its phases alone."""
    noise: float | None
    """Standard deviation of the start: of pixel values, or of a spectrum. At least 0, at most 1."""
    transforms: Mapping[str, float] | None
    """Random transforms of the picture in each step: names with their extent, such as jitter=8,
    rotate=10, applied in a fixed order; or none.
    """
    looks: int | None
    """Random views of the picture that a step averages over. At least 1, at most 64."""
    optimizer: Literal["gradient", "adam", "nadam", "lbfgs"] | None
    """How the objective is maximized."""
    step_size: float | None
    """Typical change of a value in a step: of a pixel in [0, 1], of a spectrum, of a phase in
    radians. Not for L-BFGS. Above 0, at most 100.
    """
    l2_weight: float | None
    """Cost of the squared distance from the mean color. At least 0, at most 1e+09."""
    p_weight: float | None
    """Cost of pixels outside the usual range. At least 0, at most 1e+09."""
    tv_weight: float | None
    """Cost of the total variation. At least 0, at most 1e+09."""
    decay: float | None
    """Share of its distance from the mean color that a pixel loses in each step. At least 0, below
    1.
    """
    blur: float | None
    """Standard deviation in pixels of a blur every few steps; 0: none. At least 0, at most 20."""
    blur_every: int | None
    """Steps from one blur to the next. At least 1, at most 1,000."""
    seed: int
    """Seed of the start and the transforms. At least 0, at most 9,223,372,036,854,775,807, default
    0.
    """
    format: Literal["png", "jpeg", "webp", "tiff"]
    """Of the result. PNG, WebP and TIFF keep transparency, a JPEG lies on white. JPEG and WebP lose
    a little. Default "png".
    """
    bit_depth: Literal[8, 16]
    """16 keeps finer steps, in PNG and TIFF files alone. Default 8."""


class FeatureVisualizationOptions(CallOptions, total=False):
    """Optional params of feature_visualization."""

    preset: Literal["lucid", "maco", "simonyan-2014", "yosinski-2015"]
    """Where the values left empty come from. Default "lucid"."""
    network: str
    """Name of the network. Default "palette"."""
    size: int | None
    """Side of each picture in pixels. Empty: what the network classifies, or 128. At least 8, at
    most 2,048.
    """
    variations: int
    """Pictures of each, from this seed and those that follow it. At least 1, at most 16, default 1."""
    steps: int | None
    """Steps of the ascent. At least 1, at most 20,000."""
    parametrization: Literal["pixels", "fourier", "phase"] | None
    """What is optimized: pixels, a spectrum of decorrelated colours, or its phases alone."""
    noise: float | None
    """Standard deviation of the start: of pixel values, or of a spectrum. At least 0, at most 1."""
    transforms: Mapping[str, float] | None
    """Random transforms of the picture in each step: names with their extent, such as jitter=8,
    rotate=10, applied in a fixed order; or none.
    """
    looks: int | None
    """Random views of the picture that a step averages over. At least 1, at most 64."""
    optimizer: Literal["gradient", "adam", "nadam", "lbfgs"] | None
    """How the objective is maximized."""
    step_size: float | None
    """Typical change of a value in a step: of a pixel in [0, 1], of a spectrum, of a phase in
    radians. Not for L-BFGS. Above 0, at most 100.
    """
    l2_weight: float | None
    """Cost of the squared distance from the mean color. At least 0, at most 1e+09."""
    p_weight: float | None
    """Cost of pixels outside the usual range. At least 0, at most 1e+09."""
    tv_weight: float | None
    """Cost of the total variation. At least 0, at most 1e+09."""
    decay: float | None
    """Share of its distance from the mean color that a pixel loses in each step. At least 0, below
    1.
    """
    blur: float | None
    """Standard deviation in pixels of a blur every few steps; 0: none. At least 0, at most 20."""
    blur_every: int | None
    """Steps from one blur to the next. At least 1, at most 1,000."""
    seed: int
    """Seed of the start and the transforms. At least 0, at most 9,223,372,036,854,775,807, default
    0.
    """
    format: Literal["png", "jpeg", "webp", "tiff"]
    """Of the result. PNG, WebP and TIFF keep transparency, a JPEG lies on white. JPEG and WebP lose
    a little. Default "png".
    """
    bit_depth: Literal[8, 16]
    """16 keeps finer steps, in PNG and TIFF files alone. Default 8."""
    layer: str | None
    """Name of the layer. Empty: one in the middle."""
    objective: Literal["channel", "neuron", "layer", "caricature", "direction"] | None
    """channel: whole channels; neuron: one neuron in the middle of each; layer: the energy of the
    layer; of an example, caricature: its features at each position; direction: their mean, at any
    position. Empty: channel.
    """
    channels: str | int | Sequence[str | int] | None
    """One picture each: numbers, or ranges such as 0-8. Empty: the first nine."""
    terms: Sequence[str] | Mapping[str, float] | None
    """Instead of a layer: several units in one picture, with weights. conv4_1 is a layer, conv4_1:7
    a channel, conv4_1:7:neuron its neuron in the middle.
    """
    sign: Literal["positive", "negative", "both"]
    """Maximize the unit, minimize it, or both. Default "positive"."""
    diversity: float
    """Weight of the difference between the variations; 0: none. At least 0, at most 1e+06, default
    0.0.
    """


class FeatureInversionOptions(CallOptions, total=False):
    """Optional params of feature_inversion."""

    network: str
    """Name of the network. Default "palette"."""
    layers: str | Sequence[str] | None
    """A reconstruction is made from each. Empty: the end of each stage, the last pool and the class
    scores.
    """
    size: int
    """Longer side of each picture in pixels. At least 16, at most 2,048, default 128."""
    steps: int
    """Optimizer iterations for each picture. At least 1, at most 20,000, default 200."""
    variations: int
    """Reconstructions from each layer, from noise of this seed and those that follow it. At least 1,
    at most 16, default 1.
    """
    p_weight: float
    """Cost of pixels outside the usual range. At least 0, at most 1e+06, default 1e-05."""
    tv_weight: float
    """Cost of squared differences between neighbours. At least 0, at most 1e+06, default 0.001."""
    optimizer: Literal["lbfgs", "adam"]
    """How the loss is minimized. Default "lbfgs"."""
    parametrization: Literal["fourier", "pixels"]
    """What is optimized: a spectrum, or pixels. Default "fourier"."""
    seed: int
    """Seed of the noise it starts from. At least 0, at most 9,223,372,036,854,775,807, default 0."""
    format: Literal["png", "jpeg", "webp", "tiff"]
    """Of the result. PNG, WebP and TIFF keep transparency, a JPEG lies on white. JPEG and WebP lose
    a little. Default "png".
    """
    bit_depth: Literal[8, 16]
    """16 keeps finer steps, in PNG and TIFF files alone. Default 8."""


class TextureSynthesisOptions(CallOptions, total=False):
    """Optional params of texture_synthesis."""

    size: int
    """Longer side of the result in pixels. At least 16, at most 8,192, default 512."""
    aspect: float
    """Width of the result divided by its height. At least 0.03125, at most 32, default 1.0."""
    seamless: bool
    """Make a tile: its left edge goes on at its right one, its top edge at its bottom one. Default
    false.
    """
    source_size: int | None
    """Longer side of the texture in pixels: more gives a larger pattern. Empty: its own, or that of
    the result if this is smaller. At least 16, at most 8,192.
    """
    steps: int
    """Optimizer iterations over all scales. At least 1, at most 20,000, default 300."""
    layers: Sequence[str] | Mapping[str, float] | None
    """Layer names, or names with weights, whose correlations make the texture. Empty: the first of
    each of the first stages.
    """
    tv_weight: float
    """Weight of the total variation: more gives calmer areas. At least 0, at most 1e+06, default
    0.07.
    """
    pooling: Literal["average", "max"]
    """Average is smoother, max is crisper. Default "average"."""
    network: str
    """Name of the network. Default "palette"."""
    variations: int
    """Pictures to make, from this seed and those that follow it. At least 1, at most 16, default 1."""
    seed: int
    """Seed of the noise it starts from. At least 0, at most 9,223,372,036,854,775,807, default 0."""
    format: Literal["png", "jpeg", "webp", "tiff"]
    """Of the result. PNG, WebP and TIFF keep transparency, a JPEG lies on white. JPEG and WebP lose
    a little. Default "png".
    """
    bit_depth: Literal[8, 16]
    """16 keeps finer steps, in PNG and TIFF files alone. Default 8."""


class AdversarialOptions(CallOptions, total=False):
    """Optional params of adversarial."""

    method: Literal["fgsm", "bim", "pgd-linf", "pgd-l2", "fooling", "linear"]
    """fgsm: one step along the gradient's sign; bim: several; pgd-linf, pgd-l2: several from a
    random start, within a distance by the largest change or by the sum of squares; fooling: from
    noise, until the network is sure; linear: a linear classifier of two drawn classes, fooled
    with its own weights. Default "pgd-linf".
    """
    target: str | int | None
    """The class to be taken for, by name or by index. Empty: any that it is not taken for now; for
    the linear classifier, planet.
    """
    against: str | int | None
    """Of the linear classifier: the class that it tells the target from. Empty: mountains."""
    epsilon: float | None
    """The largest change, in levels of 0 to 255. pgd-l2: the root of the sum of squares over all
    values; linear: the change at the heaviest weight; else that of any value. Empty: 8, for
    pgd-l2 1020, twice that for palette; for linear 24. Above 0, at most 255,000.
    """
    steps: int | None
    """Steps of an iterative method; fooling stops sooner if it gets there. Empty: the method's own.
    At least 1, at most 20,000.
    """
    step_size: float | None
    """Length of a step in levels, measured as epsilon is; of a fooling picture the mean change of a
    value. Empty: the method's own. Above 0, at most 255,000.
    """
    confidence: float | None
    """The probability at which a fooling picture is done. Empty: 0.996. Above 0, below 1."""
    size: int | None
    """Side of the square in pixels. Empty: what the network classifies, or 128. At least 8, at most
    2,048.
    """
    network: str
    """Name of the network to deceive. Default "palette"."""
    variations: int
    """Pictures to make, from this seed and those that follow it. At least 1, at most 16, default 1."""
    seed: int
    """Seed of noise, random starts and drawn pictures. At least 0, at most
    9,223,372,036,854,775,807, default 0.
    """


class ClassifyOptions(CallOptions, total=False):
    """Optional params of classify."""

    network: str
    """Name of the network that classifies. Default "efficientnet_lite0"."""
    networks: str | Sequence[str] | None
    """Several networks that classify together, in the place of one."""
    crops: Literal["center", "resize", "ten"]
    """center: the square in the middle; resize: the whole picture, squeezed into a square; ten: the
    mean over four corners, the middle, and the reflections of all five. Default "center".
    """
    scales: Sequence[float]
    """The mean over crops at each of these sizes of the picture. At 1 the square is 7/8 of the
    shorter side, at 0.875 all of it, at 2 a closer look. Default [1.0].
    """
    size: int | None
    """Side in pixels of the square that a network is shown. Empty: what it classifies, or 128. At
    least 8, at most 2,048.
    """
    temperature: float | None
    """Divides the scores of the classes: above 1 the probabilities are less certain. Empty: the
    network's own where it was measured, else 1. At least 0.001, at most 1,000.
    """
    dataset: str | None
    """A set of pictures, in the place of one; the predictions are a file of JSON lines."""
    top: int
    """Number of classes to name, the most likely first. At least 1, at most 1,000, default 5."""
    ensemble: Literal["average", "compare"]
    """Of several networks: average, the mean of their probabilities; compare, one beside the other.
    Default "average".
    """
    figure: bool
    """Also draw each picture beside bars of its classes, which takes about 20 ms a picture. Default
    false.
    """


class SaliencyOptions(CallOptions, total=False):
    """Optional params of saliency."""

    methods: (
        str
        | Sequence[
            Literal[
                "gradient",
                "smooth_grad",
                "integrated_gradients",
                "guided_backprop",
                "deconvnet",
                "grad_cam",
                "smooth_grad_cam",
                "score_cam",
            ]
        ]
    )
    """Any of gradient, smooth_grad, integrated_gradients, guided_backprop, deconvnet, grad_cam,
    smooth_grad_cam, score_cam. deconvnet finds its way back by max pools, as VGG has them;
    score_cam takes longest. Default ["gradient", "guided_backprop", "grad_cam"].
    """
    target: str | int | None
    """The class whose score is explained, by name or by index. Empty: the most likely."""
    layer: str | None
    """Explain one neuron of this layer in place of a class."""
    channel: int | None
    """Channel of the neuron. Empty: the most active. At least 0."""
    position: str | Sequence[int] | None
    """Row and column of the neuron in the map of its layer. Empty: where it is most active."""
    cam_layer: str | None
    """The layer whose maps grad_cam, smooth_grad_cam and score_cam weigh. Empty: the last one with
    positions, before its pool.
    """
    network: str
    """Name of the network to look into. Default "efficientnet_lite0"."""
    size: int | None
    """Side in pixels of the square that the network sees. Empty: what it classifies, or 128. At
    least 8, at most 2,048.
    """
    samples: int
    """Copies of the picture that smooth_grad and smooth_grad_cam average over. At least 1, at most
    500, default 25.
    """
    noise: float
    """Standard deviation of their noise, as a share of the picture's range of values. At least 0, at
    most 1, default 0.15.
    """
    nodes: int
    """Pictures between baseline and picture that integrated_gradients sums over. At least 1, at most
    1,000, default 50.
    """
    baseline: Literal["black", "mean", "white", "blurred"]
    """Where integrated_gradients starts: black; mean, the network's mean color; white; or blurred,
    the picture without its detail. What has the baseline's color counts for nothing. Default
    "black".
    """
    seed: int
    """Seed of the noise. At least 0, at most 9,223,372,036,854,775,807, default 0."""


class OcclusionOptions(CallOptions, total=False):
    """Optional params of occlusion."""

    target: str | int | None
    """The class whose probability is followed, by name or by index. Empty: the most likely."""
    window: int | None
    """Side of the square that hides a part, in pixels of the size that the network is shown. Empty:
    a seventh of that. At least 1, at most 2,048.
    """
    stride: int | None
    """Pixels from one position of the square to the next; the last ones are flush with the edges.
    Empty: half of the square's side. At least 1, at most 2,048.
    """
    fill: Literal["gray", "black", "white", "blur", "local-mean"]
    """What the square shows. gray: the color that the network takes for zero; black; white; blur:
    the picture itself, blurred; local-mean: the mean color of what it hides. Default "gray".
    """
    size: int | None
    """Side in pixels of the square picture that the network is shown. Empty: what it classifies, or
    128. At least 8, at most 2,048.
    """
    network: str
    """Name of the network that classifies. Default "efficientnet_lite0"."""


class ClassMapOptions(CallOptions, total=False):
    """Optional params of class_map."""

    target: str | int | None
    """The class to map, by name or by index. Empty: the most likely of the whole picture."""
    network: str
    """Name of the network to slide. Default "efficientnet_lite0"."""
    size: int | None
    """Longer side in pixels at which the picture is seen: the larger, the smaller the things that
    fill a window. Empty: 3 times what the network classifies. At least 16, at most 4,096.
    """


class ActivationsOptions(CallOptions, total=False):
    """Optional params of activations."""

    network: str
    """Name of the network. Default "efficientnet_lite0"."""
    layer: str | None
    """The layer to look at. Empty: one that responds to parts of things."""
    layers: str | Sequence[str] | None
    """Several layers, one below the other, in the place of one."""
    channels: str | int | Sequence[str | int] | None
    """Channels to show. Empty: as many as the limit, by their order."""
    order: Literal["index", "strongest"]
    """index: channels by number; strongest: those with the largest mean first. Default "index"."""
    limit: int
    """Channels shown of each layer at most, where none are named. At least 1, at most 256, default
    64.
    """
    scale: Literal["each", "common"]
    """common: a color means the same in all maps; each: every map has its own range. Default
    "common".
    """
    size: int | None
    """Side in pixels of the square that the network is shown. Empty: what it classifies, or 128. At
    least 8, at most 1,024.
    """


class FiltersOptions(CallOptions, total=False):
    """Optional params of filters."""

    network: str
    """Name of the network. Default "efficientnet_lite0"."""
    against: str | None
    """Another network to show beside it, such as one with random weights."""
    layer: str | None
    """A layer with a convolution. Empty: the first, which sees colors."""
    part: str | None
    """Which convolution of a layer that has several, such as depthwise. Empty: the first with
    filters larger than 1×1.
    """
    channels: str | int | Sequence[str | int] | None
    """Filters to show. Empty: the first, as many as the limit."""
    inputs: str | int | Sequence[str | int] | None
    """Slices to show of filters that have more than three: channels of the layer before. Empty: the
    first, as many as there are filters.
    """
    limit: int
    """Filters shown at most, where none are named. At least 1, at most 256, default 64."""
    scale: Literal["each", "common"]
    """each: every filter has its own range; common: a color means the same in all. Default "each"."""


class MaxPatchesOptions(CallOptions, total=False):
    """Optional params of max_patches."""

    network: str
    """Name of the network. Default "efficientnet_lite0"."""
    layer: str | None
    """The layer that channels belong to. Empty: one that responds to parts of things."""
    channels: str | int | Sequence[str | int] | None
    """Channels to look for. Empty: those that some picture excites the most."""
    patches: int
    """Patches of each channel, of as many pictures. At least 1, at most 36, default 9."""
    limit: int
    """Channels shown at most, where none are named. At least 1, at most 64, default 8."""
    projection: Literal["auto", "deconvnet", "guided", "none"]
    """What in each patch excites the channel: by a deconvolutional network, by guided
    backpropagation, or not shown. auto: a deconvolutional network where max pools remember the
    picture, else guided. Default "auto".
    """
    size: int | None
    """Side in pixels of the square that the network is shown. Empty: what it classifies, or 128. At
    least 8, at most 1,024.
    """


class EmbeddingOptions(CallOptions, total=False):
    """Optional params of embedding."""

    network: str
    """Name of the network. Default "efficientnet_lite0"."""
    layer: str | None
    """The layer whose activations are the code of a picture; of maps their means. Empty: the last
    before the scores of the classes.
    """
    method: Literal["tsne", "pca"]
    """How codes become places on the map of thumbnails: t-SNE, or principal components. Default
    "tsne".
    """
    perplexity: float
    """About how many neighbours of each picture t-SNE keeps; a third of the pictures at most. At
    least 2, at most 200, default 30.0.
    """
    neighbors: int
    """Nearest pictures to list of each. At least 1, at most 20, default 6."""
    probe: bool
    """Also learn the labels of the set from each layer alone, and say how well that goes. Default
    false.
    """
    probe_layers: str | Sequence[str] | None
    """Layers that labels are learned from. Empty: 12 at most, evenly spaced."""
    limit: int
    """Pictures at most; of larger sets evenly spaced ones. At least 8, at most 10,000, default
    10000.
    """
    size: int | None
    """Side in pixels of the square that the network is shown. Empty: what it classifies, or 128. At
    least 8, at most 1,024.
    """
    seed: int
    """Seed of the pictures that a probe is tested on, and of components of large sets. At least 0,
    at most 9,223,372,036,854,775,807, default 0.
    """


class EvaluateOptions(CallOptions, total=False):
    """Optional params of evaluate."""

    network: str
    """Name of the network that classifies. Default "efficientnet_lite0"."""
    networks: str | Sequence[str] | None
    """Several networks that classify together, in the place of one."""
    crops: Literal["center", "resize", "ten"]
    """center: the square in the middle; resize: the whole picture, squeezed into a square; ten: the
    mean over four corners, the middle, and the reflections of all five. Default "center".
    """
    scales: Sequence[float]
    """The mean over crops at each of these sizes of the picture. At 1 the square is 7/8 of the
    shorter side, at 0.875 all of it, at 2 a closer look. Default [1.0].
    """
    size: int | None
    """Side in pixels of the square that a network is shown. Empty: what it classifies, or 128. At
    least 8, at most 2,048.
    """
    temperature: float | None
    """Divides the scores of the classes: above 1 the probabilities are less certain. Empty: the
    network's own where it was measured, else 1. At least 0.001, at most 1,000.
    """
    labels: Literal["names", "indices"]
    """What the labels of the set are: names of the network's classes, or their indices. Default
    "names".
    """
    shown: int
    """Pictures on the sheet, wrong ones first. At least 0, at most 200, default 24."""


class ArchitectureOptions(CallOptions, total=False):
    """Optional params of architecture."""

    network: str | None
    """Name of the network; its weights are not needed. Default "efficientnet_lite0"."""
    layers: str | Sequence[Mapping[str, JsonValue]] | None
    """Instead of a network, a list of layers: [(CONV-RELU)*2-POOL]*3-[FC-RELU]*2-FC, with sizes as
    in CONV5x5-10/1p2 (10 filters of 5 × 5, stride 1, padding 2), or as JSON.
    """
    input: int | str | Sequence[int] | None
    """Side in pixels, or channels, height and width. Empty: what the network classifies, or 224."""
    rounding: Literal["floor", "ceil"] | None
    """How layers of the list round a size that is not whole. Empty: it is an error."""


class GradientCheckOptions(CallOptions, total=False):
    """Optional params of gradient_check."""

    architecture: Literal[
        "linear",
        "mlp",
        "cnn",
        "lenet",
        "lenet_1998",
        "alexnet",
        "alexnet_2012",
        "zfnet",
        "zfnet_lecture",
        "vgg_a",
        "vgg_a_lrn",
        "vgg_b",
        "vgg_c",
        "vgg_d",
        "vgg_e",
        "googlenet",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnet20",
        "resnet32",
        "resnet44",
        "resnet56",
        "plain18",
        "plain34",
        "plain20",
        "plain32",
        "plain44",
        "plain56",
    ]
    """The network, of random weights. Default "cnn"."""
    architecture_params: Mapping[str, bool | int | float | str]
    """As `architecture` takes them, such as `{"activation": "tanh"}`. Default {}."""
    batch_norm: bool
    """Behind each convolution. Default false."""
    initialization: Literal["he", "xavier", "glorot", "constant"]
    """Of the weights; biases and norms get small numbers, too. Default "he"."""
    objective: Literal["softmax", "logistic", "hinge", "squared_hinge", "quadratic", "triplet"]
    """What is differentiated. Of triplet the last layer is the embedding. Default "softmax"."""
    margin: float
    """Of the hinges and of triplet. Above 0, at most 100, default 1.0."""
    label_smoothing: float
    """Share that is spread over all classes. At least 0, below 1, default 0.0."""
    l1: float
    """Weight of the sum of |w| in the objective. At least 0, at most 1, default 0.0."""
    l2: float
    """Weight of half the sum of w² in the objective. At least 0, at most 1, default 0.0."""
    size: int | None
    """Side in pixels of the random pictures. Empty: 16, or the least it needs. At least 4, at most
    256.
    """
    classes: int
    """Scores that the network gives. At least 2, at most 1,000, default 4."""
    batch_size: int
    """Random pictures, their classes in turn. At least 2, at most 64, default 6."""
    samples: int
    """Numbers of each weight and bias that are checked, at random places. At least 1, at most 1,000,
    default 20.
    """
    step: float
    """h of (f(w + h) - f(w - h)) / 2h. At least 1e-08, at most 0.01, default 1e-05."""
    seed: int
    """Seed of everything that is drawn at random. At least 0, at most 9,223,372,036,854,775,807,
    default 0.
    """


class TrainOptions(CallOptions, total=False):
    """Optional params of train."""

    preset: Literal["quick", "fine-tune", "from-scratch", "alexnet-2012"]
    """What is not said otherwise. Default "quick"."""
    name: str | None
    """Name of the new network. Empty: after the set and what it began with."""
    base: str | None
    """A trained network whose features are used or tuned."""
    transfer: Literal["svm", "head", "last", "all"] | None
    """svm: a linear SVM on its features; head: a linear classifier on its frozen layers; last: its
    last blocks, too; all: every layer, the earlier the slower.
    """
    feature_layer: str | None
    """The layer of `base` whose mean is classified. Empty: the last."""
    compare_layers: str | Sequence[str] | None
    """Also learn a linear classifier from each of these layers, and say how well it does."""
    last_blocks: int | None
    """Blocks that `last` tunes. At least 1, at most 100."""
    rate_decay: float | None
    """Of `all`: a block's rate over that of the next one. Above 0, at most 1."""
    architecture: (
        Literal[
            "linear",
            "mlp",
            "cnn",
            "lenet",
            "lenet_1998",
            "alexnet",
            "alexnet_2012",
            "zfnet",
            "zfnet_lecture",
            "vgg_a",
            "vgg_a_lrn",
            "vgg_b",
            "vgg_c",
            "vgg_d",
            "vgg_e",
            "googlenet",
            "resnet18",
            "resnet34",
            "resnet50",
            "resnet101",
            "resnet152",
            "resnet20",
            "resnet32",
            "resnet44",
            "resnet56",
            "plain18",
            "plain34",
            "plain20",
            "plain32",
            "plain44",
            "plain56",
        ]
        | None
    )
    """Trained from random weights, in the place of a trained network."""
    architecture_params: Mapping[str, bool | int | float | str] | None
    """As `architecture` takes them, such as `{"width": 0.5}`."""
    batch_norm: bool | None
    """Behind each convolution."""
    initialization: Literal["he", "xavier", "glorot", "constant"] | None
    """Variance of random weights. he: 2 / inputs; xavier: 1 / inputs; glorot: 2 / (inputs +
    outputs); constant: the square of `initial_std`.
    """
    initial_std: float
    """Of weights, of the initialization constant. Above 0, at most 1, default 0.01."""
    size: int | None
    """Side in pixels of the square that it is shown. At least 8, at most 1,024."""
    objective: Literal["softmax", "logistic", "hinge", "squared_hinge", "quadratic", "triplet"] | None
    """softmax: cross-entropy; logistic: each class against the rest; hinge: the multiclass SVM,
    squared_hinge: with squares; quadratic: least squares; triplet: an embedding.
    """
    margin: float
    """Of the hinges and of triplet. Above 0, at most 100, default 1.0."""
    embedding: int
    """Numbers that triplet embeds in. At least 2, at most 4,096, default 64."""
    label_smoothing: float | None
    """Share of the label that is spread over all classes; of softmax, logistic and quadratic. At
    least 0, below 1.
    """
    l1: float
    """Weight of the sum of |w| in the objective. At least 0, at most 1, default 0.0."""
    l2: float
    """Weight of half the sum of w² in the objective. At least 0, at most 1, default 0.0."""
    epochs: int | None
    """How often each picture is shown at most. Empty: the preset's, or with few pictures, as often
    as `least_steps` takes. At least 1, at most 10,000.
    """
    least_steps: int | None
    """There are more epochs than `epochs` if these have fewer steps. Empty: the preset's, or 0 where
    `epochs` is said. At least 0, at most 1,000,000.
    """
    batch_size: int | None
    """Pictures that a step learns from. At least 1, at most 4,096."""
    optimizer: Literal["sgd", "adam", "adamw", "muon"] | None
    """How a step follows the gradient."""
    learning_rate: float | None
    """Empty: the preset's, or the optimizer's usual. Above 0, at most 100."""
    find_learning_rate: bool
    """Look for the learning rate first, by a range test. Default false."""
    momentum: float | None
    """Of sgd and muon: what a step keeps of the one before. At least 0, below 1."""
    weight_decay: float | None
    """Of weights, not of biases and norms. sgd and adam add it times the weight to the gradient;
    adamw and muon take it times the rate of each weight in a step. At least 0, at most 10.
    """
    schedule: Literal["constant", "step", "plateau", "cosine", "one_cycle"] | None
    """Of the learning rate."""
    warm_up: float | None
    """Share of the steps of a rising rate. At least 0, at most 1."""
    step_epochs: int
    """Of `step`: epochs between them. At least 1, at most 10,000, default 30."""
    rate_factor: float
    """Of `step` and `plateau`: what each multiplies. Above 0, below 1, default 0.1."""
    plateau_patience: int
    """Of `plateau`: epochs without progress before it. At least 1, at most 1,000, default 5."""
    average: float | None
    """Decay a step of a moving average of the weights; 0: none is kept. At least 0, below 1."""
    metric: Literal["accuracy", "loss", "macro_f1"]
    """On the validation part: what is best. Default "accuracy"."""
    patience: int | None
    """Epochs without progress before it ends; 0: never. At least 0, at most 10,000."""
    min_delta: float
    """What the metric has to gain to count as progress. At least 0, at most 1, default 0.0."""
    flip: bool | None
    """Mirror half of the pictures."""
    crop: float | None
    """Smallest share of a picture's area that is shown; 1: all. Above 0, at most 1."""
    shift: float | None
    """Most of a side that a picture is moved. At least 0, at most 1."""
    rotation: float | None
    """Degrees. At least 0, at most 180."""
    distortion: float | None
    """Most of a side that a corner moves. At least 0, at most 0.5."""
    color: float | None
    """Strength of changes of light and color. At least 0, at most 1."""
    cutout: float | None
    """Side of a grey square, as share of a side. At least 0, at most 1."""
    mixup: float | None
    """Alpha of the beta distribution of shares; 0: none. At least 0, at most 10."""
    cutmix: float | None
    """Its alpha. At least 0, at most 10."""
    attack: float | None
    """L2 norm of an attack on half of each batch, at the end: what it learns is then clearer in
    pictures of its classes. At least 0, at most 100.
    """
    restarts: int
    """From other seeds; the best by validation is kept. At least 1, at most 64, default 1."""
    folds: int | None
    """Cross-validation on all that is not in the test part. At least 2, at most 20."""
    search: Mapping[str, Sequence[JsonValue]] | None
    """Values to try of some params: `{"learning_rate": [0.1, 0.01], "architecture_params.width":
    [16, 32]}`.
    """
    ensemble: int | None
    """Keep the mean of so many of the best trainings. At least 2, at most 16."""
    seed: int
    """Seed of everything that is drawn at random. At least 0, at most 9,223,372,036,854,775,807,
    default 0.
    """


class LearningRateRangeOptions(CallOptions, total=False):
    """Optional params of learning_rate_range."""

    preset: Literal["fine-tune", "from-scratch", "alexnet-2012"]
    """Of a training. Default "fine-tune"."""
    base: str | None
    """A trained network whose features are used or tuned."""
    transfer: Literal["svm", "head", "last", "all"] | None
    """svm: a linear SVM on its features; head: a linear classifier on its frozen layers; last: its
    last blocks, too; all: every layer, the earlier the slower.
    """
    feature_layer: str | None
    """The layer of `base` whose mean is classified. Empty: the last."""
    last_blocks: int | None
    """Blocks that `last` tunes. At least 1, at most 100."""
    rate_decay: float | None
    """Of `all`: a block's rate over that of the next one. Above 0, at most 1."""
    architecture: (
        Literal[
            "linear",
            "mlp",
            "cnn",
            "lenet",
            "lenet_1998",
            "alexnet",
            "alexnet_2012",
            "zfnet",
            "zfnet_lecture",
            "vgg_a",
            "vgg_a_lrn",
            "vgg_b",
            "vgg_c",
            "vgg_d",
            "vgg_e",
            "googlenet",
            "resnet18",
            "resnet34",
            "resnet50",
            "resnet101",
            "resnet152",
            "resnet20",
            "resnet32",
            "resnet44",
            "resnet56",
            "plain18",
            "plain34",
            "plain20",
            "plain32",
            "plain44",
            "plain56",
        ]
        | None
    )
    """Trained from random weights, in the place of a trained network."""
    architecture_params: Mapping[str, bool | int | float | str] | None
    """As `architecture` takes them, such as `{"width": 0.5}`."""
    batch_norm: bool | None
    """Behind each convolution."""
    initialization: Literal["he", "xavier", "glorot", "constant"] | None
    """Variance of random weights. he: 2 / inputs; xavier: 1 / inputs; glorot: 2 / (inputs +
    outputs); constant: the square of `initial_std`.
    """
    initial_std: float
    """Of weights, of the initialization constant. Above 0, at most 1, default 0.01."""
    size: int | None
    """Side in pixels of the square that it is shown. At least 8, at most 1,024."""
    objective: Literal["softmax", "logistic", "hinge", "squared_hinge", "quadratic", "triplet"] | None
    """softmax: cross-entropy; logistic: each class against the rest; hinge: the multiclass SVM,
    squared_hinge: with squares; quadratic: least squares; triplet: an embedding.
    """
    margin: float
    """Of the hinges and of triplet. Above 0, at most 100, default 1.0."""
    embedding: int
    """Numbers that triplet embeds in. At least 2, at most 4,096, default 64."""
    label_smoothing: float | None
    """Share of the label that is spread over all classes; of softmax, logistic and quadratic. At
    least 0, below 1.
    """
    l1: float
    """Weight of the sum of |w| in the objective. At least 0, at most 1, default 0.0."""
    l2: float
    """Weight of half the sum of w² in the objective. At least 0, at most 1, default 0.0."""
    batch_size: int | None
    """Pictures that a step learns from. At least 1, at most 4,096."""
    optimizer: Literal["sgd", "adam", "adamw", "muon"] | None
    """How a step follows the gradient."""
    momentum: float | None
    """Of sgd and muon: what a step keeps of the one before. At least 0, below 1."""
    weight_decay: float | None
    """Of weights, not of biases and norms. sgd and adam add it times the weight to the gradient;
    adamw and muon take it times the rate of each weight in a step. At least 0, at most 10.
    """
    flip: bool | None
    """Mirror half of the pictures."""
    crop: float | None
    """Smallest share of a picture's area that is shown; 1: all. Above 0, at most 1."""
    shift: float | None
    """Most of a side that a picture is moved. At least 0, at most 1."""
    rotation: float | None
    """Degrees. At least 0, at most 180."""
    distortion: float | None
    """Most of a side that a corner moves. At least 0, at most 0.5."""
    color: float | None
    """Strength of changes of light and color. At least 0, at most 1."""
    cutout: float | None
    """Side of a grey square, as share of a side. At least 0, at most 1."""
    mixup: float | None
    """Alpha of the beta distribution of shares; 0: none. At least 0, at most 10."""
    cutmix: float | None
    """Its alpha. At least 0, at most 10."""
    seed: int
    """Seed of everything that is drawn at random. At least 0, at most 9,223,372,036,854,775,807,
    default 0.
    """


class ExportNetworkOptions(CallOptions, total=False):
    """Optional params of export_network."""

    network: str
    """One that classifies. Default "efficientnet_lite0"."""
    size: int | None
    """Side in pixels of the pictures that it will take. Empty: any, or if its layers take no other,
    the one it classifies. At least 1, at most 2,048.
    """


class PullWeightsOptions(CallOptions, total=False):
    """Optional params of pull_weights."""


class ImportMembersOptions(CallOptions, total=False):
    """Optional params of import_members."""

    label: str | None
    """Label of the pictures that have none. Empty: they have none."""
    close: bool
    """Close the set at the end. Default false."""


class MakeDatasetOptions(CallOptions, total=False):
    """Optional params of make_dataset."""


__all__ = [
    "ActivationsOptions",
    "AdversarialOptions",
    "ArchitectureOptions",
    "ClassMapOptions",
    "ClassVisualizationOptions",
    "ClassifyOptions",
    "DeepDreamOptions",
    "EmbeddingOptions",
    "EvaluateOptions",
    "ExportNetworkOptions",
    "FeatureInversionOptions",
    "FeatureVisualizationOptions",
    "FiltersOptions",
    "GradientCheckOptions",
    "ImportMembersOptions",
    "LearningRateRangeOptions",
    "MakeDatasetOptions",
    "MaxPatchesOptions",
    "OcclusionOptions",
    "PullWeightsOptions",
    "SaliencyOptions",
    "StyleTransferOptions",
    "TextureSynthesisOptions",
    "TrainOptions",
]
