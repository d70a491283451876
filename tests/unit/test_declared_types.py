"""Whatever a user declares is refused where it is declared if its type or its range is wrong.

The options are read from the signatures, so a new one is tried too: it fails here until its
annotation stands in the tables below.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest

import shared
import shared.embedded
import shared.testing
from shared import (
    App,
    Cache,
    ConfigurationError,
    Isolation,
    KeyLimit,
    Overrides,
    Queue,
    RateLimit,
    Retention,
    Retry,
)
from shared.cache import set_default_client
from shared.declare.default_store import _Default as DefaultStore
from shared.declare.default_store import default_store, set_default_store
from shared.embedded import Limits
from shared.testing import FakeClock, LossyTransport
from tests.support.values import Number


class Seven(IntEnum):
    """A whole number of a class of its own."""

    SEVEN = 7


NOT_NUMBERS = (True, "5", None, timedelta(seconds=5), Decimal(5), [5], (n for n in (5,)), object())
NO_OBJECTS: tuple[Any, ...] = (True, 0, 5, 5.0, "five", {}, {"attempts": 3}, [], object())
OUT_OF_RANGE = (-1, 10**17)
NOT_FINITE = (math.nan, math.inf, -math.inf)


class Kind(NamedTuple):
    """Values that an annotation allows, and values that it does not."""

    right: tuple[Any, ...]
    wrong: tuple[Any, ...]

    def or_none(self) -> Kind:
        return Kind((*self.right, None), tuple(one for one in self.wrong if one is not None))


INT = Kind((1, Seven.SEVEN), (*NOT_NUMBERS, 2.5, 2.0, *NOT_FINITE, *OUT_OF_RANGE))
FLOAT = Kind((1, 1.0), (*NOT_NUMBERS, *NOT_FINITE, *OUT_OF_RANGE))
WAITS = (5, "12", b"12", None, {1: 2}, {1}, (n for n in (1, 2)), [True], ["1"], [-1], [math.inf])
KINDS = {
    "int": INT,
    "int | None": INT.or_none(),
    "float": FLOAT,
    "float | None": FLOAT.or_none(),
    "bool": Kind((True, False), (1, 0, "yes", None)),
    "str": Kind(("utc",), (5, None, True, b"utc", ["utc"], object())),
    "str | None": Kind((), (5, True, b"utc", ["utc"])),
    "Sequence[float]": Kind(([1, 2.5], (1,), range(1, 3)), WAITS),
    "tuple[float, ...]": Kind(((1, 2.5), ()), (*WAITS, [1, 2])),
    "Encrypt": Kind((True, False, "new"), ("old", 1, None, b"new")),
    "Origin | None": Kind((None,), NO_OBJECTS),
    "Priority": Kind(("high", "low"), ("urgent", "HIGH", 1, None, True, ["high"])),
    "Missed": Kind(("latest", "skip", "all"), ("some", 1, None, True)),
    "Overlap": Kind(("allow", "skip"), ("queue", 1, None, True)),
    "Retry": Kind((Retry.fixed(),), (*NO_OBJECTS, None, Retry)),
    "Retry | None": Kind((Retry.fixed(), None), (*NO_OBJECTS, Retry)),
    "RateLimit | None": Kind((RateLimit(5), None), (*NO_OBJECTS, RateLimit)),
    "bool | Isolation": Kind((True, False, Isolation()), (5, "yes", None, object(), Isolation)),
    "KeyLimit | None": Kind((KeyLimit(concurrency=2), None), (*NO_OBJECTS, KeyLimit)),
    "IfLimited": Kind(("defer", "refuse"), ("drop", 1, None, True)),
    "KeyFunction | None": Kind((lambda _payload: "a", None), NO_OBJECTS),
    "Retention": Kind((Retention(),), (*NO_OBJECTS, None, Retention)),
    "Retention | None": Kind((Retention(), None), (*NO_OBJECTS, Retention)),
    "Overrides": Kind((Overrides(),), (*NO_OBJECTS, None, Overrides)),
    "Overrides | None": Kind((Overrides(), None), (*NO_OBJECTS, Overrides)),
    "Clock": Kind((FakeClock(),), (*NO_OBJECTS, None)),
    "Clock | None": Kind((FakeClock(), None), NO_OBJECTS),
    "type[T]": Kind((Number, dict[str, int], int | None), (5, "Number", None, [int])),
    "JobType[P]": Kind((), (*NO_OBJECTS, None, len)),
    "P | Callable[[datetime], P]": Kind((Number(), lambda _at: Number()), (*NO_OBJECTS, None)),
    "Callable[[str], Iterable[str]] | None": Kind((str.split, None), NO_OBJECTS),
    "Callable[[], CacheClient] | None": Kind((list, None), NO_OBJECTS),
    "Callable[[], JobStore]": Kind((default_store,), (*NO_OBJECTS, None)),
    "H": Kind((lambda _error, _job: None,), (*NO_OBJECTS, None, lambda _error: None)),
    "httpx.AsyncBaseTransport": Kind((), (*NO_OBJECTS, None)),
    "Iterable[Fate]": Kind(((), []), (5, None, True, object())),
    "dict[str, JobType[Any]]": Kind(({},), (5, None, [], "a")),
    "Sequence[FailureHook]": Kind(((), []), (5, None, "a", [5])),
}


class Declaration(NamedTuple):
    """A public declaration: what makes it, on objects of its own, and what it must be given."""

    make: Callable[[], Callable[..., object]]
    given: Mapping[str, Any] = MappingProxyType({})


app = App("a")
queue = app.queue("q")


@queue.job("t")
async def handle(_payload: Number) -> None: ...


TRANSPORT = httpx.MockTransport(lambda _request: httpx.Response(200))
SCHEDULE = {"name": "s", "job_type": handle, "payload": Number(), "every": 60}
QUEUE = {name: getattr(queue, name) for name in inspect.signature(Queue).parameters}
DECLARATIONS = {
    "App": Declaration(lambda: App, {"name": "a"}),
    "App.queue": Declaration(lambda: App("a").queue, {"name": "q"}),
    "App.schedule": Declaration(lambda: App("a").schedule, SCHEDULE),
    "App.on_failure": Declaration(lambda: App("a").on_failure),
    "Queue": Declaration(lambda: Queue, QUEUE),
    "Queue.job": Declaration(lambda: App("a").queue("q").job, {"name": "t"}),
    "Retry": Declaration(lambda: Retry),
    "Retry.fixed": Declaration(lambda: Retry.fixed),
    "Retry.exponential": Declaration(lambda: Retry.exponential),
    "Retry.waits": Declaration(lambda: Retry.waits, {"waits": [1]}),
    "RateLimit": Declaration(lambda: RateLimit, {"rate": 5}),
    "KeyLimit": Declaration(lambda: KeyLimit, {"concurrency": 2}),
    "Retention": Declaration(lambda: Retention),
    "Isolation": Declaration(lambda: Isolation),
    "Overrides": Declaration(lambda: Overrides),
    "Cache": Declaration(lambda: Cache, {"name": "c", "model": Number}),
    "set_default_store": Declaration(lambda: set_default_store),
    "set_default_client": Declaration(lambda: set_default_client),
    "Limits": Declaration(lambda: Limits),
    "FakeClock": Declaration(lambda: FakeClock),
    "LossyTransport": Declaration(lambda: LossyTransport, {"inner": TRANSPORT}),
}
EVERY_NUMBER = {  # what is computed, or has no bound; its types are checked as all others are
    *(("Limits", name) for name in inspect.signature(Limits).parameters),
}
OWN_RIGHT = {  # where a right value depends on another option
    ("App.queue", "if_limited"): ("defer",),
    ("Queue", "if_limited"): ("defer",),
    ("KeyLimit", "concurrency"): (1, 2),
    ("App.schedule", "every"): (60, 1.5),
    ("App.schedule", "timezone"): ("UTC",),
    ("App.schedule", "cron"): (None,),
    ("Cache", "name"): ("a.b",),
    ("Isolation", "memory"): (2**26, None),
    ("RateLimit", "burst"): (0, 1),  # 0: as large as rate
}


OPTIONS = [
    (name, option, str(parameter.annotation))
    for name, declaration in DECLARATIONS.items()
    for option, parameter in inspect.signature(declaration.make()).parameters.items()
]


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    provider = DefaultStore.provider
    yield
    DefaultStore.provider = provider
    set_default_client(None)


def refusal(make: Callable[..., object], options: dict[str, Any]) -> str:
    try:
        make(**options)
    except ConfigurationError as error:
        return str(error)
    return "accepted"


@pytest.mark.parametrize(("name", "option", "annotation"), OPTIONS)
def test_a_wrong_value_is_refused_where_it_is_declared(
    name: str, option: str, annotation: str
) -> None:
    make, given = DECLARATIONS[name]
    for value in KINDS[annotation].wrong:
        if type(value) is int and (name, option) in EVERY_NUMBER:
            continue
        sentence = refusal(make(), {**given, option: value})
        assert option in sentence, (value, sentence)
        assert "\n" not in sentence


@pytest.mark.parametrize(("name", "option", "annotation"), OPTIONS)
def test_every_value_of_the_documented_type_is_accepted(
    name: str, option: str, annotation: str
) -> None:
    make, given = DECLARATIONS[name]
    for value in OWN_RIGHT.get((name, option), KINDS[annotation].right):
        make()(**{**given, option: value})


NO_DECLARATIONS = {
    "shared": {
        *("Cancel", "Discard", "RetryLater", "Snooze"),  # raised in handlers; see test_outcome
        *("ConfigurationError", "TidegateError"),
        *("Completed", "Dead", "JobContext", "JobFailure", "JobHandle"),  # made by Tidegate
    },
    "shared.embedded": {"EmbeddedStore", "open_embedded"},
    "shared.testing": {"Fate", "VirtualLoop"},
}


@pytest.mark.parametrize("module", [shared, shared.embedded, shared.testing])
def test_every_public_class_is_in_the_table(module: Any) -> None:
    classes = {name for name in module.__all__ if inspect.isclass(getattr(module, name))}

    assert classes <= set(DECLARATIONS) | NO_DECLARATIONS[module.__name__]


@pytest.mark.parametrize("declared", [App, Retry])
def test_every_method_that_declares_is_in_the_table(declared: type) -> None:
    runs = {"Retry.delay_after", "Retry.backoff", "Retry.with_overrides"}
    runs |= {"App.erase", "App.erase_sync"}
    names = {f"{declared.__name__}.{name}" for name in vars(declared) if not name.startswith("_")}
    methods = {name for name in names if callable(getattr(declared, name.partition(".")[2]))}

    assert methods <= set(DECLARATIONS) | runs
