"""What Upstash would bill, asserted exactly: the client's meter, the server's and the bar."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from shared import App, RateLimit
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.embedded.protocol import UpstashProtocol
from shared.jobs.job import Guard
from shared.store import Store
from shared.testing import FakeClock
from tests.support.turns import Owner, jobs, numbered, settle
from tests.support.values import Declare, Number


@pytest.fixture
async def cost(
    store: Store, protocol: UpstashProtocol, declare: Declare
) -> AsyncIterator[Callable[[], tuple[int, int]]]:
    """(commands, requests) since it was last asked, with every script known to the store. At its
    end both meters must have counted the same."""
    warm = declare("warm")
    await store.enqueue(warm, jobs("x"))
    await store.enqueue(warm, jobs("y", delay_ms=1))
    await Owner(store, warm).turn()
    await store.cancel(warm, "y")
    await store.overview([warm])
    last = [store.meter.snapshot()]

    def ask() -> tuple[int, int]:
        used = store.meter.since(last[0])
        last[0] = store.meter.snapshot()
        return used.commands, used.requests

    yield ask
    assert store.meter.commands == protocol.meter.commands
    assert store.meter.requests == protocol.meter.requests


Cost = Callable[[], tuple[int, int]]
pytestmark = pytest.mark.one_shard


async def test_one_plain_job_costs_five_commands_and_one_request(
    store: Store, declare: Declare, cost: Cost
) -> None:
    await store.enqueue(declare(), jobs("a"))
    assert cost() == (5, 1)


@pytest.mark.parametrize("n", [2, 20, 100, 500])
async def test_a_bulk_enqueue_costs_the_same_for_any_number(
    store: Store, declare: Declare, cost: Cost, n: int
) -> None:
    await store.enqueue(declare(), numbered(n))
    assert cost() == (5, 1)


@pytest.mark.parametrize(
    ("options", "commands"),
    [
        ({"delay_ms": 1000}, 6),
        ({"priority": "high"}, 5),
        ({"dedup": Guard("dedup:x")}, 9),
        ({"idempotency": Guard("idem:x", 1000, "f")}, 9),
    ],
)
async def test_options_have_their_price(
    store: Store, declare: Declare, cost: Cost, options: dict[str, object], commands: int
) -> None:
    await store.enqueue(declare(), jobs("a", **options))
    assert cost() == (commands, 1)


@pytest.mark.parametrize(("batch", "bar"), [(20, 1.0), (100, 0.2)])
async def test_a_batch_with_its_limiter_stays_below_the_bar_from_enqueue_to_settle(
    store: Store, declare: Declare, cost: Cost, batch: int, bar: float
) -> None:
    queue = declare(limit=RateLimit(100_000, burst=100_000))
    owner, rounds = Owner(store, queue), 20
    await store.enqueue(queue, numbered(1, "first"))
    held = await owner.claim(batch)
    cost()
    for i in range(rounds):
        await store.enqueue(queue, numbered(batch, f"r{i}-"))
        held = (await owner.turn(batch, [settle(claim) for claim in held])).claims
        assert len(held) == batch
    commands, requests = cost()

    print(f"batch {batch}: {commands / rounds / batch:.3f} commands a job all-in")
    assert commands / (rounds * batch) <= bar
    assert requests == 2 * rounds  # one to enqueue, one to settle and claim


async def test_a_turn_in_steady_state_costs_the_same_for_any_batch(
    store: Store, declare: Declare, cost: Cost
) -> None:
    queue = declare(limit=RateLimit(100_000, burst=100_000))
    await store.enqueue(queue, numbered(400))
    owner, prices = Owner(store, queue), []
    held = await owner.claim(1)
    for batch in (1, 10, 100, 200):
        cost()
        held = (await owner.turn(batch, [settle(claim) for claim in held])).claims
        prices.append(cost())

    assert len(set(prices)) == 1
    print(f"one turn that settles and claims: {prices[0][0]} commands")


async def test_a_drain_makes_one_request_a_batch(
    store: Store, declare: Declare, cost: Cost, clock: FakeClock
) -> None:
    queue = declare()

    @queue.job("t")
    async def handle(payload: Number) -> None:
        return None

    jobs_of = [handle.job(Number(), job_id=f"j{i}") for i in range(400)]
    await store.enqueue(queue, jobs_of)
    cost()

    report = await Drain(store, Registry([]), Budget.of(60, clock=clock), batch=20).run([queue])

    commands, requests = cost()
    assert report.outcomes["done"] == 400
    assert (report.commands, report.requests) == (commands, requests)
    assert requests <= 400 / 20 + 4  # the consumers' first and last turns
    print(f"400 jobs in batches of 20: {requests} requests, {commands / 400:.3f} commands a job")


@pytest.mark.parametrize("cold", [True, False])
async def test_a_lone_job_costs_twenty_commands_from_enqueue_to_completed(
    store: Store, cost: Cost, clock: FakeClock, cold: bool
) -> None:
    app = App("lone")
    queue = app.queue("q", limit=RateLimit(10), concurrency=3)

    @queue.job("t")
    async def handle(payload: Number) -> None:
        return None

    registry = Registry([app])
    if not cold:
        await Drain(store, registry, Budget.of(60, clock=clock)).tick()
    cost()
    await store.enqueue(queue, [handle.job(Number(), job_id="a")])
    await Drain(store, registry, Budget.of(60, clock=clock)).tick()

    commands, requests = cost()
    assert (await store.inspect(queue, "a")).state == "completed"
    what = "first tick of a process" if cold else "warm"
    print(f"lone job ({what}): {commands} commands, {requests} requests")
    assert commands == (21 if cold else 20)


async def test_a_turn_without_work_is_cheap(store: Store, declare: Declare, cost: Cost) -> None:
    await Owner(store, declare()).turn()
    idle = cost()

    assert idle[0] <= 7
    assert idle[1] == 1


@pytest.mark.parametrize(
    ("place", "commands"),
    [("parked", 6), ("delayed", 7), ("waiting", 8), ("active", 5), ("ended", 2)],
)
async def test_a_cancel_searches_a_list_only_for_a_job_that_waits_in_it(
    store: Store, declare: Declare, cost: Cost, place: str, commands: int
) -> None:
    queue, owner = declare(), Owner(store, declare())
    await store.enqueue(queue, jobs("parked", "ended", "active"))
    held = await owner.claim()
    await owner.turn(0, [settle(held[0], "park", 60_000), settle(held[1])])
    await store.enqueue(queue, [*jobs("waiting"), *jobs("delayed", delay_ms=5000)])
    cost()

    await store.cancel(queue, place)

    assert cost() == (commands, 1)


@pytest.mark.parametrize("queues", [1, 3, 30, 200])
async def test_the_numbers_of_idle_queues_cost_a_command_each_and_three(
    store: Store, declare: Declare, cost: Cost, queues: int
) -> None:
    all_queues = [declare(f"q{i}") for i in range(queues)]
    for queue in all_queues[:2]:
        owner = Owner(store, queue)
        await store.enqueue(queue, jobs("a", "b"))
        await owner.finish(*await owner.claim())
        await owner.turn()
    await store.overview(all_queues)
    cost()

    await store.overview(all_queues)

    assert cost() == (queues + 3, 1)


async def test_the_numbers_of_a_queue_at_work_cost_a_command_for_each_part_that_holds_jobs(
    store: Store, declare: Declare, cost: Cost
) -> None:
    queue, owner = declare(), Owner(store, declare())
    await store.enqueue(queue, [*jobs("a", "b", "c"), *jobs("later", delay_ms=5000)])
    await owner.claim(1)
    await store.overview([queue])
    cost()

    await store.overview([queue])

    # EVAL, EXISTS, TIME, HMGET; waiting, the first of them and its record; delayed; active
    assert cost() == (9, 1)


@pytest.mark.parametrize("batch", [1, 20, 100])
async def test_follow_ups_cost_a_drain_seventeen_commands_for_any_number(
    store: Store, cost: Cost, clock: FakeClock, batch: int
) -> None:
    """A turn that decides the ends, and one enqueue a queue of follow-ups."""
    app = App("shop")
    queue, mail = app.queue("parents"), app.queue("mail")

    @queue.job("t")
    async def handle(payload: Number) -> None:
        return None

    @mail.job("note")
    async def note(payload: Number) -> None:
        return None

    prices = []
    for then in (None, [note.job(Number())]):
        await store.enqueue(queue, [handle.job(Number(), then=then) for _ in range(batch)])
        cost()
        drain = Drain(store, Registry([app]), Budget.of(60, clock=clock), patience=0)
        await drain.run([queue])
        prices.append(cost()[0])

    assert (await store.stats(mail)).waiting == batch
    print(f"{batch} jobs: {prices[0]} commands, with a follow-up each {prices[1]}")
    assert prices[1] - prices[0] == 17
