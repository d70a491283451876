"""The nine queues of tasks, reminders and chat, with the numbers of their requirements (story 1.6).

The story names them `flrts:tasks:create` and so on. Names of queues have no colons here (nor in
BullMQ), so each colon is a dot.
"""

from __future__ import annotations

from shared import App, KeyLimit, Queue, RateLimit, Retention, Retry

HOUR = 3600.0
A_USER = KeyLimit(rate=RateLimit(10, per=60))
"""Ten operations a minute a user."""

app = App("tasks")


def _queue(name: str, *, per_user: KeyLimit | None = None, refuse: bool = False) -> Queue:
    """A queue with the story's own numbers, which all nine share. `per_user`: the limit of each
    user; `refuse`: what is beyond it is refused, and does not wait."""
    return app.queue(
        name,
        concurrency=10,
        # A BullMQ limiter starts `max` jobs at once and then waits for its window: burst = max.
        limit=RateLimit(100, per=60, burst=100),
        retry=Retry.exponential(attempts=3, first=2.0, jitter=0.0),
        timeout=30,  # the story's lockDuration
        completed=Retention(age=HOUR, count=100),
        dead=Retention(age=24 * HOUR, count=500),
        encrypt=True,
        per_key=per_user,
        if_limited="refuse" if refuse else "defer",
    )


task_create = _queue("flrts.tasks.create", per_user=A_USER)
task_update = _queue("flrts.tasks.update", per_user=A_USER)
task_sync = _queue("flrts.tasks.sync")
reminder_schedule = _queue("flrts.reminders.schedule", per_user=A_USER)
reminder_send = _queue("flrts.reminders.send")
telegram_outbound = _queue("flrts.telegram.outbound")
# Messages of people: those beyond the rate are refused and not stored.
telegram_command = _queue("flrts.telegram.command", per_user=A_USER, refuse=True)
openproject_sync = _queue("flrts.openproject.sync")
openproject_webhook = _queue("flrts.openproject.webhook")
