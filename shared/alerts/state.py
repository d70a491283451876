"""The state of the alerts, and the step from one evaluation to the next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..config.alerts import OFF, AlertSettings
from .baseline import Baseline
from .notice import Notice, bounded, notice_of
from .reading import Reading
from .rules import Judgement, Snapshot, is_spent, judge_deployment, judge_queue
from .totals import Totals

MOST_NOTICES = 100
"""Notices that wait for a sink: while a webhook is down, the oldest are counted in one."""


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """What has been found of one rule and queue: how often in a row it was beyond its threshold,
    the last value, and since when it fires (ms); None: it does not."""

    times: int
    value: float
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What one evaluation leaves for the next. `readings`: those with which the next ones are
    compared. `standings`: by (rule, queue), only those that were found beyond a threshold.
    `totals`: those of the deployment; None before the first evaluation."""

    at_ms: int = 0
    readings: Mapping[str, Reading] = field(default_factory=dict)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    standings: Mapping[tuple[str, str], AlertStatus] = field(default_factory=dict)
    outbox: Sequence[Notice] = ()
    totals: Totals | None = None

    @property
    def firing(self) -> dict[tuple[str, str], AlertStatus]:
        """The alerts that fire now."""
        return {key: one for key, one in self.standings.items() if one.since_ms is not None}


def advance(
    state: State, snapshot: Snapshot, settings: AlertSettings, sinks: tuple[str, ...]
) -> State:
    """The state after this evaluation. Its outbox has a notice more for each alert that has begun
    or ended, for these sinks."""
    totals = _totals(state.totals, snapshot)
    judgements = list(judge_deployment(snapshot, totals, settings))
    readings, baselines = dict[str, Reading](), dict[str, Baseline]()
    for stats in snapshot.queues:
        name, now = stats.queue.name, Reading.of(stats)
        before = state.readings.get(name)
        change = before and now.since(before)
        baseline = state.baselines.get(name, Baseline())
        judgements += judge_queue(stats, change, baseline, settings)
        spent = change is not None and is_spent(change)
        readings[name] = before if before and change and not spent else now
        baselines[name] = baseline.learn(change) if change and spent else baseline
    judgements += _of_gone(state, judgements, {one.queue.name for one in snapshot.queues})
    standings, notices = _stand(state.standings, judgements, snapshot.now_ms, sinks)
    outbox = bounded([*state.outbox, *notices], MOST_NOTICES)
    told = any(one.rule == "refused" and one.finding != "unknown" for one in judgements)
    totals = totals.anew(snapshot.now_ms) if told else totals
    return State(snapshot.now_ms, readings, baselines, standings, outbox, totals)


def _totals(before: Totals | None, snapshot: Snapshot) -> Totals:
    numbers = snapshot.now_ms, snapshot.refused, snapshot.commands
    return Totals.first(*numbers) if before is None else before.at(*numbers)


def delivered(state: State, sent: Mapping[str, Iterable[str]]) -> State:
    """The state without the notices that are sent. `sent`: the sinks by the id of the notice."""
    outbox = [
        replace(one, pending=tuple(s for s in one.pending if s not in sent.get(one.id, ())))
        for one in state.outbox
    ]
    return replace(state, outbox=[one for one in outbox if one.pending])


def _stand(
    before: Mapping[tuple[str, str], AlertStatus],
    judgements: Iterable[Judgement],
    now_ms: int,
    sinks: tuple[str, ...],
) -> tuple[dict[tuple[str, str], AlertStatus], list[Notice]]:
    standings, notices = dict(before), list[Notice]()
    for judgement in judgements:
        key = (judgement.rule, judgement.queue)
        standing = standings.get(key, AlertStatus(0, 0.0))
        if judgement.finding == "beyond":
            times = standing.times + 1
            fires = standing.since_ms is None and times >= judgement.least
            since = now_ms if fires else standing.since_ms
            standings[key] = AlertStatus(times, judgement.value, since)
            if fires:
                notices.append(notice_of(judgement, now_ms, sinks))
        elif judgement.finding == "within":
            standings.pop(key, None)
            if standing.since_ms is not None:
                notices.append(notice_of(judgement, now_ms, sinks))
    return standings, notices


def _of_gone(state: State, judgements: Sequence[Judgement], queues: set[str]) -> list[Judgement]:
    """One for what is not judged any more: the queue is gone, or the rule has no setting."""
    judged = {(one.rule, one.queue) for one in judgements}
    return [
        Judgement(rule, queue, "within", 0.0, OFF)
        for rule, queue in state.standings
        if (rule, queue) not in judged and queue not in queues
    ]
