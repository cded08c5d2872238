"""The settings of one piece of training, taken from params by their names."""

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")


def settings_of(cls: type[S], params: object) -> S:
    """A dataclass filled with the resolved params that its fields are named after."""
    return cls(**{field.name: getattr(params, field.name) for field in fields(cls)})
