"""App, Queue, job types: what works, and each contradiction in its sentence."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from shared import App, ConfigurationError, JobContext, Queue, Retry
from shared.declare.app import Registry
from shared.errors import UnknownQueue


class Payload(BaseModel):
    n: int = 0


@pytest.fixture
def queue() -> Queue:
    return App("app").queue("q")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "Upper"}, "use a-z, 0-9"),
        ({"name": "a{b}"}, "use a-z, 0-9"),
        ({"name": "x" * 65}, "use a-z, 0-9"),
        ({"name": ""}, "use a-z, 0-9"),
        ({"name": "a\n"}, "use a-z, 0-9"),
        ({"concurrency": 0}, "concurrency is 1 to 10000, or None"),
        ({"concurrency": 10_001}, "concurrency is 1 to 10000, or None"),
        ({"priority": "urgent"}, "priority is 'high', 'normal' or 'low', not 'urgent'"),
        ({"timeout": 0}, "does not fit any function's window"),
        ({"timeout": 898}, "choose 0 < timeout <= 897, or split the job"),
        ({"timeout": float("nan")}, "does not fit any function's window"),
        ({"payload_limit": 0}, "payload_limit is 1 byte to 4 MiB"),
        ({"shards": 0}, "shards is 1 to 32; for more, split it into several queues"),
        ({"shards": 33}, "shards is 1 to 32; for more, split it into several queues"),
        ({"payload_limit": 5 * 2**20}, "payload_limit is 1 byte to 4 MiB"),
    ],
)
def test_a_queue_that_can_not_work_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        App("app").queue(**{"name": "q", **options})


def test_names_are_unique(queue: Queue) -> None:
    app = App("one")
    app.queue("q")
    with pytest.raises(ConfigurationError, match="queue 'q' is declared twice"):
        app.queue("q")
    queue.job("t")(handle)
    with pytest.raises(ConfigurationError, match="'t' is declared twice on queue 'q'"):
        queue.job("t")
    other = App("two")
    other.queue("q")
    with pytest.raises(ConfigurationError, match="declared by two applications"):
        Registry([app, other])


@pytest.mark.parametrize("name", ["App", "a b", ""])
def test_an_application_has_a_plain_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="application"):
        App(name)


async def handle(payload: Payload) -> None: ...


def bare(payload) -> None: ...  # type: ignore[no-untyped-def]


def wrong(payload: dict[str, int]) -> None: ...


def none() -> None: ...


def three(payload: Payload, job: JobContext, more: int) -> None: ...


def unknown(payload: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (bare, "annotate its first parameter with a pydantic model"),
        (wrong, "annotate its first parameter with a pydantic model"),
        (none, "its first parameter takes the payload"),
        (three, "it takes the payload and, if wanted, the JobContext"),
        (unknown, "define the model at module level"),
    ],
)
def test_a_handler_must_say_its_payload(queue: Queue, handler: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        queue.job("t")(handler)


def test_a_decorator_without_its_parentheses_says_what_to_write(queue: Queue) -> None:
    with pytest.raises(ConfigurationError) as refused:
        queue.job(handle)  # type: ignore[arg-type]  # what is tested

    assert str(refused.value) == (
        "Queue.job: name is a text, not the function 'handle': a decorator is written with its "
        'name, as @queue.job("order.ship")'
    )


def test_what_a_handler_returns_may_be_a_name_for_type_checkers_only(queue: Queue) -> None:
    def handler(payload: Payload, job: JobContext) -> Nowhere: ...  # type: ignore[name-defined] # noqa: F821

    job_type = queue.job("t")(handler)

    assert job_type.model is Payload
    assert job_type.shape.context is not None


@pytest.mark.parametrize("name", ["", "x" * 65, "new\nline", " ", " a", "a ", "\u2003", "\0"])
def test_a_job_type_has_a_printable_name(queue: Queue, name: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 64 printable characters"):
        queue.job(name)


def test_a_job_type_takes_its_queues_numbers_unless_it_has_its_own(queue: Queue) -> None:
    plain = queue.job("plain")(handle)
    own = queue.job("own", timeout=5, retry=Retry.fixed(attempts=9))(handle)

    assert (plain.timeout, plain.retry) == (queue.timeout, queue.retry)
    assert (own.timeout, own.retry.attempts) == (5, 9)
    with pytest.raises(ConfigurationError, match="does not fit"):
        queue.job("long", timeout=1000)(handle)


async def test_a_job_type_is_still_the_function_it_wraps(queue: Queue) -> None:
    def double(payload: Payload, job: JobContext | None = None) -> int:
        return payload.n * 2

    job_type = queue.job("t")(double)

    assert job_type(Payload(n=4)) == 8
    assert (job_type.shape.is_async, job_type.shape.context) == (False, "")


def test_a_registry_orders_by_priority_and_then_as_declared() -> None:
    app = App("app")
    for name, priority in (("a", "low"), ("b", "normal"), ("c", "high"), ("d", "normal")):
        app.queue(name, priority=priority)  # type: ignore[arg-type]
    registry = Registry([app])

    assert [queue.name for queue in registry.queues()] == ["c", "b", "d", "a"]
    assert registry.queue("b").name == "b"
    with pytest.raises(UnknownQueue, match="no queue 'zzz'; known: a, b, c, d"):
        registry.queue("zzz")
