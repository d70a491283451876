"""Any story of producers, functions, operators and faults: the store and the model stay one.

`make test ARGS="tests/model --hypothesis-profile=deep"` tells thousands of long ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared import App, RateLimit, Retention
from shared.embedded.engine import Engine
from shared.embedded.local import LocalRedis
from shared.embedded.protocol import UpstashProtocol
from shared.errors import JobNotFound, ScriptError
from shared.job import Claim, Guard, Job
from shared.store import TurnAsk, TurnReply
from shared.store.turn import Settle
from shared.testing import TOKEN, FakeClock, known_scripts, store_on
from tests.conftest import kinds, open_engine
from tests.model.reference import ENDED, Model
from tests.support.probe import Probe

T = TypeVar("T")
LEASE_MS = 30_000
IDS = st.sampled_from([f"j{i}" for i in range(8)])
WHO = st.integers(0, 2)
KINDS = st.sampled_from(
    ["done", "done", "retry", "retry", "dead", "release", "snooze", "park", "cancelled", "keep"]
)
ENQUEUE = st.tuples(
    st.just("enqueue"),
    st.lists(
        st.tuples(
            IDS,
            st.sampled_from(["high", "normal", "normal", "low"]),
            st.sampled_from([0, 0, 0, 500, 20_000]),
            st.sampled_from([None, None, "x", "y"]),
        ),
        min_size=1,
        max_size=4,
    ),
)
CLAIM = st.tuples(st.just("claim"), WHO, st.integers(1, 5), st.booleans(), st.booleans())
SETTLE = st.tuples(
    st.just("settle"),
    WHO,
    st.integers(0, 3),
    st.lists(st.tuples(KINDS, st.sampled_from([0, 300, 40_000])), min_size=1, max_size=4),
    st.sampled_from([None, None, None, 0, 1, 5, 11]),
)
SUFFER = st.tuples(
    st.just("suffer"), WHO, st.sampled_from(["repeat", "repeat", "echo", "die", "die", "flush"])
)
OPERATE = st.tuples(
    st.just("operate"),
    st.sampled_from(
        ["cancel", "cancel", "cancel", "redrive", "redrive", "drop", "purge", "pause", "resume"]
    ),
    st.lists(IDS, min_size=1, max_size=4, unique=True),
)
WAIT = st.tuples(st.just("wait"), st.sampled_from([1, 199, 200, 1000, 10_000, 30_000, 60_000]))
STEP = st.one_of(ENQUEUE, CLAIM, CLAIM, SETTLE, SETTLE, SUFFER, OPERATE, WAIT)
PLACES = {
    "normal": "waiting", "high": "waiting", "low": "waiting", "suspects": "suspect",
    "delayed": "delayed", "parked": "parked", "completed": "completed",
    "cancelled": "cancelled", "dead": "dead", "active": "active",
}  # fmt: skip
LETTERS = {"parked": "p", "completed": "c", "cancelled": "k", "dead": "x"}
open_here: Callable[[], Engine]


@dataclass
class Function:
    """An owner of leases. `asks` are its turns so far."""

    name: str
    held: list[Claim] = field(default_factory=list)
    asks: list[TurnAsk] = field(default_factory=list)
    answer: TurnReply | None = None
    answered_at: int = 0


class Machine(RuleBasedStateMachine):
    """Its rules are all that can happen to a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.engine = open_here()
        self.run(self.engine.execute(("FLUSHALL",)))
        protocol = UpstashProtocol(
            self.engine,
            token=TOKEN,
            strict=True,
            clock=self.clock.epoch_ms,
            allowed_scripts=known_scripts(),
        )
        self.store, self.probe = store_on(protocol, clock=self.clock), Probe(self.engine)
        self.functions = [Function(f"f{i}") for i in range(3)]
        self.born, self.every_lease = 3, list[str]()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.engine.close())
        self.loop.close()

    @property
    def now(self) -> int:
        return self.clock.epoch_ms()

    @initialize(limited=st.booleans(), concurrency=st.sampled_from([0, 4]))
    def declare(self, limited: bool, concurrency: int) -> None:
        limit = RateLimit(5, per=1, burst=3) if limited else None
        keep = Retention(count=3, age=3650 * 86_400)
        self.queue = App("model").queue(
            "q", limit=limit, concurrency=concurrency or None, completed=keep
        )
        self.model = Model(5 if limited else 0, 3 if limited else 0, concurrency)

    @rule(step=STEP)
    def act(self, step: tuple[Any, ...]) -> None:
        """One rule for all: hypothesis would leave whole rules out of most of its stories."""
        match step:
            case ("enqueue", batch):
                self._enqueue(batch)
            case ("claim", who, want, alone, look):
                self._turn(self.functions[who], want, [], alone=alone, look=look)
            case ("settle", who, want, kinds, old):
                self._settle(who, want, kinds, old)
            case ("suffer", who, what):
                self._suffer(who, what)
            case ("operate", verb, job_ids):
                self._operate(verb, job_ids)
            case ("wait", ms):
                self.clock.advance(ms / 1000)

    def _enqueue(self, batch: list[tuple[str, Any, int, str | None]]) -> None:
        jobs = [
            Job("t", "{}", id=i, priority=p, delay_ms=d, dedup=Guard(f"dedup:{g}") if g else None)
            for i, p, d, g in batch
        ]
        answers = self.run(self.store.enqueue(self.queue, jobs))

        for answer, (job_id, band, delay, name) in zip(answers, batch, strict=True):
            expected = self.model.enqueue(job_id, band[0], delay, name, self.now)
            assert (answer.id.partition(".")[0], answer.state, answer.duplicate) == expected

    def _settle(self, who: int, want: int, kinds: list[tuple[Any, int]], old: int | None) -> None:
        """A function with something to settle; now and then a lease of long ago is among it."""
        holding = [function for function in self.functions if function.held]
        if not holding:
            return
        function = holding[who % len(holding)]
        closing = [
            Settle(function.held.pop().lease, kind, delay)
            for kind, delay in kinds[: len(function.held)]
        ]
        if old is not None:
            lease = self.every_lease[old % len(self.every_lease)]
            if lease not in [item.lease for item in closing]:
                closing.append(Settle(lease, "done"))
        self._turn(function, want, closing, alone=not function.held, look=False)

    def _turn(
        self, function: Function, want: int, closing: list[Settle], *, alone: bool, look: bool
    ) -> None:
        seq = len(function.asks) + 1
        ask = TurnAsk(function.name, seq, want, LEASE_MS, closing, alone=alone, look=look)
        function.asks.append(ask)
        reply = self.run(self.store.turn(self.queue, ask))
        refused = self.model.settle(closing, self.now, LEASE_MS)
        assert reply.refused == refused
        self.model.pass_time(self.now)
        self.model.claim(reply.claims, want, alone=alone, now=self.now, lease_ms=LEASE_MS)
        self.model.trim()
        self._take(function, reply)

    def _take(self, function: Function, reply: TurnReply) -> None:
        function.answer, function.answered_at = reply, self.now
        function.held += reply.claims
        self.every_lease += [claim.lease for claim in reply.claims]

    def _suffer(self, who: int, what: str) -> None:
        function = self.functions[who]
        remembered = function.answer and self.now < function.answered_at + LEASE_MS
        if what == "flush":
            self.run(self.store.rest.execute(["SCRIPT", "FLUSH"], "test"))
        elif what == "die":
            self.functions[who] = Function(f"f{self.born}")
            self.born += 1
        elif remembered and what == "repeat":
            self._repeat(function)
        elif remembered and len(function.asks) > 1:
            with pytest.raises(ScriptError, match="overtaken"):
                self.run(self.store.turn(self.queue, function.asks[-2]))

    def _repeat(self, function: Function) -> None:
        """Its reply was lost: asked again it is answered again, and nothing changes."""
        assert function.answer is not None
        reply = self.run(self.store.turn(self.queue, function.asks[-1]))

        active = {job.lease for job in self.model.jobs.values()}
        first = {claim.lease: claim for claim in function.answer.claims if claim.lease in active}
        assert {claim.lease: claim for claim in reply.claims} == first
        assert reply.refused == function.answer.refused

    def _operate(self, verb: str, job_ids: list[str]) -> None:
        store, queue, model = self.store, self.queue, self.model
        match verb:
            case "cancel":
                self._cancel(job_ids[0])
            case "redrive":
                assert self.run(store.redrive(queue, job_ids)) == model.redrive(job_ids)
            case "drop":
                assert self.run(store.drop(queue, job_ids)) == model.drop(job_ids)
            case "purge":
                assert self.run(store.purge(queue)) == model.purge()
            case _:
                before = self.run(store.pause(queue, paused=verb == "pause"))
                assert before == model.paused
                model.paused = verb == "pause"

    def _cancel(self, job_id: str) -> None:
        expected = self.model.cancel(job_id, self.now)
        if expected is None:
            with pytest.raises(JobNotFound):
                self.run(self.store.cancel(self.queue, job_id))
        else:
            assert self.run(self.store.cancel(self.queue, job_id)) == expected

    @precondition(lambda self: hasattr(self, "model"))
    @invariant()
    def every_key_is_as_the_model_says(self) -> None:
        state = self.run(self.probe.snapshot())
        found = {
            member.split(" ")[0]: place
            for part, place in PLACES.items()
            for member in state.get(part, [])
        }
        assert found == {job_id: job.place for job_id, job in self.model.jobs.items()}
        assert sum(len(state.get(part, [])) for part in PLACES) == len(self.model.jobs)
        assert set(state.get("records", {})) == set(self.model.jobs)
        for job_id, job in self.model.jobs.items():
            letter, fence, attempts, crashes, band, *_ = state["records"][job_id].split(" ")
            told = (letter, int(fence), int(attempts), int(crashes), band)
            assert told == (
                LETTERS.get(job.place, "w"), job.fence, job.attempts, job.crashes, job.band,
            )  # fmt: skip
        timed = {"active", "delayed", "parked", *ENDED}
        assert {m.split(" ")[0]: at for part in timed for m, at in state.get(part, {}).items()} == {
            job_id: job.at for job_id, job in self.model.jobs.items() if job.place in timed
        }
        assert state.get("suspects", []) == self.model.suspects
        names = {name.partition(":")[2] for name in state.get("dedup", {})}
        assert names == set(self.model.guards)

    @precondition(lambda self: hasattr(self, "model"))
    @invariant()
    def the_hints_are_true(self) -> None:
        scalars = self.run(self.probe.scalars())
        sizes = {"leased": "active", "kept": "completed", "suspects": "suspect"}
        for hint, place in sizes.items():
            assert int(scalars.get(hint, 0)) == len(self.model.at(place))  # type: ignore[arg-type]
        for hint, place in (("due", "delayed"), ("expiry", "active"), ("recheck", "parked")):
            first = min((self.model.jobs[i].at for i in self.model.at(place)), default=None)  # type: ignore[arg-type]
            assert first is None or int(scalars[hint]) <= first
        if scalars.get("mixed", "0") == "0":
            assert {self.model.jobs[i].band for i in self.model.at("waiting")} <= {"n"}

    @precondition(lambda self: hasattr(self, "model"))
    @invariant()
    def the_agenda_is_never_late(self) -> None:
        agenda = self.run(self.store.agenda()).get("q", float("inf"))
        first = [self.model.jobs[i].at for i in self.model.at("active")]
        full = self.model.concurrency and len(first) >= self.model.concurrency
        if not self.model.paused and not full:
            first += [self.model.jobs[i].at for i in self.model.at("delayed", "parked")]
            first += [self._next_token()] * bool(self.model.at("waiting", "suspect"))
        slack = 1000  # the store need not write the agenda for less than a second
        assert agenda <= max(self.now, min(first, default=float("inf"))) + slack

    def _next_token(self) -> int:
        model = self.model
        if not model.rate or model.level is None:
            return self.now
        have = model.level + (self.now - model.refilled) * model.rate
        return self.now + max(0, -((have - 1000) // model.rate))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_store_and_the_model_tell_the_same_story(
    servers: Callable[[str], LocalRedis],
) -> None:
    global open_here  # noqa: PLW0603 - hypothesis makes machines without arguments
    kind = kinds()[0]

    def open_one() -> Engine:
        return open_engine(kind, servers)

    open_here = open_one
    run_state_machine_as_test(Machine, settings=settings(deadline=None))
