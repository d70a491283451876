"""Handler shapes: what can be called works, and what can't is refused with a sentence."""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared import App, ConfigurationError, JobContext, Queue
from shared.drain.budget import Budget
from shared.drain.execute import execute
from shared.drain.run import decode_claim
from shared.drain.threads import HandlerThreads
from shared.drain.timeouts import Timeouts
from shared.jobs.claim import Claim
from shared.jobs.job import Job
from shared.jobs.outcome import Outcome

if TYPE_CHECKING:
    from httpx import Client  # a name that only type checkers know


class Payload(BaseModel):
    n: int = 0


def none(payload: Payload) -> str:
    return f"{payload.n}"


def positional(payload: Payload, job: JobContext) -> str:
    return f"{payload.n} {job.type}"


def unannotated(payload: Payload, job) -> str:  # type: ignore[no-untyped-def]
    return f"{payload.n} {job.type}"


def positional_only(payload: Payload, job: JobContext, /) -> str:
    return f"{payload.n} {job.type}"


def keyword(payload: Payload, *, job: JobContext) -> str:
    return f"{payload.n} {job.type}"


def behind(payload: Payload, more: int = 5, job: JobContext | None = None) -> str:
    assert job is not None
    assert more == 5
    return f"{payload.n} {job.type}"


def optional(payload: Payload, job: Optional[JobContext] = None) -> str:  # noqa: UP045 - as written
    assert job is not None
    return f"{payload.n} {job.type}"


def annotated(payload: Payload, *, job: Annotated[JobContext | None, "context"] = None) -> str:
    assert job is not None
    return f"{payload.n} {job.type}"


def defaults(payload: Payload, more: int = 5, *args: Any, **kwargs: Any) -> str:
    assert (more, args, kwargs) == (5, (), {})
    return f"{payload.n}"


def checked_only(payload: Payload, job: JobContext, client: Client | None = None) -> str:
    assert client is None
    return f"{payload.n} {job.type}"


BODIES: list[Callable[..., str]] = [
    none, positional, unannotated, positional_only, keyword, behind, optional, annotated, defaults,
    checked_only,
]  # fmt: skip


def plain(body: Callable[..., str]) -> Callable[..., Any]:
    return body


def coroutine(body: Callable[..., str]) -> Callable[..., Any]:
    @functools.wraps(body)
    async def call(*args: Any, **kwargs: Any) -> str:
        return body(*args, **kwargs)

    return call


def wrapped(inner: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(inner)
    def call(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return call


def wrapped_async(inner: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(inner)
    async def call(*args: Any, **kwargs: Any) -> Any:
        result = inner(*args, **kwargs)
        return await result if isinstance(result, types.CoroutineType) else result

    return call


def partial(inner: Callable[..., Any]) -> Callable[..., Any]:
    return functools.partial(inner)


WRAPPERS = [wrapped, wrapped_async, partial]


async def outcome_of_job(queue: Queue) -> Outcome:
    body = Job("t", '{"n":7}').body()
    claim = Claim("a 1 o 1 0", "a", 1, "q", 0, 0, exclusive=False, body=body, history="")
    threads = HandlerThreads(1)
    run = decode_claim(claim, queue)
    try:
        return await execute(run, Budget.of(60), threads, Timeouts())
    finally:
        threads.shutdown()


@given(
    body=st.sampled_from(BODIES),
    made=st.sampled_from([plain, coroutine]),
    wrappers=st.lists(st.sampled_from(WRAPPERS), max_size=3),
)
async def test_any_shape_of_handler_gets_its_payload_and_its_context(
    body: Callable[..., str], made: Callable[..., Any], wrappers: list[Callable[..., Any]]
) -> None:
    queue = App("app").queue("q")
    handler = functools.reduce(lambda inner, wrap: wrap(inner), wrappers, made(body))
    queue.job("t")(handler)

    outcome = await outcome_of_job(queue)

    expected = "7" if body in (none, defaults) else "7 t"
    assert outcome == Outcome("done", detail={"result": expected})


class Service:
    """Handlers that belong to an object."""

    def method(self, payload: Payload, job: JobContext) -> str:
        return f"{payload.n} {job.type}"

    async def async_method(self, payload: Payload, *, job: JobContext) -> str:
        return f"{payload.n} {job.type}"

    @classmethod
    def of_class(cls, payload: Payload, job: JobContext) -> str:
        return f"{payload.n} {job.type}"

    @staticmethod
    async def static(payload: Payload, job: JobContext) -> str:
        return f"{payload.n} {job.type}"


class CallableHandler:
    def __call__(self, payload: Payload, job: JobContext) -> str:
        return f"{payload.n} {job.type}"


class AsyncCallable:
    async def __call__(self, payload: Payload, job: JobContext) -> str:
        return f"{payload.n} {job.type}"


def with_prefix(prefix: str, payload: Payload, job: JobContext) -> str:
    return f"{prefix}{payload.n} {job.type}"


@pytest.mark.parametrize(
    "handler",
    [
        Service().method,
        Service().async_method,
        Service.of_class,
        Service.static,
        CallableHandler(),
        AsyncCallable(),
        functools.partial(AsyncCallable()),
        functools.partial(with_prefix, ""),
        functools.partial(Service().method),
    ],
)
async def test_methods_objects_and_partials_are_handlers(handler: Any) -> None:
    queue = App("app").queue("q")
    queue.job("t")(handler)

    assert await outcome_of_job(queue) == Outcome("done", detail={"result": "7 t"})


def generator(payload: Payload) -> Iterator[int]:
    yield payload.n


async def async_generator(payload: Payload) -> AsyncIterator[int]:
    yield payload.n


def three(payload: Payload, job: JobContext, more: int) -> None: ...


def only_keywords(*, payload: Payload) -> None: ...


def variadic(*payload: Payload) -> None: ...


def odd_annotation(payload: "1/0") -> None: ...  # type: ignore[valid-type] # noqa: UP037


def odd_syntax(payload: "a b") -> None: ...  # type: ignore[valid-type] # noqa: F722


def odd_context(payload: Payload, job: "JobContext | types.Missing" = None) -> None: ...  # type: ignore[name-defined] # noqa: UP037


def missing(payload: "types.Missing") -> None: ...  # type: ignore[name-defined] # noqa: UP037


@pytest.mark.parametrize(
    "handler",
    [
        generator,
        async_generator,
        functools.partial(generator),
        three,
        only_keywords,
        variadic,
        odd_annotation,
        odd_syntax,
        missing,
        odd_context,
        functools.partial(none, Payload()),
        functools.partial(none, payload=Payload()),
        lambda payload: None,
        print,
        len,
        dict,
        Service,
        Service.method,
        contextlib.nullcontext(),
        7,
        None,
        "handler",
    ],
)
def test_what_can_not_be_a_handler_is_refused_with_a_sentence(handler: Any) -> None:
    queue = App("app").queue("q")

    with pytest.raises(ConfigurationError, match="handler "):
        queue.job("t")(handler)
    assert queue.types == {}


@pytest.mark.parametrize("inner", [generator, async_generator])
async def test_a_body_behind_a_wrapper_that_did_not_run_is_no_success(inner: Any) -> None:
    queue = App("app").queue("q")
    queue.job("t")(wrapped(inner))

    outcome = await outcome_of_job(queue)

    assert (outcome.kind, outcome.detail["error"]["type"]) == ("retry", "TypeError")
