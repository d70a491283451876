"""What the simulator found in the engine, each as the shortest story that shows it. The world's
auditor is in every call: a test that only acts still checks all invariants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shared import Queue
from shared.jobs.claim import Claim
from shared.jobs.job import Job
from shared.store import TurnRequest
from shared.store.turn import Settle, TurnReply
from tests.simulation.world import AuditedStore, answered, enqueue_call, turn_call


def put(world: AuditedStore, queue: Queue, *names: str, delay_ms: int = 0) -> list[object]:
    """Enqueue harmless jobs."""
    jobs = [Job("t", "{}", id=name, delay_ms=delay_ms) for name in names]
    return list(world.execute(enqueue_call(queue, jobs)))


def turn(
    world: AuditedStore, queue: Queue, owner: str, seq: int, want: int, *settles: Settle,
    lease_ms: int = 60_000,
) -> TurnReply:  # fmt: skip
    ask = TurnRequest(owner, seq, want, lease_ms, settles, exclusive=True)
    return answered(queue, ask, world.execute(turn_call(queue, ask)))


def closing(claims: Sequence[Claim], kind: str = "done", delay_ms: int = 0) -> list[Settle]:
    return [Settle(claim.lease, kind, delay_ms) for claim in claims]  # type: ignore[arg-type]


def test_a_job_whose_claim_a_failover_lost_is_not_settled_by_its_former_owner(
    world: AuditedStore,
) -> None:
    # Seed 2: the owner's later turns made it known again, and `retry` would have put the job in
    # line twice, for two owners to hold the same fence.
    queue = world.queues[0]
    put(world, queue, "a", "b")
    turn(world, queue, "o", 1, 0)
    before = world.snapshot()
    claims = turn(world, queue, "o", 2, 1).claims
    world.fall_back(before)
    (other,) = turn(world, queue, "o", 3, 1).claims

    reply = turn(world, queue, "o", 4, 0, *closing(claims, "retry"), *closing([other]))

    assert reply.stale == {claims[0].lease}


def test_a_retry_due_before_the_other_leases_end_is_on_the_agenda_in_time(
    worlds: Callable[[int], AuditedStore],
) -> None:
    # Seed 1: a turn that claimed left the agenda where "full" had raised it.
    world = worlds(2)
    queue = world.queues[2]
    assert queue.concurrency == 3
    put(world, queue, "a", "b", "c", "d")
    claims = turn(world, queue, "o", 1, 3).claims
    assert turn(world, queue, "p", 1, 3).reason == "full"

    turn(world, queue, "o", 2, 3, *closing(claims[:2], "retry", 5_000))

    assert (world.last["few"].agenda or 0) <= world.wall + 5_000


def test_a_shorter_lease_is_on_the_agenda_when_its_owner_dies(
    worlds: Callable[[int], AuditedStore],
) -> None:
    # Seed 2: a queue told to be full until a long lease ends, then claimed from with a short one.
    world = worlds(1)
    queue = world.queues[2]
    put(world, queue, "a", "b", "c")
    claims = turn(world, queue, "long", 1, 2, lease_ms=600_000).claims
    assert turn(world, queue, "short", 1, 2).reason == "full"
    turn(world, queue, "long", 2, 0, *closing(claims[:1]))
    world.wall += 1_000

    turn(world, queue, "short", 2, 1, lease_ms=5_000)

    assert (world.last["few"].agenda or 0) <= world.wall + 5_000


def test_jobs_given_back_beside_a_claim_are_on_the_agenda(world: AuditedStore) -> None:
    # Seed 1052: an "empty" turn had told the agenda the end of the leases; then two came back, one
    # was claimed again, and the other would have waited for that end had the owner died.
    queue = world.queues[0]
    put(world, queue, "a", "b")
    claims = turn(world, queue, "o", 1, 2).claims
    assert turn(world, queue, "p", 1, 1).reason == "empty"

    turn(world, queue, "o", 2, 1, *closing(claims, "retry"))

    assert world.last["plain"].agenda == 1


def test_jobs_behind_a_lost_record_do_not_wait_for_somebody_elses_lease(
    worlds: Callable[[int], AuditedStore],
) -> None:
    # Seed 1: all that was popped was lost, and the queue was called full until the next expiry.
    world = worlds(2)
    queue = world.queues[2]
    put(world, queue, "a", "b", "lost", "d")
    turn(world, queue, "o", 1, 2)
    world.evict(queue, "lost")

    reply = turn(world, queue, "p", 1, 3)

    assert (reply.reason, reply.claims) == ("more", [])
    assert world.last["few"].agenda == 1


def test_a_lease_kept_by_a_slow_request_may_end_earlier_and_is_recovered_then(
    world: AuditedStore,
) -> None:
    # Seed 1: the hint of the next expiry stayed behind the lease that `keep` had moved forward.
    queue = world.queues[0]
    put(world, queue, "a")
    claims = turn(world, queue, "o", 1, 1, lease_ms=60_000).claims
    turn(world, queue, "o", 2, 0, *closing(claims, "keep"), lease_ms=30_000)
    world.wall += 30_000

    (again,) = turn(world, queue, "p", 1, 1).claims

    assert again.id == "a"


def test_an_enqueue_of_a_known_job_tells_its_whole_bill(world: AuditedStore) -> None:
    # Seed 1: the count was read before the last command was made.
    queue = world.queues[0]
    put(world, queue, "a")

    assert put(world, queue, "a") == [5, "D", "2", "a", "w"]  # 2: it was told to call a drain


def test_foreign_records_that_were_taken_in_but_not_claimed_are_on_the_agenda(
    world: AuditedStore,
) -> None:
    # Seed 85: the turn that looked claimed two of three; had it died, only a sweep knew the third.
    queue = world.queues[0]
    world.push(queue, ["{}", "{}", "{}"])
    ask = TurnRequest("o", 1, 2, 60_000, resync=True, exclusive=True)
    world.server.run("DEL", "sim:agenda")

    world.execute(turn_call(queue, ask))

    assert world.last["plain"].agenda == 1
