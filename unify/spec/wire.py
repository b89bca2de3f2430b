"""Models of the vendor's clients: keys in camelCase, absent and null are one, unknown keys are errors."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from pydantic.alias_generators import to_camel

from unify.spec.base import Noun


class Wire(Noun):
    """A model of the vendor's. `model_validate({"friendlyName": …})` reads its keys; `wire()` gives them back."""

    model_config = ConfigDict(alias_generator=to_camel)

    def wire(self) -> dict[str, Any]:
        """The JSON object: every key that was given, spelled as the vendor spells it."""
        return self.model_dump(mode="json", by_alias=True)

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


class StringInfo(Wire):
    """A message of the service: its key, the arguments, and the text."""

    value: str | None = None
    key: str | None = None
    args: tuple[str, ...] | None = None


class AuditedWire(Wire):
    """What every metadata object of the vendor ends with."""

    version: int | None = None
    updated_by: str | None = None
    updated_utc: datetime | None = None
    created_by: str | None = None
    created_utc: datetime | None = None
    instance_id: str | None = None


def _truth_value(value: Any) -> Any:
    if value is not None and not isinstance(value, bool):
        raise ValueError("is true or false")
    return value


No = Annotated[Literal[False], BeforeValidator(_truth_value)]
"""Nothing but false: 0 and 0.0 are equal to it, and are not it."""
Yes = Annotated[Literal[True], BeforeValidator(_truth_value)]


def initial_lower(value: Any) -> Any:
    """The service writes `Structured` here and `structured` there: both are one word."""
    return value[:1].lower() + value[1:] if isinstance(value, str) else value
