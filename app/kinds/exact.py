"""What JSON Schema says of values and pydantic does not: it takes true for 1."""

from functools import cache
from inspect import isclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, PydanticUndefined

# Any value but null, by what it may be: tools that make up values of a schema stumble over what it is not.
NOT_NULL: dict[str, Any] = {"type": ["array", "boolean", "number", "object", "string"]}


class Exact(BaseModel):
    """A model whose numbers are not given as truth values, nor its truth values as numbers.

    Text is taken for either, where it says what they are: so they come from a command line.
    """

    @field_validator("*", mode="before")
    @classmethod
    def _tell_apart(cls, value: Any, info: ValidationInfo) -> Any:
        tell_apart(cls, info.field_name or "", value)
        return value


def tell_apart(cls: type[BaseModel], name: str, value: Any) -> None:
    """Raises PydanticCustomError for a number in the place of a truth value of a field, or the reverse."""
    types = _types_of_field(cls, name)
    left = [value]
    while left:
        match left.pop():
            case list() | tuple() as several:
                left.extend(several)
            case dict() as members if not types & {BaseModel}:
                left.extend(members.values())
            case bool() if bool not in types and int in types:
                raise PydanticCustomError("number_needed", "A number is needed, not true or false")
            case bool():
                pass
            case int() | float() if bool in types and int not in types:
                raise PydanticCustomError("truth_value_needed", "true or false is needed, not a number")


@cache
def _types_of_field(cls: type[BaseModel], name: str) -> frozenset[type]:
    info = cls.model_fields[name]
    return frozenset(_types_in(info.annotation, info.metadata))


def _types_in(annotation: Any, metadata: Any = ()) -> set[type]:
    """Which of bool, int (for any number) and BaseModel (for any model) an input may consist of."""
    for each in metadata:
        if isinstance(each, BeforeValidator) and each.json_schema_input_type is not PydanticUndefined:
            return _types_in(each.json_schema_input_type)
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _types_in(arguments[0], arguments[1:])
    if get_origin(annotation) is Literal:
        return set().union(*(_types_in(type(value)) for value in arguments))
    if arguments:
        return set().union(*(_types_in(argument) for argument in arguments))
    if annotation is bool:
        return {bool}
    if isclass(annotation):
        return {base for base in (int, BaseModel) if issubclass(annotation, base)} or (
            {int} if issubclass(annotation, float) else set()
        )
    # Anything at all, such as any JSON.
    return {bool, int} if annotation not in (None, ...) else set()
