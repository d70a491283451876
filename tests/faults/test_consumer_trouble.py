"""One consumer in trouble: the store fails, the lock is held, a record is damaged."""

from __future__ import annotations

import asyncio

import pytest

from shared import JobContext, RateLimit
from shared.drain.exclusive import SharedExclusiveLock
from shared.testing import FakeClock
from tests.faults.conftest import Play
from tests.support.records import record
from tests.support.turns import make_exclusive
from tests.support.values import Number
from tests.support.world import World


def test_a_foreign_history_is_replaced_and_the_job_is_settled(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue()

        @queue.job("fails")
        async def fails(payload: Number) -> None:
            raise RuntimeError("no")

        raw = record(body='{"type":"fails"}\n{}', history='{"errors":5,"mine":1}')
        await world.probe.seed("q", {"records": {"a": raw}, "normal": ["a"]})
        report = await world.drained(queue, patience=0)

        view = await world.store.inspect(queue, "a")
        assert report.outcomes == {"retried": 1}
        assert [error["type"] for error in view.history["errors"]] == ["RuntimeError"]

    play(story)


def test_a_cancel_request_reaches_a_running_job_within_seconds_and_turns_stay_few(
    play: Play[None],
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(seconds=200, timeout=300)
        await world.enqueue(queue, 1)
        draining = asyncio.create_task(world.drain(budget=290).run([queue]))
        await world.clock.sleep(65)
        await world.store.cancel(queue, "j0000")
        report = await draining

        assert report.outcomes == {"cancelled": 1}
        assert 65 <= report.seconds_used <= 65 + 15 + 2
        assert report.queues[0].turns <= 8
        # The turns that prolong the leases bring the request: nothing else was asked.
        assert set(world.store.meter.by_verb) <= {"enqueue", "cancel", "turn"}

    play(story)


def test_a_store_that_fails_ends_the_consumer_with_its_message(
    play: Play[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        client = world.client(answers=[(400, {"error": "ERR max requests limit exceeded."})])
        report = await world.drain(client).run([queue])

        assert (report.stop, report.queues[0].turns) == ("store", 1)
        assert "max requests limit" in (report.error or "")

    play(story)

    (line,) = [line for line in caplog.records if line.getMessage() == "drain_store_error"]
    assert (vars(line)["queue"], "max requests" in vars(line)["error"]) == ("q", True)


@pytest.mark.parametrize("fault", ["none", "store"])
def test_a_queue_that_fails_takes_no_round_from_the_others(play: Play[None], fault: str) -> None:
    """What a handler enqueues on another queue runs in the same drain, and the failed queue is not
    tried twice."""

    async def story(world: World) -> None:
        first, second, bad = world.app.queue("first"), world.queue("second"), world.queue("bad")
        after = second.types["t"]

        @first.job("t")
        async def enqueue(payload: Number) -> None:
            await world.clock.sleep(1)
            await world.store.enqueue(second, [after.job(Number(), job_id="after")])

        for queue in (first, bad):
            await world.enqueue(queue, 1)
        if fault == "store":
            await world.probe.run("DEL", world.probe.key("bad", "records"))
            await world.probe.run("SET", world.probe.key("bad", "records"), "no hash")

        report = await world.drain().tick()

        assert "after" in world.ran
        assert report.by_queue["bad"]["turns"] == (1 if fault == "store" else 2)
        assert bool(report.error) == (fault == "store")

    play(story)


def test_stale_settles_are_counted_apart_and_logged_by_job(
    play: Play[None], caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            if payload.n != 1:  # the store evicts its record, against all rules
                await world.probe.run("HDEL", world.probe.key("q", "records"), f"j{payload.n:04}")

        await world.enqueue(queue, 3)
        report = await world.drained(queue)

        assert (report.queues[0].stale, report.outcomes) == (2, {"done": 1})

    play(story)

    logged = {vars(r)["job_id"] for r in caplog.records if r.getMessage() == "stale_settle"}
    assert logged == {"j0000.q", "j0002.q"}


@pytest.mark.parametrize(("per", "stop", "done"), [(59, "empty", 2), (61, "limited", 1)])
def test_a_consumer_takes_a_token_a_minute_ahead_and_waits_no_longer_for_the_next(
    play: Play[None], per: float, stop: str, done: int
) -> None:
    async def story(world: World) -> None:
        queue = world.queue(limit=RateLimit(1, per=per))
        await world.enqueue(queue, 2)

        report = await world.drain(budget=600, patience=0.5).run([queue])

        assert (report.stop, report.outcomes) == (stop, {"done": done})
        assert report.seconds_used == pytest.approx(59 if done == 2 else 0, abs=0.6)

    play(story)


def test_a_bug_of_ours_ends_the_drain_at_once_and_is_raised(play: Play[None]) -> None:
    class BrokenClock(FakeClock):
        broken = False

        def monotonic(self) -> float:
            if self.broken:
                raise ZeroDivisionError
            return 0.0

    async def story(world: World) -> None:
        broken, queue = BrokenClock(), world.app.queue("q")

        @queue.job("t")
        async def handle(payload: Number) -> None:
            broken.broken = True
            await asyncio.Event().wait()

        await world.enqueue(queue, 1)
        with pytest.raises(ExceptionGroup) as caught:
            await world.drain(clock=broken).run([queue])

        assert caught.group_contains(ZeroDivisionError)

    play(story)


async def suspects(world: World, n: int) -> list[str]:
    """Jobs of a queue "shaky" whose functions were killed: they run exclusively from now on."""
    shaky = world.app.queues["shaky"]
    job_ids = await world.enqueue(shaky, n)
    await make_exclusive(world.store, shaky, world.clock)
    return job_ids


def test_a_consumer_that_waits_for_the_lock_ends_with_its_budget(play: Play[None]) -> None:
    async def story(world: World) -> None:
        shaky, busy = world.queue("shaky"), world.queue("busy", seconds=100, timeout=200)
        await suspects(world, 1)
        await world.enqueue(busy, 1)
        lock = SharedExclusiveLock()
        draining = asyncio.create_task(world.drain(budget=10, lock=lock).run([busy]))
        await world.clock.sleep(1)
        report = await world.drain(budget=5, lock=lock).run([shaky])
        await draining

        assert report.stop in {"budget", "suspect"}
        assert report.seconds_used <= 5
        assert (await world.store.inspect(shaky, "j0000")).crashes == 0

    play(story)


@pytest.mark.parametrize(
    ("budget", "outcome"), [(50, "cancelled"), (20, "released")], ids=["cancelled", "no time"]
)
def test_a_job_that_waits_for_a_suspect_to_end_can_be_stopped(
    play: Play[None], budget: float, outcome: str
) -> None:
    async def story(world: World) -> None:
        shaky, busy = world.queue("shaky", seconds=60, timeout=70), world.queue("busy")
        await suspects(world, 1)
        lock = SharedExclusiveLock()
        other = asyncio.create_task(world.drain(budget=100, lock=lock).run([shaky]))
        await world.clock.sleep(1)
        await world.enqueue(busy, 1)
        draining = asyncio.create_task(world.drain(budget=budget, lock=lock).run([busy]))
        await world.clock.sleep(1)
        if outcome == "cancelled":
            await world.store.cancel(busy, "j0000")

        assert (await draining).outcomes == {outcome: 1}
        assert (await other).outcomes == {"done": 1}
        assert len(world.ran) == 1

    play(story)


def test_jobs_claimed_while_the_consumer_is_stopped_go_back_unstarted(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        job_ids = await world.enqueue(queue, 2)
        drain = world.drain(world.client(latency=1))
        draining = asyncio.create_task(drain.run([queue]))
        await world.clock.sleep(0.75)  # the claim has happened, its reply is under way
        drain.stop()
        report = await draining

        assert (report.stop, report.outcomes) == ("shutdown", {"released": 2})
        assert (world.ran, await world.probe.ids("q", "normal")) == ([], job_ids)

    play(story)


def test_progress_is_text_that_any_store_can_hold(play: Play[None]) -> None:
    async def story(world: World) -> None:
        queue = world.app.queue("q")
        seen: list[object] = []

        @queue.job("t")
        async def handle(payload: Number, job: JobContext) -> None:
            job.progress(1, "half of a pair: \ud800")
            await world.clock.sleep(5)
            view = await world.store.inspect(queue, "j0000")
            seen.append(view.history["note"])

        await world.enqueue(queue, 1)
        report = await world.drained(queue)

        assert report.outcomes == {"done": 1}
        assert "half of a pair: ?" in str(seen)

    play(story)


@pytest.mark.parametrize(
    "damaged",
    [
        record(body="??").encode().replace(b"??", b"\xff\xff"),
        record(body='{"type":"t","attempts":1e9999}\n{}'),
        record(body="[" * 100_000),
    ],
    ids=["not UTF-8", "infinite", "too deep"],
)
def test_a_damaged_body_is_dead_and_its_neighbours_run(
    play: Play[None], damaged: str | bytes
) -> None:
    async def story(world: World) -> None:
        queue = world.queue()
        good = record(body='{"type":"t"}\n{}')
        records = {"a": good, "b": damaged, "c": good}
        await world.probe.seed("q", {"records": records, "normal": list(records)})

        report = await world.drained(queue)

        assert report.outcomes == {"done": 2, "dead": 1}
        assert (sorted(world.ran), await world.probe.ids("q", "dead")) == (["a", "c"], ["b"])

    play(story)
