"""Bugs in the drain's Python: each one patches an attribute or a method by its name, at run time.

Most of them change what a drain sends to the store or hears from it, at `Store.turn`: a seam that
stays where it is when the drain's modules are split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from shared import Queue, Retention
from shared.declare.schedule import Schedule
from shared.drain import endings, turns
from shared.drain.budget import Budget
from shared.drain.endings import Endings
from shared.drain.exclusive import SharedExclusiveLock
from shared.drain.follow_up_jobs import follow_up_jobs
from shared.jobs.ends import DecidedEnd
from shared.jobs.ids import new_id, public_id
from shared.jobs.job import EnqueueAnswer, Job
from shared.schedules import due_jobs
from shared.schedules.jobs import job_of
from shared.schedules.occurrences import Due, due, first_after
from shared.store import Store, TurnReply, TurnRequest
from shared.store.client.rest import Rest
from shared.store.turn import Settle

# Every name of the drain that a plant patches: what to change when the drain is restructured.
LEASES = (turns, "LEASE_MS")
LOCK_WAIT = (SharedExclusiveLock, "wait_shared")
HANDLER_TIME = (Budget, "handler_time")
SEND = (Store, "turn")
AGENDA = (Store, "agenda")
ARGUMENTS = (TurnRequest, "args")
OCCURRENCE = (due_jobs, "job_of")
DUE = (due_jobs, "due")
SKEW = (Rest, "skew_ms")
FOLLOW_UP_JOBS = (endings, "follow_up_jobs")
END_WITH_FOLLOW_UPS = (endings, "end_with_follow_ups")
RESUME = (Endings, "resume")
STORE_FOLLOW_UPS = (Store, "enqueue_follow_ups")
EXCLUSIVE = "exclusive"
"""The field of `TurnRequest` by which a turn requests a suspect."""

Patch: TypeAlias = Callable[[object, str, object], None]
"""`setattr` of a `pytest.MonkeyPatch`: it fails where the name does not exist."""
Plant: TypeAlias = Callable[[Patch], None]


def leases_end_before_their_jobs(patch: Patch) -> None:
    patch(*LEASES, 2_000)


def leases_are_never_prolonged(patch: Patch) -> None:
    _send(patch, lambda ask: ask._replace(prolong=()))


def jobs_do_not_wait_for_their_tokens(patch: Patch) -> None:
    _receive(patch, lambda reply: reply._replace(level=10**15))


def every_turn_has_the_same_number(patch: Patch) -> None:
    _send(patch, lambda ask: ask._replace(seq=1))


def results_are_never_settled(patch: Patch) -> None:
    _settle(patch, lambda ask: [settle for settle in ask.settles if settle.kind == "keep"])


def the_last_results_are_dropped(patch: Patch) -> None:
    _settle(patch, lambda ask: ask.settles if ask.want else [])


def results_are_settled_twice(patch: Patch) -> None:
    sent: dict[str, list[Settle]] = {}

    def again(ask: TurnRequest) -> list[Settle]:
        settles = [settle for settle in ask.settles if settle.kind != "keep"]
        before, sent[ask.owner] = sent.get(ask.owner, []), settles
        return [*ask.settles, *before]

    _settle(patch, again)


def jobs_that_do_not_stop_are_not_released(patch: Patch) -> None:
    _settle(patch, lambda ask: [settle for settle in ask.settles if settle.kind != "release"])


def delays_are_sent_as_seconds(patch: Patch) -> None:
    def in_seconds(ask: TurnRequest) -> list[Settle]:
        return [settle._replace(delay_ms=settle.delay_ms // 1000) for settle in ask.settles]

    _settle(patch, in_seconds)


def every_claim_is_exclusive(patch: Patch) -> None:
    exclusive: dict[str, Any] = {EXCLUSIVE: True}
    _send(patch, lambda ask: ask._replace(**exclusive))


def other_jobs_run_beside_a_suspect(patch: Patch) -> None:
    async def at_once(_lock: object) -> None:
        """The lock is held, and the job starts all the same."""

    patch(*LOCK_WAIT, at_once)


def some_claims_are_not_started(patch: Patch) -> None:
    _receive(patch, lambda reply: reply._replace(claims=reply.claims[1:]))


def handlers_outstay_the_window(patch: Patch) -> None:
    seconds = Budget.handler_time
    patch(*HANDLER_TIME, lambda budget: seconds(budget) + 30.0)


def count_and_age_of_retention_change_places(patch: Patch) -> None:
    args = TurnRequest.args

    def swapped(ask: TurnRequest, queue: Queue) -> list[str | int]:
        kept = queue.completed
        other = Retention(count=round(kept.age * 1000), age=kept.count / 1000)
        return args(ask, replace(queue, completed=other))

    patch(*ARGUMENTS, swapped)


def every_agenda_entry_is_read_as_far_ahead(patch: Patch) -> None:
    agenda = Store.agenda

    async def later(store: Store) -> dict[str, float]:
        return dict.fromkeys(await agenda(store), math.inf)

    patch(*AGENDA, later)


def an_occurrence_has_another_id_each_time(patch: Patch) -> None:
    patch(*OCCURRENCE, lambda one, at, now: replace(job_of(one, at, now), id=new_id()))


def an_occurrence_starts_by_the_clock_of_its_function(patch: Patch) -> None:
    patch(*OCCURRENCE, lambda one, at, now: replace(job_of(one, at, now), run_at_ms=0))


def the_first_of_several_occurrences_is_left_out(patch: Patch) -> None:
    def shorter(schedule: Schedule, planned: int, now: int) -> Due:
        instants, following = due(schedule, planned, now)
        return Due(instants[1:] or instants, following)

    patch(*DUE, shorter)


def a_schedule_moves_on_by_two_occurrences(patch: Patch) -> None:
    def too_far(schedule: Schedule, planned: int, now: int) -> Due:
        instants, following = due(schedule, planned, now)
        return Due(instants, first_after(schedule, following))

    patch(*DUE, too_far)


def clocks_are_taken_for_right(patch: Patch) -> None:
    patch(*SKEW, lambda _rest: 0.0)


def ends_are_not_decided_first(patch: Patch) -> None:
    patch(*END_WITH_FOLLOW_UPS, lambda _run, _outcome: None)


def the_last_follow_up_is_left_out(patch: Patch) -> None:
    patch(*FOLLOW_UP_JOBS, lambda *of: list(follow_up_jobs(*of))[:-1])


def a_follow_up_has_another_id_each_time(patch: Patch) -> None:

    def renamed(*of: Any) -> list[Any]:
        found = follow_up_jobs(*of)
        return [child._replace(job=replace(child.job, id=f"~f{new_id()}")) for child in found]

    patch(*FOLLOW_UP_JOBS, renamed)


def follow_ups_are_those_of_the_other_end(patch: Patch) -> None:

    def swapped(run: Any, end: DecidedEnd, history: str, now_ms: int) -> Any:
        other = end._replace(kind="dead" if end.kind == "done" else "done")
        return follow_up_jobs(run, other, history, now_ms)

    patch(*FOLLOW_UP_JOBS, swapped)


def a_decided_end_is_decided_again(patch: Patch) -> None:
    def anew(ends: Endings, run: Any, end: DecidedEnd) -> None:
        resume(ends, run, end._replace(mark=new_id()))

    resume = Endings.resume
    patch(*RESUME, anew)


def a_decided_end_is_resumed_without_its_follow_ups(patch: Patch) -> None:
    resume = Endings.resume
    names = [f"{event} {n}" for event in ("completed", "dead") for n in range(9)]

    def bare(ends: Endings, run: Any, end: DecidedEnd) -> None:
        resume(ends, run, end._replace(stored=names))

    patch(*RESUME, bare)


def follow_ups_that_were_refused_count_as_stored(patch: Patch) -> None:
    async def nothing(
        _store: Store, queue: Queue, jobs: Sequence[Job], *, within: float
    ) -> list[EnqueueAnswer]:
        """As if the store had taken them, `within` its time."""
        del within
        return [
            EnqueueAnswer(public_id(job.id, queue.name), "waiting", duplicate=False) for job in jobs
        ]

    patch(*STORE_FOLLOW_UPS, nothing)


def every_outcome_is_decided_as_done(patch: Patch) -> None:
    _settle(patch, lambda ask: [s._replace(kind="done") if s.kind == "dead" else s
                                for s in ask.settles])  # fmt: skip


PLANTS: tuple[Plant, ...] = (
    leases_end_before_their_jobs,
    leases_are_never_prolonged,
    jobs_do_not_wait_for_their_tokens,
    every_turn_has_the_same_number,
    results_are_never_settled,
    the_last_results_are_dropped,
    results_are_settled_twice,
    jobs_that_do_not_stop_are_not_released,
    delays_are_sent_as_seconds,
    every_claim_is_exclusive,
    other_jobs_run_beside_a_suspect,
    some_claims_are_not_started,
    handlers_outstay_the_window,
    count_and_age_of_retention_change_places,
    every_agenda_entry_is_read_as_far_ahead,
    an_occurrence_has_another_id_each_time,
    an_occurrence_starts_by_the_clock_of_its_function,
    the_first_of_several_occurrences_is_left_out,
    a_schedule_moves_on_by_two_occurrences,
    clocks_are_taken_for_right,
    ends_are_not_decided_first,
    the_last_follow_up_is_left_out,
    a_follow_up_has_another_id_each_time,
    follow_ups_are_those_of_the_other_end,
    a_decided_end_is_decided_again,
    a_decided_end_is_resumed_without_its_follow_ups,
    follow_ups_that_were_refused_count_as_stored,
    every_outcome_is_decided_as_done,
)


def title(plant: Plant) -> str:
    """What is wrong, in words."""
    return plant.__name__.replace("_", " ")


def _settle(patch: Patch, change: Callable[[TurnRequest], Any]) -> None:
    """Other settles than the drain's are sent."""
    _send(patch, lambda ask: ask._replace(settles=change(ask)))


def _send(patch: Patch, change: Callable[[TurnRequest], TurnRequest]) -> None:
    """Another turn than the drain's is sent."""
    send = Store.turn

    async def turn(
        store: Store, queue: Queue, ask: TurnRequest, *, within: float | None = None
    ) -> TurnReply:
        return await send(store, queue, change(ask), within=within)

    patch(*SEND, turn)


def _receive(patch: Patch, change: Callable[[TurnReply], TurnReply]) -> None:
    """Another reply than the store's is heard."""
    send = Store.turn

    async def turn(
        store: Store, queue: Queue, ask: TurnRequest, *, within: float | None = None
    ) -> TurnReply:
        return change(await send(store, queue, ask, within=within))

    patch(*SEND, turn)
