"""One evaluation of the alerts: read, judge, store, send."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..config.alerts import AlertSettings
from ..declare.queue import Queue
from ..schedules.due_jobs import PATIENCE_MS, failing_since
from ..store import Store
from ..store.counters import COMMANDS
from ..store.queue_stats import QueueStats
from ..store.schedules import is_schedule
from .mail import EmailSink
from .notice import Notice
from .rules import Snapshot
from .sinks import LogSink, Sink, WebhookSink
from .state import State, advance, delivered
from .state_json import read_state, write_state

log = logging.getLogger("tidegate.alerts")

INSTANTS = 2.0
"""Agenda scores below this are no instants: the queue is due, since an unknown time."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation leaves. `queues`: what it read of them. `kept`: False where another one
    came in between: that one sends what has changed."""

    state: State
    notices: Sequence[Notice]
    queues: Sequence[QueueStats]
    kept: bool


async def evaluate(
    store: Store,
    queues: Sequence[Queue],
    settings: AlertSettings,
    *,
    archive_lag: float | None = None,
    sinks: Sequence[Sink] | None = None,
) -> Evaluation:
    """Evaluate every rule once and send notices of what has begun or ended. `archive_lag`: seconds
    for which the oldest dead letter waits for the archive; None: there is no archive. `sinks`: None
    for the log and, if it is set, the webhook. Any number may run at a time. Raises StoreError."""
    sinks = sinks_of(settings) if sinks is None else sinks
    stats = await store.overview(queues)
    now_ms = max((one.now_ms for one in stats), default=store.clock.epoch_ms())
    late = seconds_late(stats, await store.agenda(), now_ms)
    counts, before = await store.access.counts(), await store.alerts.read()
    refused = counts.get("401", 0) + counts.get("403", 0)
    commands = counts.get("commands", 0) + sum(one.counters.get(COMMANDS, 0) for one in stats)
    state = advance(
        read_state(before),
        Snapshot(now_ms, stats, late, archive_lag, refused, commands),
        settings,
        tuple(sink.name for sink in sinks),
    )
    text = write_state(state)
    if not await store.alerts.replace(before, text):
        return Evaluation(read_state(before), (), stats, kept=False)
    notices = state.outbox
    sent = await _send(notices, sinks)
    if sent:
        state = delivered(state, sent)
        await store.alerts.replace(text, write_state(state))
    return Evaluation(state, notices, stats, kept=True)


def sinks_of(settings: AlertSettings) -> list[Sink]:
    """The log, and the webhook and the e-mail if they are set."""
    sinks: list[Sink] = [LogSink()]
    if settings.webhook is not None:
        sinks.append(WebhookSink(settings.webhook, settings.secrets))
    if settings.mail is not None:
        sinks.append(EmailSink(settings.mail))
    return sinks


def seconds_late(stats: Sequence[QueueStats], agenda: Mapping[str, float], now_ms: int) -> float:
    """For how long the work that is due longest has waited for a tick, in seconds. That is
    work with an entry in the agenda that is past and that no tick has moved on."""
    by_name = {one.queue.name: one for one in stats}
    since = [now_ms]
    for member, instant in agenda.items():
        queue = by_name.get(member)
        if is_schedule(member):
            since += [_last_try(agenda, member)] if "#" in member else []
        elif queue is not None and instant >= INSTANTS:
            since.append(max(int(instant), queue.turn_ms))
        elif queue is not None and queue.oldest_ms is not None:
            since.append(max(queue.oldest_ms, queue.turn_ms))
    return max(0, now_ms - min(since)) / 1000


def _last_try(agenda: Mapping[str, float], entry: str) -> int:
    """When a tick must have moved a schedule's entry on."""
    failing = failing_since(agenda, entry)
    return int(agenda[entry]) if failing is None else failing + PATIENCE_MS


async def _send(notices: Sequence[Notice], sinks: Sequence[Sink]) -> dict[str, list[str]]:
    """The names of the sinks that have taken each notice now, by its id."""
    sinks_by_id = defaultdict[str, list[str]](list)
    for sink in sinks:
        for notice in notices:
            if sink.name in notice.pending:
                if not await _tell(sink, notice):
                    break  # it is down: the others wait with this one
                sinks_by_id[notice.id].append(sink.name)
    return dict(sinks_by_id)


async def _tell(sink: Sink, notice: Notice) -> bool:
    """Whether the sink has taken it. What a sink raises must not keep the others from theirs, nor
    the maintenance behind an evaluation from its work."""
    try:
        return await sink.tell(notice)
    except Exception as error:  # noqa: BLE001 - a sink may be anyone's
        # Its text is left out: it may hold an address or a password.
        extra = {"notice": notice.id, "sink": sink.name, "error": type(error).__name__}
        log.warning("alert_sink_failed", extra=extra)
        return False
