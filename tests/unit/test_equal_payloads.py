"""Jobs without a name of their own are duplicates if their payloads are equal, by whichever way
they came and however the payload was spelled; and only then."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, model_validator

from shared import App
from shared.declare.parse import parse_job
from shared.declare.queue import JobType, Queue
from shared.errors import UnknownQueue

numbers = itertools.count()
reads = itertools.count()


class CountedReads(BaseModel):
    kids: list[CountedReads] = []

    @model_validator(mode="after")
    def count(self) -> CountedReads:
        next(reads)
        return self


@pytest.mark.parametrize(
    ("dedup", "times"), [(None, 1), ("named", 1), ({"id": "named", "ttl": 60}, 1), ({}, 3)]
)
@pytest.mark.parametrize("depth", [0, 1, 90])
def test_a_deep_payload_is_read_three_times_at_most(dedup: Any, times: int, depth: int) -> None:
    queue = App("app").queue("q")

    @queue.job("t")
    async def handle(payload: CountedReads) -> None: ...

    payload: dict[str, Any] = {"kids": []}
    for _ in range(depth):
        payload = {"kids": [payload]}
    before = next(reads)
    parse_job(
        queue,
        {"type": "t", "payload": payload, "options": {"dedup": dedup}},
        find_queue=lambda _name: queue,
    )

    assert next(reads) - before - 1 == times * (depth + 1)


class Plain(BaseModel):
    n: int
    note: str = "none"
    tags: list[str] = Field(default_factory=list)


class TypedFields(BaseModel):
    x: float = 0
    at: dt.datetime | None = None
    more: Any = None


class AliasedField(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    user_id: int = Field(alias="userId")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    n: int = 0


class Secret(BaseModel):
    key: SecretStr


class Hidden(BaseModel):
    n: int = 0
    key: str = Field("", exclude=True)


class StampedModel(BaseModel):
    n: int = 0
    request: uuid.UUID = Field(default_factory=uuid.uuid4)


class CountedModel(BaseModel):
    n: int = Field(default_factory=lambda: next(numbers))


class RoundedField(BaseModel):
    x: Annotated[float, PlainSerializer(round)]


def job_type(model: Any) -> JobType[Any]:
    async def handle(payload: BaseModel) -> None: ...

    handle.__annotations__["payload"] = model
    return App("app").queue("q").job("t")(handle)


def find_none(name: str) -> Queue:
    raise UnknownQueue(name)


def name_over_http(job_type: JobType[Any], payload: Any) -> str:
    request = {"type": "t", "payload": payload, "options": {"dedup": {}}}
    dedup = parse_job(job_type.queue, request, find_queue=find_none).dedup
    assert dedup is not None
    return dedup.name


def name_in_python(job_type: JobType[Any], payload: BaseModel) -> str:
    dedup = job_type.job(payload, dedup_ttl=60).dedup
    assert dedup is not None
    return dedup.name


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
EQUAL: list[tuple[BaseModel, list[Any]]] = [
    (Plain(n=2), [{"n": 2}, {"n": "2"}, {"n": 2.0}, {"note": "none", "n": 2}, {"n": 2, "zzz": 1}]),
    (Plain(n=2, tags=["a"]), [{"tags": ["a"], "n": 2}]),
    (TypedFields(x=1), [{"x": 1}, {"x": 1.0}, {"x": "1"}, {"more": None, "x": 1, "at": None}]),
    (TypedFields(at=NOON), [{"at": "2026-01-01T12:00:00Z"}, {"at": "2026-01-01T12:00:00+00:00"}]),
    (TypedFields(more={"a": 1, "b": [2]}), [{"more": {"b": [2], "a": 1}}]),
    (AliasedField(user_id=5), [{"userId": 5}, {"user_id": 5}]),
    (Open.model_validate({"n": 1, "z": 2}), [{"z": 2, "n": 1}, {"n": "1", "z": 2}]),
]


@pytest.mark.parametrize(("given", "spellings"), EQUAL)
def test_equal_payloads_share_a_name_however_they_are_spelled(
    given: BaseModel, spellings: list[Any]
) -> None:
    jobs = job_type(type(given))

    names = {name_over_http(jobs, payload) for payload in spellings}

    assert names == {name_in_python(jobs, given)}


@pytest.mark.parametrize(
    ("model", "payloads"),
    [
        (Plain, [{"n": 1}, {"n": 2}, {"n": 1, "note": ""}, {"n": 1, "tags": ["none"]}]),
        (TypedFields, [{"more": 1}, {"more": 1.0}, {"more": "1"}, {"more": True}, {"more": None}]),
        (Open, [{"n": 1}, {"n": 1, "z": 1}, {"n": 1, "z": 2}]),
        (Secret, [{"key": "a"}, {"key": "b"}, {"key": "**********"}]),
        (Hidden, [{"key": "a"}, {"key": "b"}, {}]),
        (StampedModel, [{"request": str(uuid.UUID(int=n))} for n in range(3)]),
        (RoundedField, [{"x": 1.2}, {"x": 1.3}, {"x": 1}]),
    ],
)
def test_payloads_that_differ_never_share_a_name(model: Any, payloads: list[Any]) -> None:
    jobs = job_type(model)

    assert len({name_over_http(jobs, payload) for payload in payloads}) == len(payloads)


@pytest.mark.parametrize("model", [StampedModel, CountedModel])
def test_a_default_that_changes_each_time_does_not_hide_a_repeated_request(model: Any) -> None:
    jobs = job_type(model)

    assert len({name_over_http(jobs, {}) for _ in range(3)}) == 1


def test_another_type_has_another_name() -> None:
    jobs = job_type(Plain)
    other = jobs.queue.job("other")(jobs.handler)

    assert name_in_python(jobs, Plain(n=1)) != name_in_python(other, Plain(n=1))
