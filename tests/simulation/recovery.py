"""Peace: faults stop, the dead stay dead, ticks go by the agenda, and everything must end (I8)."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from shared import Queue
from shared.store.keys import agenda

from .actors import Consumer
from .audit import require
from .world import PREFIX, Call

if TYPE_CHECKING:
    from .simulation import Simulation

WINDOW_MS = 60_000
MOST_ROUNDS = 400
MOST_TURNS = 200


def settle_down(simulation: Simulation) -> None:
    """Until nothing waits, is delayed, active or parked."""
    world = simulation.world
    rng = Random(simulation.seed)
    for message in simulation.flying:  # what was still on its way arrives, no client listens
        world.execute(message.call)
    simulation.flying.clear()
    simulation.lanes.clear()
    for queue in world.queues:
        world.execute(Call("pause", queue, (queue.name, 0), told=False))
    for queue in world.queues:  # the sweep finds what foreign producers have pushed
        lines = world.books[queue.name].lines
        if lines["inbox"] or lines["intake"]:
            _drain(simulation, queue, rng, MOST_ROUNDS, resync=True)
    for round_ in range(MOST_ROUNDS):
        if not any(_live(simulation, queue) for queue in world.queues):
            break
        _to_the_next_instant(simulation)
        for queue in world.queues:
            instant = world.last[queue.name].agenda
            if instant is not None and instant <= world.wall:
                _drain(simulation, queue, rng, round_, resync=instant < 1)
    for queue in world.queues:
        require(
            not _live(simulation, queue), "I8 it never ends", queue.name, world.books[queue.name]
        )
    simulation.check_acked()


def _live(simulation: Simulation, queue: Queue) -> int:
    book = simulation.world.books[queue.name]
    sets = book.sets
    return book.waiting() + len(sets["delayed"]) + len(sets["active"]) + len(sets["parked"])


def _agenda(simulation: Simulation) -> dict[str, float]:
    flat = simulation.world.server.run("ZRANGE", agenda(PREFIX), 0, -1, "WITHSCORES")
    return {name: float(score) for name, score in zip(flat[::2], flat[1::2], strict=True)}


def _to_the_next_instant(simulation: Simulation) -> None:
    """The schedule's next tick, a minute on, or when the agenda says."""
    entries = _agenda(simulation)
    stuck = [
        q.name for q in simulation.world.queues if _live(simulation, q) and q.name not in entries
    ]
    require(not stuck, "I8 jobs that no drain will ever look at", stuck)
    first = min(entries.values(), default=0.0)
    simulation.world.wall = max(simulation.world.wall + 1_000, int(first))


def _drain(simulation: Simulation, queue: Queue, rng: Random, round_: int, *, resync: bool) -> None:
    """One healthy function: every handler succeeds, but a poison job still kills it."""
    world = simulation.world
    lane = Consumer(
        f"peace{round_}", queue, world.wall + WINDOW_MS, resync=resync, capacity=10, healthy=True,
        queues={queue.name: queue for queue in world.queues}, isolates=rng.random() < 0.5,
        settles_deaths=rng.random() < 0.5,
    )  # fmt: skip
    calls: list[Call] = []
    for _ in range(MOST_TURNS):
        if not lane.alive:
            return
        simulation.say(lane.owner, lane.move(rng, world.wall, calls.append))
        if calls:
            lane.mailbox = [world.execute(calls.pop())]
        for storing in list(lane.outbox):
            lane.outbox.remove(storing)
            storing.heard(str(world.execute(storing.call)[1]))
    require(False, "I8 a drain goes on without end", queue.name)
