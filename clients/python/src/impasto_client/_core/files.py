"""Which file of a job is written to which path."""

from collections.abc import Sequence
from pathlib import Path

from impasto_client._generated.kinds import KINDS
from impasto_client._generated.models import ArtifactView, JobView

# By media type; the first is that of a path without one, unless the kind has another.
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
    "image/tiff": (".tif", ".tiff"),
    "image/gif": (".gif",),
    "video/mp4": (".mp4",),
    "video/webm": (".webm",),
    "application/json": (".json",),
    "application/jsonl": (".jsonl",),
    "application/zip": (".npz", ".zip"),
    "application/octet-stream": (".safetensors", ".onnx", ".bin"),
    "text/csv": (".csv",),
    "text/markdown": (".md",),
    "text/plain": (".txt",),
}
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".mp4", ".webm"}
# Names of artifacts in the order in which they are the main one; others come after, in the order of names.
MAIN = ("image", "video", "model", "predictions")
# What is not saved unless it is named.
ASIDE = ("preview", "recipe")


def require_target(kind: str, path: Path) -> None:
    """Raise ValueError for an extension that no file of the kind can have; FileNotFoundError for a folder."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}.")
    extension = path.suffix.lower()
    known = {each for some in EXTENSIONS.values() for each in some}
    own = KINDS[kind].extensions if kind in KINDS else tuple(known)
    if extension and (extension not in known or (extension in PICTURES and extension not in own)):
        raise _wrong(path, own or (".json",))


def choose(job: JobView, path: Path, name: str | None) -> tuple[ArtifactView | None, Path]:
    """The artifact to write and the path to write it to; None: the result, as JSON.

    A path without an extension gets one; a folder gets a file named after the job. Raises ValueError.
    """
    found = _in_order(job.artifacts)
    if name is not None:
        found = [each for each in job.artifacts if each.name == name]
        if not found:
            known = ", ".join(each.name for each in job.artifacts) or "none"
            raise ValueError(f"{job.kind} {job.id} has no artifact {name!r}. Artifacts: {known}.")
    if path.is_dir():
        path = path / f"{job.kind}-{job.id}"
    elif path.suffix:
        return _by_extension(job, found, path, name), path
    if found:
        return found[0], path.with_name(path.name + _extension(job.kind, found[0]))
    return None, path.with_name(f"{path.name}.json")


def target_of(artifact: ArtifactView, path: Path) -> Path:
    """The path to write an artifact to, with an extension. Raises ValueError for a wrong one."""
    possible = extensions(artifact.media_type)
    if path.is_dir():
        path = path / artifact.name
    elif path.suffix.lower() in possible:
        return path
    elif path.suffix:
        raise _wrong(path, possible)
    return path.with_name(path.name + possible[0])


def _by_extension(
    job: JobView, found: Sequence[ArtifactView], path: Path, name: str | None
) -> ArtifactView | None:
    extension = path.suffix.lower()
    for artifact in found:
        if extension in extensions(artifact.media_type):
            return artifact
    if extension == ".json" and name is None and job.result is not None:
        return None
    raise _wrong(path, [each for artifact in found for each in extensions(artifact.media_type)] or [".json"])


def extensions(media_type: str) -> tuple[str, ...]:
    """The extensions of files of a media type."""
    return EXTENSIONS.get(media_type.partition(";")[0].strip(), (".bin",))


def _extension(kind: str, artifact: ArtifactView) -> str:
    possible = extensions(artifact.media_type)
    own = KINDS[kind].extensions if kind in KINDS else ()
    return next((each for each in possible if each in own), possible[0])


def _in_order(artifacts: Sequence[ArtifactView]) -> list[ArtifactView]:
    def rank(artifact: ArtifactView) -> tuple[int, str]:
        return MAIN.index(artifact.name) if artifact.name in MAIN else len(MAIN), artifact.name

    return sorted((each for each in artifacts if each.name not in ASIDE), key=rank)


def _wrong(path: Path, possible: Sequence[str]) -> ValueError:
    formats = " or ".join(dict.fromkeys(possible))
    return ValueError(f"{path} must end in {formats}: that is the format it is written in.")
