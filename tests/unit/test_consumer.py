"""A consumer by itself, its store played from a script: nothing stalls it, and one bad job harms no
other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import BaseModel

from shared import App, JobContext, Queue
from shared.drain.budget import Budget
from shared.drain.consumer import Consumer
from shared.drain.exclusive import SharedExclusiveLock
from shared.drain.pool import DrainResources
from shared.drain.report import ConsumerReport, StopReason
from shared.drain.threads import HandlerThreads
from shared.drain.timeouts import Timeouts
from shared.errors import Unreachable
from shared.jobs.claim import Claim
from shared.store import Store, TurnReply, TurnRequest
from shared.store.turn import Settle, read_reply
from shared.testing import FakeClock, run_virtually
from tests.support.records import record


class Nothing(BaseModel):
    """No fields."""


class Played:
    """A store that answers turns from a script, each after 10 ms, and then with "empty"."""

    def __init__(self, replies: Sequence[TurnReply]) -> None:
        self.replies = list(replies)
        self.settled: list[Settle] = []
        self.wants: list[tuple[float, int]] = []
        """When each turn came, in whole seconds of the loop's clock, and how many it wanted."""
        self.on_turn: Callable[[], None] = lambda: None

    async def turn(
        self, _queue: Queue, ask: TurnRequest, *, within: float | None = None
    ) -> TurnReply:
        assert within
        self.settled += ask.settles
        self.wants.append((round(asyncio.get_running_loop().time()), ask.want))
        self.on_turn()
        await asyncio.sleep(0.01)
        return self.replies.pop(0) if self.replies else reply()


def reply(
    *claims: Claim,
    reason: Any = "empty",
    wait_ms: int = 0,
    suspects: int = 0,
    cancel: Sequence[str] = (),
    stale: Sequence[str] = (),
) -> TurnReply:
    sets = frozenset(stale), frozenset(cancel)
    return TurnReply(0, reason, wait_ms, suspects, *sets, {}, list(claims))


def claim(name: str, kind: str, history: str = "") -> Claim:
    body = f'{{"type":"{kind}"}}\n{{}}'
    return Claim(f"{name} 1 o 1 0", name, 1, "q", 0, 0, exclusive=False, body=body, history=history)


def drained(
    queue: Queue,
    store: Played,
    seconds: float,
    lock: SharedExclusiveLock | None = None,
    *,
    stop: bool = False,
) -> tuple[ConsumerReport, float]:
    """What a consumer reports, and how long it took."""

    async def run() -> tuple[ConsumerReport, float]:
        threads, shared = HandlerThreads(1), lock or SharedExclusiveLock()
        resources = DrainResources(shared, threads, Timeouts(), 10, 0.5)
        budget = Budget.of(seconds, clock=clock)
        consumer = Consumer(cast("Store", store), queue, budget, resources, resync=False)
        if stop:
            store.on_turn = lambda: consumer.stop(StopReason.SHUTDOWN)
        report = await consumer.run()
        threads.shutdown()
        return report, budget.used()

    clock = FakeClock(0)
    return run_virtually(run(), clock)


@pytest.fixture
def queue() -> Queue:
    queue = App("app").queue("q")

    @queue.job("fails")
    async def fails(_payload: Nothing) -> None:
        raise RuntimeError("no")

    @queue.job("works")
    async def works(_payload: Nothing) -> None:
        await asyncio.sleep(0.05)

    @queue.job("lasts")
    async def lasts(_payload: Nothing) -> None:
        await asyncio.sleep(40)

    @queue.job("tells")
    async def tells(_payload: Nothing, job: JobContext) -> None:
        job.progress(1, "half of a pair: \ud800")
        await asyncio.sleep(5)

    return queue


def test_a_history_that_is_not_ours_is_replaced_and_the_job_is_settled(queue: Queue) -> None:
    store = Played([reply(claim("a", "fails", history='{"errors":5,"mine":1}'))])
    report, took = drained(queue, store, 20)
    assert (report.outcomes, took < 1) == ({"retried": 1}, True)
    assert '"errors":[{"at"' in store.settled[0].history


def test_while_its_jobs_run_a_consumer_asks_for_more_about_every_15_s(
    queue: Queue,
) -> None:
    store = Played([reply(claim("a", "lasts"), claim("b", "lasts"))])
    report, _took = drained(queue, store, 120)
    began = store.wants[0][0]
    assert [(at - began, want) for at, want in store.wants] == [(0, 10), (16, 8), (32, 8), (40, 10)]
    assert (report.outcomes, report.turns, report.claimed) == ({"done": 2}, 4, 2)


def test_a_job_that_the_budget_cuts_off_goes_back_and_nothing_more_is_claimed(
    queue: Queue,
) -> None:
    store = Played([reply(claim("a", "lasts"))])
    report, took = drained(queue, store, 20)
    assert (report.stop, report.outcomes) == ("budget", {"released": 1})
    assert 17 <= took < 20
    assert [want for _at, want in store.wants] == [10, 0, 0]


def test_a_store_that_fails_ends_the_consumer_with_what_it_said(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise Unreachable("nobody answers")

    store = Played([])
    store.on_turn = fail
    report, _took = drained(queue, store, 20)
    assert (report.stop, report.error, report.turns) == ("store", "nobody answers", 1)
    (record,) = caplog.records
    assert record.getMessage() == "drain_store_error"
    assert (vars(record)["queue"], vars(record)["error"]) == ("q", "nobody answers")


def test_settles_that_came_too_late_are_counted_apart_and_named(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    claims = [claim(name, "works") for name in "abc"]
    late = reply(stale=[claims[0].lease, claims[2].lease])
    report, _took = drained(queue, Played([reply(*claims), late]), 20)
    assert (report.stale, report.outcomes) == (2, {"done": 1})
    told = [(r.getMessage(), vars(r)["queue"], vars(r)["job_id"]) for r in caplog.records]
    assert told == [("stale_settle", "q", "a.q"), ("stale_settle", "q", "c.q")]


@pytest.mark.parametrize(("wait_ms", "turns"), [(400, 2), (501, 1), (0, 1)])
def test_a_consumer_that_is_held_back_waits_as_long_as_its_patience_allows(
    queue: Queue, wait_ms: int, turns: int
) -> None:
    store = Played([reply(reason="limited", wait_ms=wait_ms)])
    report, took = drained(queue, store, 20)
    assert (report.turns, report.stop) == (turns, "empty" if turns == 2 else "limited")
    assert took == pytest.approx(0.02 + wait_ms / 1000 if turns == 2 else 0.01, abs=0.0005)


def test_a_bug_of_ours_beside_a_job_is_logged_and_the_job_is_retried_by_its_rule(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("shared.drain.pool.execute", broken)
    report, took = drained(queue, Played([reply(claim("a", "fails"))]), 20)
    assert (report.stop, report.outcomes, took < 1) == ("empty", {"retried": 1}, True)
    assert [record.getMessage() for record in caplog.records] == ["job_bug"]


def test_a_bug_of_ours_in_a_consumer_ends_it_with_what_it_was(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a slip")

    monkeypatch.setattr("shared.drain.consumer.decode_claim", broken)
    report, took = drained(queue, Played([reply(claim("a", "works"))]), 20)
    assert (report.stop, report.error, took < 1) == ("error", "ZeroDivisionError: a slip", True)
    assert [record.getMessage() for record in caplog.records] == ["consumer_bug"]


def test_a_consumer_that_waits_to_be_alone_ends_with_its_budget(queue: Queue) -> None:
    lock = SharedExclusiveLock()
    lock.acquire_shared()  # a neighbour's handler that would not stop
    report, took = drained(queue, Played([reply(reason="suspect", suspects=1)] * 9), 2, lock)
    assert report.stop in {"budget", "suspect"}
    assert took <= 2
    assert not lock.reserved


@pytest.mark.parametrize(
    ("replies", "seconds", "kind"),
    [([reply(cancel=["a"])], 60, "cancelled"), ([], 3, "released")],
    ids=["cancelled", "out of time"],
)
def test_a_job_that_waits_for_a_suspect_to_end_can_be_stopped(
    queue: Queue, replies: list[TurnReply], seconds: float, kind: str
) -> None:
    lock = SharedExclusiveLock()
    assert lock.try_acquire_exclusive()  # the suspect, which runs in another consumer
    store = Played([reply(claim("a", "works")), *replies])
    report, took = drained(queue, store, seconds, lock)
    assert report.outcomes == {kind: 1}
    assert took <= seconds


def test_what_is_claimed_while_the_consumer_is_stopped_goes_back_unstarted(queue: Queue) -> None:
    store = Played([reply(claim("a", "works"), claim("b", "works"))])
    report, took = drained(queue, store, 20, stop=True)
    assert [settle.kind for settle in store.settled] == ["release", "release"]
    assert (report.stop, report.outcomes, took < 0.1) == ("shutdown", {"released": 2}, True)


def test_progress_is_text_that_any_store_can_hold(queue: Queue) -> None:
    store = Played([reply(claim("a", "tells"))])
    report, _took = drained(queue, store, 20)
    (told,) = [settle for settle in store.settled if settle.kind == "keep"]
    assert "half of a pair: ?" in told.history
    assert told.history.encode()
    assert report.outcomes == {"done": 1}


@pytest.mark.parametrize(
    "bad",
    [
        record(body="{}", dedup="?").encode().replace(b"?", b"\xff"),
        record(body="{}").replace(" 0 0 0 ", f" 0 {'9' * 5000} 0 "),
        record(body="??").encode().replace(b"??", b"\xff\xff"),
        record(body='{"type":"works","attempts":1e9999}\n{}'),
        record(body="[" * 100_000),
    ],
    ids=["header not UTF-8", "a number too long", "body not UTF-8", "infinite", "too deep"],
)
def test_a_record_that_makes_no_sense_dies_alone_and_its_neighbours_run(
    queue: Queue, bad: str | bytes
) -> None:
    good = record(body='{"type":"works"}\n{}')
    flat = ["a 1 o 1 0", good, "b 1 o 1 0", bad, "c 1 o 1 0", good]
    told = read_reply("q", TurnRequest("o", 1, 3, 1000), [0, "more", 0, 0, "", "", [], flat])
    report, _took = drained(queue, Played([told]), 20)
    assert report.outcomes == {"done": 2, "dead": 1}


def test_jobs_that_no_longer_fit_go_back_and_the_consumer_claims_what_does(queue: Queue) -> None:
    quick = replace(
        reply(claim("a", "lasts")), histograms={"works": [99]}
    )  # a short type may follow
    store = Played([quick, reply(claim("b", "lasts"), claim("c", "works"))])
    report, _took = drained(queue, store, 20)
    assert (report.outcomes, report.stop) == ({"released": 2, "done": 1}, "budget")
    unstarted = [settle for settle in store.settled if not settle.started]
    assert [settle.lease[0] for settle in unstarted] == ["b"]
    assert 0 < unstarted[0].delay_ms <= 20_000
