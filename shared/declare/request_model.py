"""The base of requests, and the message of a field: one sentence for every value that does not fit
it, whichever caller sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError
from pydantic_core.core_schema import custom_error_schema

NO_OBJECT = "a JSON object"


class RequestModel(BaseModel):
    """Base of requests: JSON's own types, no coercion, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, value: Any) -> Any:
        """Unknown fields are told together with the known ones, which pydantic does not name."""
        if not isinstance(value, dict):
            raise PydanticCustomError("no_object", NO_OBJECT)
        unknown = [name for name in value if name not in cls.model_fields]
        if not unknown:
            return value
        known = PydanticCustomError(
            "unknown", "unknown; choose from {known}", {"known": ", ".join(cls.model_fields)}
        )
        raise ValidationError.from_exception_data(
            cls.__name__,
            [InitErrorDetails(type=known, loc=(str(name),), input=None) for name in unknown],
        )


@dataclass(frozen=True, slots=True)
class Message:
    """In an annotation: what to say of a value that does not fit what stands before it."""

    text: str

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return custom_error_schema(
            handler(source), custom_error_type="misfit", custom_error_message=self.text
        )


def shown(**bounds: Any) -> FieldInfo:
    """Bounds, in JSON schema's words, that readers of the OpenAPI document see and something else
    checks: what they are for one job depends on its queue."""
    info: FieldInfo = Field(json_schema_extra=bounds)
    return info
