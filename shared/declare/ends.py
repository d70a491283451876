"""What the handlers of `on_completed` and `on_dead` are given: a job that has ended."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

P = TypeVar("P", bound=BaseModel)


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
    payload: P | None
    error: JobError
