"""What the fields of records are made of: numbers with their ranges, options of methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, NonNegativeFloat, NonNegativeInt

Count: TypeAlias = NonNegativeInt
Amount: TypeAlias = NonNegativeFloat  # the unit is said where it is used
Scalar: TypeAlias = bool | int | float | str | None
Several: TypeAlias = Scalar | tuple[Scalar, ...]  # a tuple: several values to choose from
OptionValue: TypeAlias = Several | Mapping[str, Several]


def _switch(value: object) -> object:
    """YAML reads `on` and `off` as true and false."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


Switch = Annotated[Literal["on", "off"], BeforeValidator(_switch, json_schema_input_type=bool | Literal["on", "off"])]


class Strict:
    """Base of the records' types: a field that they do not have is an error when a file is read."""

    __slots__ = ()
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")
