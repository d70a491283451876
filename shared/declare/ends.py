"""What the handlers of `on_completed` and `on_dead` are given: a job that has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema, to_json

P = TypeVar("P", bound=BaseModel)


class _NoneWhereItDoesNotFit:
    """The annotation of a payload that is None where its model does not take the stored JSON."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        # A function is given the value of the JSON, not its text; a strict model takes dates from
        # text only.
        from_text = core_schema.json_schema(schema)
        fitting = core_schema.no_info_wrap_validator_function(_read_or_none, from_text)
        return core_schema.json_or_python_schema(json_schema=fitting, python_schema=schema)


def _read_or_none(value: Any, read: Callable[[bytes], Any]) -> Any:
    try:
        return read(to_json(value, inf_nan_mode="constants"))
    except BaseException:  # noqa: BLE001 - a validator of the application may do anything
        return None


class JobError(BaseModel):
    """The error that a job died of. `where`, `stack`: the frames of its application."""

    type: str
    message: str
    where: str | None = None
    stack: list[str] = []


class Completed(BaseModel, Generic[P]):
    """A job that has completed. `result`: what its handler returned, as JSON has it; where it could
    not be kept, `result_error` has the reason."""

    model_config = ConfigDict(defer_build=True)  # cold start: one of these for each handler

    id: str
    queue: str
    type: str
    attempts: int
    payload: P
    result: Any = None
    result_error: str | None = None


class Dead(BaseModel, Generic[P]):
    """A job that is a dead letter now. `payload` is None where it did not fit its model."""

    model_config = ConfigDict(defer_build=True)  # as above

    id: str
    queue: str
    type: str
    attempts: int
    payload: Annotated[P | None, _NoneWhereItDoesNotFit()]
    error: JobError
