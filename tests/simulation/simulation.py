"""One story: a seed decides what moves, what becomes of every request, what dies and what the store
forgets. Each step draws from its own number, so a story with steps left out is still a story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random

from shared import Queue

from . import recovery, stops
from .actors import AHEADS, LEASES, Consumer, FollowUpProducer, Producer
from .audit import ViolationError, require
from .requests import operate, produce
from .server import Reply
from .world import AuditedStore, Call, Snapshot

FATES = {
    "delivered": 800, "lost before": 30, "lost after": 40, "twice": 30, "echo": 20, "late": 30,
    "throttled": 15, "bad gateway": 12, "truncated": 8, "garbage": 5, "quota": 5, "capacity": 5,
}  # fmt: skip
UNSENT = ("lost before", "throttled", "quota", "capacity")
PATIENCE = 0.75
MOST_JOBS = 40
MOST_LANES = 6
LOST_WRITES = 200
QUIET_EVERY, BUSY = 900, 600
LEAPS = (40, 300, 1_000, 8_000, 35_000, 70_000)
ACTIONS = {"deliver": 50, "move": 34, "produce": 9, "tick": 5, "operate": 4, "wait": 4, "harm": 2}
HARMS = {
    "kill": 30, "freeze": 25, "thaw": 40, "flush scripts": 8, "clock back": 6, "push": 12,
    "snapshot": 12, "failover": 8, "damage": 3,
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Message:
    """A request on its way. Without a client its reply is not awaited any more."""

    call: Call
    client: Consumer | Producer | None


class Simulation:
    """A world and the actors in it. `told` gets each step in words."""

    def __init__(
        self, seed: int, world: AuditedStore, *, told: Callable[[str], None] | None = None
    ) -> None:
        self.seed, self.world, self._told = seed, world, told
        self.flying: list[Message] = []
        self.lanes: list[Consumer] = []
        self.fates: Counter[str] = Counter()
        self.harms: Counter[str] = Counter()
        self.acked: dict[tuple[str, str], int] = {}
        self.snapshot: Snapshot | None = None
        self.step = 0

    def run(self, steps: Collection[int]) -> None:
        """These steps, then peace: faults stop and everything must come to its end."""
        for self.step in steps:
            rng = Random(self.seed * 1_000_003 + self.step)
            self.world.wall += rng.choice((0, 0, 1, 3, 20))
            self._one(rng)
            if self.step % stops.EVERY == 0:
                beside = Random(self.seed * 1_000_003 + self.step)  # the story's numbers stay
                stops.StoppedIntake(self.world, beside.choice(self.world.queues), beside).play()
        recovery.settle_down(self)

    def say(self, *words: object) -> None:
        if self._told is not None:
            told = " ".join(map(str, words))
            self._told(f"{self.step:>6} +{self.world.wall % 10_000_000:>8} {told}")

    def _one(self, rng: Random) -> None:
        odds = dict(ACTIONS)
        ready = [lane for lane in self.lanes if lane.ready]
        if not self.flying:
            del odds["deliver"]
        if not ready:
            del odds["move"]
        if len(self.lanes) >= MOST_LANES:
            del odds["tick"]
        action = rng.choices(list(odds), list(odds.values()))[0]
        queue = rng.choice(self.world.queues)
        match action:
            case "deliver":
                self._deliver(rng)
            case "move":
                lane = rng.choice(ready)
                self.say(lane.owner, lane.move(rng, self.world.wall, lambda c: self.send(c, lane)))
            case "tick":
                self._tick(rng)
            case "produce" | "operate":
                self._call(action, queue, rng)
            case "wait":
                self.world.wall += rng.choice(LEAPS)
                self.say("time passes")
            case _:
                self._harm(rng)
        for lane in self.lanes:
            self._send_children(lane)
        self.lanes = [lane for lane in self.lanes if lane.alive]

    def _send_children(self, lane: Consumer) -> None:
        lane.outbox = [storing for storing in lane.outbox if not storing.done]
        for storing in lane.outbox:
            if not storing.sent and lane.alive:
                storing.sent = True
                self.send(storing.call, storing)

    def _call(self, action: str, queue: Queue, rng: Random) -> None:
        book = self.world.books[queue.name]
        if action == "operate":
            ended = [*book.sets["dead"], *book.sets["parked"]]
            active = [lease.split(" ")[0] for lease in book.sets["active"]]
            self.enter(operate(rng, queue, [*book.raws], ended, active))
        elif len(book.raws) < MOST_JOBS and self.step % QUIET_EVERY < BUSY:
            names = [other.name for other in self.world.queues]
            self.enter(produce(rng, queue, f"j{self.step}", self.world.wall, names))

    def send(self, call: Call, client: Consumer | Producer) -> None:
        self.flying.append(Message(call, client))

    def enter(self, call: Call) -> None:
        """Somebody with one request."""
        self.say(call.verb, call.args)
        self.send(call, Producer(call))

    def _tick(self, rng: Random) -> None:
        lane = Consumer(
            f"o{self.step}", rng.choice(self.world.queues),
            self.world.wall + rng.choice((500, 10_000, 60_000)), resync=rng.random() < 0.2,
            capacity=rng.choice((1, 2, 3, 8)), most_bytes=rng.choice((4 << 20, 4 << 20, 150)),
            lease_ms=rng.choice(LEASES), ahead_ms=rng.choice(AHEADS),
            queues={queue.name: queue for queue in self.world.queues},
            isolates=rng.random() < 0.5, settles_deaths=rng.random() < 0.3,
        )  # fmt: skip
        self.lanes.append(lane)
        self.say(lane.owner, "begins on", lane.queue.name, "until", lane.deadline % 10_000_000)

    def _deliver(self, rng: Random) -> None:
        at = 0 if rng.random() < 0.6 else rng.randrange(len(self.flying))
        message = self.flying.pop(at)
        fate = rng.choices(list(FATES), list(FATES.values()))[0]
        self.fates[fate] += 1
        self.say(message.call.verb, message.call.args[1:4], fate)
        if fate in UNSENT:
            self._failed(message, rng)
            return
        if fate == "late":
            self.flying.append(Message(message.call, None))
            self._failed(message, rng)
            return
        reply = self.world.execute(message.call)
        if fate == "twice":
            self.world.execute(message.call)
        if fate == "echo":
            self.flying.append(Message(message.call, None))
        if fate in ("delivered", "twice", "echo"):
            self._answered(message, reply, rng)
        else:
            self._failed(message, rng)

    def _answered(self, message: Message, reply: Reply, rng: Random) -> None:
        client = message.client
        if client is None or not client.alive:
            return
        if isinstance(client, Consumer):
            client.mailbox = [reply]
            if not client.frozen:
                self.say(client.owner, client.move(rng, self.world.wall, lambda _call: None))
        else:
            self._acknowledge(client, reply)

    def _failed(self, message: Message, rng: Random) -> None:
        """The client got no reply: it sends again, or gives up."""
        client = message.client
        if client is None or not client.alive:
            return
        if rng.random() < PATIENCE:
            self.flying.append(message)
        elif isinstance(client, Consumer):
            client.die()
        elif isinstance(client, FollowUpProducer):
            client.give_up()
        else:
            client.alive = False

    def _acknowledge(self, client: Producer, reply: Reply) -> None:
        codes = str(reply[1]) if client.jobs() else ""
        others = iter(reply[2:])
        for job, code in zip(client.jobs(), codes, strict=True):
            if code in "wd":
                self.acked[client.call.queue.name, job.id] = self.world.writes
            elif code in "DI":
                next(others), next(others)
            elif code == "L":
                next(others)
        if isinstance(client, FollowUpProducer):
            client.heard(codes)

    def _harm(self, rng: Random) -> None:
        harm = rng.choices(list(HARMS), list(HARMS.values()))[0]
        self.harms[harm] += 1
        self.say("HARM", harm)
        lane = rng.choice(self.lanes) if self.lanes else None
        match harm:
            case "kill" if lane:
                lane.die()
            case "freeze" if lane:
                lane.frozen = True
            case "thaw":
                for frozen in self.lanes:
                    frozen.frozen = False
            case "clock back":
                self.world.wall -= rng.choice((5, 900, 20_000))
            case _:
                self._harm_the_store(harm, rng)

    def _harm_the_store(self, harm: str, rng: Random) -> None:
        world = self.world
        match harm:
            case "flush scripts":
                world.server.run("SCRIPT", "FLUSH")
            case "push":
                world.push(rng.choice(world.queues), ["{}", '{"type":"t","payload":1}', "\udcff"])
            case "snapshot":
                self.snapshot = world.snapshot()
            case "failover" if self.snapshot and world.writes - self.snapshot.writes < LOST_WRITES:
                # Copies that no client awaits end with the store they were on their way to
                # (tests/failure-rows.md, A24: one that outlived it could claim for its owner).
                self.flying = [m for m in self.flying if m.client is not None]
                world.fall_back(self.snapshot)
                kept = self.snapshot.writes
                self.acked = {job: at for job, at in self.acked.items() if at <= kept}
            case "damage":
                world.damage(rng, spared=self._under_way())
            case _:
                pass

    def _under_way(self) -> set[str]:
        """Jobs that a request on its way would store, perhaps once more."""
        calls = [message.call for message in self.flying]
        return {job.id for call in calls if call.verb == "enqueue" for job in call.told}

    def check_acked(self) -> None:
        """I2: whatever was acknowledged has ended, or was ended."""
        for queue, job in self.acked:
            book = self.world.books[queue]
            require(job in book.ended, "I2 an acknowledged job was lost", queue, job)


__all__ = ["Message", "Simulation", "ViolationError"]
