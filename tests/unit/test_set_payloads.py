"""Equal sets are one payload: in the stored text, for deduplication and for idempotency keys,
whatever the hash seed of the process that writes them."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from shared import App
from shared.declare.parse import parse_job
from shared.declare.payload import text_of
from shared.declare.queue import Queue
from shared.errors import InvalidPayload, UnknownQueue

SEEDS = ("0", "1", "2", "3")


@dataclasses.dataclass
class Part:
    words: frozenset[str]


class Node(BaseModel):
    model_config = ConfigDict(frozen=True)

    words: frozenset[str]


class Root(RootModel[frozenset[str]]):
    model_config = ConfigDict(frozen=True)


class Sets(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="allow")

    words: set[str]
    numbers: frozenset[int] = frozenset()
    pairs: set[tuple[int, str]] = Field(default_factory=set, alias="thePairs")
    nodes: frozenset[Node] = frozenset()
    by_name: dict[str, set[str]] = Field(default_factory=dict)
    listed: list[set[str]] = Field(default_factory=list)
    part: Part | None = None
    root: Root | None = None


app = App("app")
queue = app.queue("q")


@queue.job("sets")
async def sets(payload: Sets) -> None: ...


@queue.job("root")
async def root(payload: Root) -> None: ...


def written() -> list[str]:
    """Everything that names or compares payloads with sets, as this process writes it."""
    words = {"alpha", "beta", "gamma", "delta"}
    frozen = frozenset(words)
    payload = Sets(
        words=words,
        numbers=frozenset({8, 0, 16}),
        pairs={(1, "b"), (0, "c"), (1, "a")},
        nodes=frozenset({Node(words=frozen), Node(words=frozenset({"x", "y"}))}),
        by_name={"k": words},
        listed=[words, set()],
        part=Part(frozen),
        root=Root(frozen),
    )
    jobs = [
        sets.job(payload, dedup_ttl=60),
        sets.job(payload, idempotency_key="k"),
        root.job(Root(frozen), dedup_ttl=60),
    ]
    return [repr((job.payload, job.dedup, job.idempotency)) for job in jobs]


def over_http(words: list[str]) -> str | None:
    request = {"type": "sets", "payload": {"words": words}, "options": {"dedup": {}}}
    guard = parse_job(queue, request, find_queue=_none).dedup
    return guard and guard.name


def test_each_process_writes_one_text_and_one_name() -> None:
    script = f"from {__name__} import over_http, written; print(written(), over_http(['a', 'b']))"

    texts = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in SEEDS
    }  # fmt: skip

    assert len(texts) == 1
    assert "alpha" in texts.pop()


@pytest.mark.parametrize("words", [["b", "a"], ["a", "b", "a"]])
def test_a_set_has_one_name_however_it_was_sent(words: list[str]) -> None:
    assert over_http(words) == over_http(["a", "b"]) != over_http(["a", "b", "c"])


def test_equal_sets_of_one_process_are_one_payload() -> None:
    one, other = (Sets(words=set(), numbers=frozenset(numbers)) for numbers in ((0, 8), (8, 0)))

    assert text_of(sets, one) == text_of(sets, other)


def test_lists_and_dicts_keep_their_order() -> None:
    class Ordered(BaseModel):
        words: list[str]
        by_name: dict[str, list[int]]
        one: set[int] = Field(default_factory=lambda: {2, 1})

    async def handle(payload: Ordered) -> None: ...

    handle.__annotations__["payload"] = Ordered
    job_type = App("app").queue("q").job("t")(handle)

    text = text_of(job_type, Ordered(words=["b", "a"], by_name={"z": [2, 1], "a": [0]}))

    assert text == '{"words":["b","a"],"by_name":{"z":[2,1],"a":[0]},"one":[1,2]}'


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("options", [{}, {"dedup_ttl": 60}, {"idempotency_key": "k"}])
def test_a_model_that_writes_constants_is_refused(number: float, options: Any) -> None:
    class Constants(BaseModel):
        model_config = ConfigDict(ser_json_inf_nan="constants")

        x: float
        note: str = "Infinity, NaN"

    async def handle(payload: Constants) -> None: ...

    handle.__annotations__["payload"] = Constants
    job_type = App("app").queue("q").job("t")(handle)

    with pytest.raises(InvalidPayload, match="out of range"):
        job_type.job(Constants(x=number), **options)
    assert job_type.job(Constants(x=1.5), **options).payload


def _none(name: str) -> Queue:
    raise UnknownQueue(name)
