"""Results of the kinds that make, fetch or check files."""

from pydantic import Field

from app.kinds.results.base import Result, Row


class ModelInput(Row):
    """What an ONNX model takes."""

    name: str
    shape: list[int | str] = Field(description="Pictures, channels, height, width; a letter: any number.")
    range: list[int] = Field(description="The lowest and the highest value of a pixel.")


class ExportNetworkResult(Result):
    """Result of an export as an ONNX model."""

    input: ModelInput
    outputs: dict[str, list[int | str]] = Field(description="Shapes by name; a letter: any number.")
    opset: int = Field(description="Of ONNX.")
    bytes: int = Field(description="Size of the model's file.")
    sha256: str = Field(description="Hash of the network's weights, in hex.")


class PullWeightsResult(Result):
    """Result of a download of weights."""

    network: str
    sha256: str = Field(description="Hash of the weights as they are kept, in hex.")
    file_sha256: str = Field(description="Hash of the file that was downloaded, in hex.")
    layers: list[str] = Field(description="Layers that have weights here.")
    source: str = Field(description="Where they are from, and their licence.")


class SkippedPicture(Row):
    """A picture that was not taken into a set."""

    name: str
    reason: str


class ImportMembersResult(Result):
    """Result of an import of a ZIP into a set."""

    dataset: str = Field(description="The id of the set.")
    sha256: str | None = Field(description="Hash of its content, in hex; null: it is open.")
    pictures: int = Field(description="Those in the ZIP.")
    added: int = Field(description="New members.")
    duplicates: int = Field(description="New members whose picture another member has, too.")
    present: int = Field(description="Those that were there already.")
    ignored: int = Field(description="Files that are no pictures.")
    skipped: list[SkippedPicture] = Field(description="Pictures that cannot be used, the first of them.")
    skipped_count: int = Field(description="All of them.")
    labels: int = Field(description="Labels that pictures have.")
    without_label: int = Field(description="Pictures without one.")
    rows_without_picture: list[str] = Field(description="Of the table of labels, the first of them.")
    rows_without_picture_count: int = Field(description="All of them.")


class MakeDatasetResult(Result):
    """Result of making a built-in set."""

    dataset: str = Field(description="The id of the set.")
    sha256: str | None = Field(description="Hash of its content, in hex.")
    members: int = Field(description="Pictures that it has.")
