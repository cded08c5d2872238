"""Results of the kinds that look into networks."""

from typing import Literal

from pydantic import Field

from app.kinds.results.base import ClassRow, DamagedPictures, Result, Row

MAP_SIDE = "Side in pixels of the square that the network is shown."


class Neuron(Row):
    """A neuron of a layer."""

    layer: str
    channel: int = Field(description="From 0.")
    position: list[int] | None = Field(description="Row and column from 0; null: the layer has no positions.")
    activation: float


class SaliencyMethod(Row):
    """A map, and the numbers of integrated gradients."""

    method: str
    score_difference: float | None = Field(
        None, description="Of integrated gradients only: score of the picture minus that of the baseline."
    )
    attributed: float | None = Field(None, description="Of integrated gradients only: sum of the map.")
    completeness_error: float | None = Field(
        None,
        description="Of integrated gradients only: how far these are apart, relative to the first.",
    )


class SaliencyResult(Result):
    """Result of saliency: of a class, or with `layer` of a `neuron`."""

    network: str
    size: int = Field(description=MAP_SIDE)
    class_: str | None = Field(None, alias="class", description="The class that is explained.")
    index: int | None = Field(None, description="Its place among the network's classes, from 0.")
    probability: float | None = Field(None, description="Of this class, 0 to 1.")
    logit: float | None = Field(None, description="Its score before the softmax.")
    top: list[ClassRow] = Field([], description="The most likely classes, 5 at most.")
    neuron: Neuron | None = Field(None, description="The neuron that is explained.")
    cam_layer: str | None = Field(description="The layer of class activation maps; null: there are none.")
    methods: list[SaliencyMethod]


class OccludedSquare(Row):
    """What a square in front of the picture does."""

    top: int = Field(description="Upper edge in pixels.")
    left: int = Field(description="Left edge in pixels.")
    probability: float = Field(description="Of the class, 0 to 1.")
    drop: float = Field(description="What the probability loses, -1 to 1.")
    winner: str = Field(description="The class that is the most likely.")
    winner_index: int = Field(description="Its place among the network's classes, from 0.")


class OcclusionResult(Result):
    """Result of an occlusion."""

    network: str
    class_: str = Field(alias="class", description="The class that is followed.")
    index: int = Field(description="Its place among the network's classes, from 0.")
    probability: float = Field(description="Without a square, 0 to 1.")
    top: list[ClassRow] = Field(description="The most likely classes without a square, 5 at most.")
    size: int = Field(description=MAP_SIDE)
    window: int = Field(description="Side of the hiding square in pixels.")
    stride: int = Field(description="Pixels between squares.")
    positions: int = Field(description="Squares in all.")
    largest_drop: OccludedSquare
    lowest: float = Field(description="The lowest probability, 0 to 1.")
    highest: float = Field(description="The highest probability, 0 to 1.")
    changed_positions: int = Field(description="Squares that make another class win.")
    changed: list[OccludedSquare] = Field(description="These squares, 200 at most.")


class PixelEdges(Row):
    """Pixels from `top` and `left` to just before `bottom` and `right`."""

    top: int
    left: int
    bottom: int
    right: int


class StrongestWindow(Row):
    """Where a class is the most likely."""

    position: list[int] = Field(description="Row and column of the map, from 0.")
    probability: float = Field(description="Of the class, 0 to 1.")
    logit: float = Field(description="Its score before the softmax.")
    box: PixelEdges


class CommonClass(Row):
    """A class that is the most likely at many positions."""

    class_: str = Field(alias="class", description="Its name.")
    index: int = Field(description="Its place among the network's classes, from 0.")
    share: float = Field(description="Of the positions, 0 to 1.")


class ClassMapResult(Result):
    """Result of a class map."""

    network: str
    size: int = Field(description="Longer side of the picture in pixels, at most.")
    class_: str = Field(alias="class", description="The class of the map.")
    index: int = Field(description="Its place among the network's classes, from 0.")
    probability: float = Field(description="As the middle of the picture is classified, 0 to 1.")
    rows: int = Field(description="Of the map.")
    columns: int = Field(description="Of the map.")
    window: int = Field(description="Side in pixels of what a position sees.")
    stride: int = Field(description="Pixels between positions.")
    strongest: StrongestWindow
    common: list[CommonClass] = Field(description="The commonest first.")


class ChannelRow(Row):
    """A channel over the positions of a layer."""

    channel: int = Field(description="From 0.")
    mean: float
    max: float
    sparsity: float | None = Field(
        description="Hoyer's: 0 where all positions are alike, 1 where one alone is not 0; null: all are 0."
    )
    zero_share: float = Field(description="Positions that are exactly 0, 0 to 1.")
    dead: bool = Field(description="Whether it is above 0 nowhere.")


class ChannelTableRow(ChannelRow):
    """A channel that is shown."""

    layer: str


class LayerActivations(Row):
    """A layer for one picture."""

    layer: str
    shape: list[int] = Field(description="Channels, rows, columns; or units alone.")
    mean: float
    max: float
    sparsity: float | None = Field(description="Mean of the channels that have one.")
    zero_share: float = Field(description="Values that are exactly 0, 0 to 1.")
    dead_count: int = Field(description="Channels that are above 0 nowhere.")
    dead: list[int] = Field(description="These channels, from 0.")
    strongest: list[ChannelRow] = Field(description="Those with the largest means above 0, 5 at most.")


class ActivationsResult(Result):
    """Result of activations."""

    network: str
    size: int = Field(description=MAP_SIDE)
    layers: list[LayerActivations]
    table: list[ChannelTableRow] = Field(description="The first channels that are shown, 16 of a layer.")


class LayerFilters(Row):
    """The filters of a convolution."""

    network: str
    layer: str
    part: str | None = Field(description="Of the layer; null: the layer is the convolution.")
    shape: list[int] = Field(description="Filters, channels that each sees, height, width.")
    depthwise: bool = Field(description="Whether each sees one channel.")
    channels: list[int] = Field(description="Filters that are shown, from 0.")
    largest: float = Field(description="The largest absolute value of all weights.")
    rms: float = Field(description="Root of the mean square of all weights.")


class FiltersResult(Result):
    """Result of filters."""

    filters: list[LayerFilters] = Field(description="Of the network, and of the one beside it.")


class PatchRow(PixelEdges):
    """A patch that excites a channel, by the pixels that it is made of."""

    channel: int = Field(description="From 0.")
    rank: int = Field(description="From 1, the strongest.")
    activation: float
    picture: str = Field(description="The name of the member.")
    position: list[int] = Field(description="Row and column of the layer, from 0.")


class MaxPatchesResult(Result):
    """Result of a search for the strongest patches."""

    network: str
    layer: str
    projection: Literal["none", "deconvnet", "guided"] = Field(description="How activations become pixels.")
    pictures: int = Field(description="Those that were looked at.")
    damaged: DamagedPictures
    channels: list[int] = Field(description="Those that are shown, from 0.")
    never_excited: int = Field(description="Channels that no picture excites.")
    table: list[PatchRow]


class Neighbor(Row):
    """A picture that is like another."""

    name: str
    label: str | None
    similarity: float = Field(description="Cosine of the codes, -1 to 1.")


class ProbedLayer(Row):
    """How well the labels can be read off a layer."""

    layer: str
    dimensions: int = Field(description="Length of its codes.")
    accuracy: float = Field(description="On held-out pictures, 0 to 1.")


class ProbeSummary(Row):
    """What probes learned from."""

    labels: int = Field(description="How many there are.")
    trained_on: int = Field(description="Pictures.")
    tested_on: int = Field(description="Pictures.")
    chance: float = Field(description="Accuracy of always saying the commonest label, 0 to 1.")


class EmbeddingResult(Result):
    """Result of an embedding."""

    network: str
    layer: str
    dimensions: int = Field(description="Length of a code.")
    pictures: int = Field(description="Those that were arranged.")
    set_size: int = Field(description="Pictures of the set.")
    damaged: DamagedPictures
    neighbors_of_same_label: float | None = Field(
        description="Labelled pictures whose nearest has their label, 0 to 1; null: none is labelled."
    )
    query: list[Neighbor] | None = Field(None, description="With `image` only: what is like it.")
    probe: list[ProbedLayer] | None = Field(None, description="With `probe` only.")
    probe_summary: ProbeSummary | None = Field(None, description="With `probe` only.")


class ArchitectureTotals(Row):
    """Sums over all layers, for one picture; bytes are of float32."""

    parameters: int
    parameter_bytes: int
    multiply_adds: int
    values: int = Field(description="Of activations, the input's included.")
    bytes: int = Field(description="Of these values.")
    inference_bytes: int = Field(description="What the layer that needs the most takes at once.")
    training_bytes: int = Field(description="Values and parameters, with gradients and momentum.")


class ArchitectureRow(Row):
    """A layer. Null: it has no window of its own, or sees the whole input."""

    layer: str
    kind: str
    window: int | None = Field(description="Side of its window.")
    window_stride: int | None
    padding: int | None
    output: list[int] = Field(description="Channels, height, width; or units alone.")
    size: str | None = Field(description="How its size is computed.")
    parameters: int
    multiply_adds: int
    values: int = Field(description="Of its activations.")
    bytes: int = Field(description="Of these values, in float32.")
    training_bytes: int = Field(description="Of these values and their gradients.")
    receptive_field: int | None = Field(description="Side in pixels of what a position sees.")
    stride: int | None = Field(description="Pixels between positions.")


class RoundedSize(Row):
    """A size that is not whole."""

    layer: str
    size: str = Field(description="The division.")
    rounding: Literal["floor", "ceil"]
    result: int


class ArchitectureResult(Result):
    """Result of a table of layers."""

    network: str | None = Field(None, description="Null: a list of layers was given.")
    input: list[int] = Field(description="Channels, height, width.")
    totals: ArchitectureTotals
    table: list[ArchitectureRow]
    rounded: list[RoundedSize]
