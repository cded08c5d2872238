"""Errors of sets."""

from collections.abc import Sequence
from http import HTTPStatus

from app.errors import ServiceError

_NAME = "birds"


class UnknownDataset(ServiceError):
    """There is no set of that id or name."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_dataset"
    example = (_NAME,)

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"There is no set {reference[:200]!r}: `GET /v1/datasets` lists those that there are."
        )


class DatasetNameInvalid(ServiceError):
    """A name that no set may have."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "dataset_name_invalid"
    example = ("My birds",)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name[:80]!r} cannot be the name of a set: use 1 to 64 of a-z, 0-9, '.', '_' and '-', "
            "beginning with a letter or digit, and no id.",
            field="name",
        )


class DatasetNameTaken(ServiceError):
    """Another set has that name."""

    status, type = HTTPStatus.CONFLICT, "dataset_name_taken"
    example = (_NAME,)

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a set {name!r} already: choose another name.", field="name")


class DatasetClosed(ServiceError):
    """A closed set never changes."""

    status, type = HTTPStatus.CONFLICT, "dataset_closed"
    example = (_NAME,)

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Set {name!r} is closed, and takes no more members: make another one, which may share its "
            "pictures by their ids."
        )


class DatasetEmpty(ServiceError):
    """A set without members cannot be closed."""

    status, type = HTTPStatus.CONFLICT, "dataset_empty"
    example = (_NAME,)

    def __init__(self, name: str) -> None:
        super().__init__(f"Set {name!r} has no members: add some before you close it.")


class DatasetInUse(ServiceError):
    """Jobs that have not ended need the set, or add to it."""

    status, type = HTTPStatus.CONFLICT, "dataset_in_use"
    example = (_NAME, ["0198c0de-0000-7000-8000-000000000000"])

    def __init__(self, name: str, jobs: Sequence[str]) -> None:
        shown = ", ".join(jobs[:5])
        super().__init__(
            f"Jobs that have not ended need set {name!r}, or add to it: {shown}. Cancel them, or wait."
        )


class DatasetTooLarge(ServiceError):
    """A set would have too many members or bytes."""

    status, type = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "dataset_too_large"
    example = ("A set may have 50,000 members, and this one would have 60,000: leave some out.", "members")

    def __init__(self, detail: str, field: str) -> None:
        super().__init__(detail, field=field)


class UnusableZip(ServiceError):
    """A ZIP that cannot be taken: damaged, hostile, or of a kind that is not read. Nothing of it is kept."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "zip_unusable"
    example = ("Entry '../a.png' leaves the folder. Zip a folder of pictures with an ordinary program.",)

    def __init__(self, detail: str) -> None:
        super().__init__(detail, field="file")


class UnusableLabels(ServiceError):
    """A table of labels that cannot be read."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "labels_unusable"
    example = ("Its first line has no column 'label': begin it with file,label.",)

    def __init__(self, detail: str) -> None:
        super().__init__(detail, field="labels")


class InvalidDataset(ServiceError):
    """A field of the request is wrong."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_dataset"
    example = ("file", "This is missing: send a ZIP as the field `file`.")

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, field=field)
