"""Directed stories, for what random ones seldom reach. The world audits each call."""

from __future__ import annotations

from collections.abc import Callable

from shared import Queue
from shared.jobs.job import Guard, Job
from shared.store import TurnRequest
from shared.store.turn import Settle
from tests.simulation.server import Server
from tests.simulation.world import NUDGE_WINDOW, Call, World, answered, enqueue_call, turn_call

FLAVOUR = 1
"""Of the worlds of these stories (`queues` in tests/simulation/world.py)."""
Story = Callable[[World], None]


def a_lease_that_ended_does_not_settle_a_new_life_of_its_job(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a")
    (claim,) = turn(world, queue, TurnRequest("o", 1, 1, 10_000))
    turn(world, queue, TurnRequest("o", 2, 0, 60_000))
    world.wall += 11_000
    turn(world, queue, TurnRequest("p", 1, 0, 60_000))
    world.execute(Call("purge", queue, (queue.name, 9, "r1"), 9))
    put(world, queue, "a")

    turn(world, queue, TurnRequest("o", 3, 0, 60_000, [Settle(claim, "done")]))


def a_redrive_in_an_idle_queue_is_on_the_agenda(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a")
    (claim,) = turn(world, queue, TurnRequest("o", 1, 1, 10_000))
    turn(world, queue, TurnRequest("o", 2, 1, 10_000, [Settle(claim, "dead")]))

    world.execute(Call("redrive", queue, (queue.name, "a"), ["a"]))


def a_purge_leaves_neither_suspects_nor_reserved_names(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", "b")
    _crash_twice(world, queue, 2)
    put(world, queue, "c", dedup=Guard("dedup:x"))

    world.execute(Call("purge", queue, (queue.name, 9, "r1"), 9))
    assert not world.last[queue.name].dedup, "a name without a job stays for ever"
    put(world, queue, "d", dedup=Guard("dedup:x"))


def two_active_jobs_can_have_a_cancel_request(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", "b")
    turn(world, queue, TurnRequest("o", 1, 2, 10_000))
    for job in ("a", "b"):
        world.execute(Call("cancel", queue, (queue.name, job, queue.completed.age_ms), job))


def foreign_jobs_beside_a_claim_are_on_the_agenda(world: World) -> None:
    queue = world.queues[0]
    world.push(queue, ["{}", "{}", "{}"])
    turn(world, queue, TurnRequest("o", 1, 2, 60_000, resync=True))


def a_lease_is_settled_once_by_its_own_owner_too(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a")
    (claim,) = turn(world, queue, TurnRequest("o", 1, 1, 60_000))
    turn(world, queue, TurnRequest("o", 2, 0, 60_000, [Settle(claim, "retry", 5_000)]))

    turn(world, queue, TurnRequest("o", 3, 0, 60_000, [Settle(claim, "done")]))


def a_retry_beside_a_claim_lowers_the_agenda(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", "b")
    first, second = turn(world, queue, TurnRequest("o", 1, 2, 60_000))
    turn(world, queue, TurnRequest("p", 1, 1, 60_000))

    closing = [Settle(first, "retry", 5_000), Settle(second, "retry")]
    turn(world, queue, TurnRequest("o", 2, 2, 60_000, closing))


def jobs_released_beside_a_claim_are_on_the_agenda(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", "b")
    leases = turn(world, queue, TurnRequest("o", 1, 2, 60_000))
    turn(world, queue, TurnRequest("p", 1, 1, 60_000))

    closing = [Settle(lease, "retry") for lease in leases]
    turn(world, queue, TurnRequest("o", 2, 1, 60_000, closing))


def a_suspect_released_beside_a_claim_is_on_the_agenda(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a")
    _crash_twice(world, queue, 1)
    turn(world, queue, TurnRequest("o", 1, 0, 60_000))
    put(world, queue, "b")
    (other,) = turn(world, queue, TurnRequest("o", 2, 1, 60_000))
    (suspect,) = turn(world, queue, TurnRequest("o", 3, 1, 60_000, exclusive=True))
    turn(world, queue, TurnRequest("p", 1, 1, 60_000))

    closing = [Settle(suspect, "release"), Settle(other, "retry")]
    turn(world, queue, TurnRequest("o", 4, 2, 60_000, closing))


def a_recovered_lease_is_not_prolonged(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a")
    leases = turn(world, queue, TurnRequest("o", 1, 1, 10_000))
    world.wall += 11_000
    turn(world, queue, TurnRequest("p", 1, 0, 60_000))

    turn(world, queue, TurnRequest("o", 2, 0, 60_000, prolong=leases))


def a_prolonged_lease_is_settled_after_its_first_end(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", "b")
    leases = turn(world, queue, TurnRequest("o", 1, 2, 10_000))
    world.wall += 9_000
    turn(world, queue, TurnRequest("o", 2, 0, 10_000, prolong=leases))
    world.wall += 9_000
    turn(world, queue, TurnRequest("p", 1, 2, 10_000))

    turn(world, queue, TurnRequest("o", 3, 0, 10_000, [Settle(lease, "done") for lease in leases]))
    assert not world.last[queue.name].sets["active"], "a prolonged lease was lost"


def a_repeated_claim_keeps_its_times(world: World) -> None:
    queue = world.queues[1]
    put(world, queue, *(f"j{n}" for n in range(9)))
    turn(world, queue, TurnRequest("p", 1, 3, 60_000, ahead_ms=40_000))
    claiming = TurnRequest("o", 1, 3, 60_000, ahead_ms=40_000)
    turn(world, queue, claiming)
    world.wall += 1_500

    turn(world, queue, claiming)


def tokens_of_jobs_behind_others_do_not_come_back(world: World) -> None:
    queue = world.queues[1]
    put(world, queue, *(f"j{n}" for n in range(9)))
    limit = queue.limit
    assert limit is not None
    turn(world, queue, TurnRequest("p", 1, limit.burst, 60_000))
    (first,) = turn(world, queue, TurnRequest("o", 1, 1, 60_000, ahead_ms=40_000))
    turn(world, queue, TurnRequest("p", 2, 1, 60_000, ahead_ms=40_000))
    at = world.starts["o", 1][0] - 1
    back = [Settle(first, "release", 0, "", at)]

    turn(world, queue, TurnRequest("o", 2, 3, 60_000, back, ahead_ms=40_000))


def _crash_twice(world: World, queue: Queue, jobs: int) -> None:
    """The jobs that wait run exclusively from now on."""
    for name in ("dead1", "dead2"):
        turn(world, queue, TurnRequest(name, 1, jobs, 10_000))
        world.wall += 11_000
    turn(world, queue, TurnRequest("recovers", 1, 0, 60_000))


def a_claim_that_a_failover_lost_is_not_settled(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", "b")
    turn(world, queue, TurnRequest("o", 1, 0, 60_000))
    before = world.snapshot()
    (lost,) = turn(world, queue, TurnRequest("o", 2, 1, 60_000))
    world.fall_back(before)
    turn(world, queue, TurnRequest("o", 3, 1, 60_000))

    turn(world, queue, TurnRequest("o", 4, 0, 60_000, [Settle(lost, "retry")]))


def an_id_twice_in_one_request_is_one_job(world: World) -> None:
    put(world, world.queues[0], "a", "a")


def expired_names_are_deleted(world: World) -> None:
    queue = world.queues[0]
    for name in ("a", "b", "c"):
        put(world, queue, name, dedup=Guard(f"dedup:{name}", 1_000))
    world.wall += 2_000
    put(world, queue, "d", dedup=Guard("dedup:d", 1_000))

    assert list(world.last[queue.name].dedup) == ["dedup:d"], "expired names pile up"


def a_queue_without_names_leaves_the_agenda(world: World) -> None:
    queue = world.queues[0]
    put(world, queue, "a", dedup=Guard("dedup:a", 1_000))
    (claim,) = turn(world, queue, TurnRequest("o", 1, 1, 60_000))
    turn(world, queue, TurnRequest("o", 2, 0, 60_000, [Settle(claim, "done")]))
    for seq in range(3, 6):
        world.wall += 2 * round(queue.completed.age_ms or 0)
        turn(world, queue, TurnRequest("o", seq, 0, 60_000))
    turn(world, queue, TurnRequest("p", 1, 0, 60_000))

    assert world.last[queue.name].agenda is None, "nothing is left, and the queue is looked at"


def more_foreign_jobs_than_a_page_come_with_the_next_turn(world: World) -> None:
    queue = world.queues[0]
    world.push(queue, ["{}"] * 101)
    turn(world, queue, TurnRequest("o", 1, 1, 60_000, resync=True))
    turn(world, queue, TurnRequest("o", 2, 1, 60_000))

    assert not world.last[queue.name].lists["intake"], "the rest of the inbox waits for a sweep"


def the_store_learns_how_long_jobs_take(world: World) -> None:
    queue = world.queues[0]
    turn(world, queue, TurnRequest("o", 1, 0, 60_000, observed={"t": {3: 1}}))
    question = TurnRequest("p", 1, 0, 60_000, want_histograms=("t",))
    reply = answered(queue, question, world.execute(turn_call(queue, question)))

    assert reply.histograms["t"][:4] == [0, 0, 1, 0], "an observed duration is lost"


def a_suspect_whose_key_is_busy_holds_nobody_up(world: World) -> None:
    queue = _keyed(world)
    for job in ("a", "b"):
        put(world, queue, job, key="k")
        for death in ("first", "second"):
            turn(world, queue, TurnRequest(f"{job}-{death}", 1, 1, 10_000))
            world.wall += 11_000
        turn(world, queue, TurnRequest(f"{job}-recovers", 1, 0, 10_000))
    turn(world, queue, TurnRequest("o", 1, 5, 60_000, exclusive=True))
    turn(world, queue, TurnRequest("p", 1, 5, 60_000, exclusive=True))
    put(world, queue, "c")

    (other,) = turn(world, queue, TurnRequest("q", 1, 5, 60_000, exclusive=True))
    turn(world, queue, TurnRequest("r", 1, 5, 60_000, isolated=True))
    assert other.startswith("c "), "a suspect holds others up"


def a_window_of_nudges_ends_with_its_last_millisecond(world: World) -> None:
    queue = world.queues[0]
    for n in range(4):
        put(world, queue, f"j{n}")
        world.wall += (NUDGE_WINDOW, NUDGE_WINDOW - 1, 1, 0)[n]
        leases = turn(world, queue, TurnRequest(f"o{n}", 1, 5, 60_000))
        closing = [Settle(lease, "done") for lease in leases]
        turn(world, queue, TurnRequest(f"o{n}", 2, 5, 60_000, closing))


def jobs_of_a_key_start_behind_many_cancelled_ones(world: World) -> None:
    queue = _keyed(world)
    put(world, queue, *(f"j{n:02}" for n in range(40)), key="k")
    (running,) = turn(world, queue, TurnRequest("o", 1, 5, 60_000))
    for n in range(1, 37):
        world.execute(Call("cancel", queue, (queue.name, f"j{n:02}", 1), f"j{n:02}"))
    claimed = turn(world, queue, TurnRequest("o", 2, 5, 60_000, [Settle(running, "done")]))
    for seq in range(1, 4):
        claimed += turn(world, queue, TurnRequest("p", seq, 5, 60_000))

    assert claimed, "the rest of the backlog is stuck"


def _keyed(world: World) -> Queue:
    """The queue of a world that runs one job of each key at once."""
    queue = world.queues[3]
    limits = queue.per_key
    assert limits is not None
    assert (limits.concurrency, limits.rate) == (1, None)
    return queue


STORIES: tuple[Story, ...] = (
    a_lease_that_ended_does_not_settle_a_new_life_of_its_job,
    a_redrive_in_an_idle_queue_is_on_the_agenda,
    a_purge_leaves_neither_suspects_nor_reserved_names,
    two_active_jobs_can_have_a_cancel_request,
    foreign_jobs_beside_a_claim_are_on_the_agenda,
    a_lease_is_settled_once_by_its_own_owner_too,
    a_retry_beside_a_claim_lowers_the_agenda,
    jobs_released_beside_a_claim_are_on_the_agenda,
    a_suspect_released_beside_a_claim_is_on_the_agenda,
    a_recovered_lease_is_not_prolonged,
    a_prolonged_lease_is_settled_after_its_first_end,
    a_repeated_claim_keeps_its_times,
    tokens_of_jobs_behind_others_do_not_come_back,
    a_claim_that_a_failover_lost_is_not_settled,
    an_id_twice_in_one_request_is_one_job,
    expired_names_are_deleted,
    a_queue_without_names_leaves_the_agenda,
    more_foreign_jobs_than_a_page_come_with_the_next_turn,
    the_store_learns_how_long_jobs_take,
    a_suspect_whose_key_is_busy_holds_nobody_up,
    a_window_of_nudges_ends_with_its_last_millisecond,
    jobs_of_a_key_start_behind_many_cancelled_ones,
)


def failing_story(server: Server, bodies: dict[str, str]) -> str:
    """The first story that fails with these scripts; "" when all of them hold."""
    for story in STORIES:
        try:
            story(World(server, FLAVOUR, bodies))
        except AssertionError:
            return story.__name__.replace("_", " ")
    return ""


def put(
    world: World, queue: Queue, *names: str, dedup: Guard | None = None, key: str = "-"
) -> None:
    jobs = [Job("t", "{}", id=name, dedup=dedup, key=key) for name in names]
    world.execute(enqueue_call(queue, jobs))


def turn(world: World, queue: Queue, ask: TurnRequest) -> list[str]:
    """The leases that this turn claimed."""
    reply = answered(queue, ask, world.execute(turn_call(queue, ask)))
    return [claim.lease for claim in reply.claims]
