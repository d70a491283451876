"""The nine queues of tasks, reminders and chat, with the numbers of their requirements (story 1.6).

The story names them `flrts:tasks:create` and so on. Names of queues have no colons here (nor in
BullMQ), so each colon is a dot.
"""

from __future__ import annotations

from shared import App, Queue, RateLimit, Retention, Retry

HOUR = 3600.0

app = App("tasks")


def _queue(name: str) -> Queue:
    """A queue with the story's own numbers, which all nine share."""
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
    )


task_create = _queue("flrts.tasks.create")
task_update = _queue("flrts.tasks.update")
task_sync = _queue("flrts.tasks.sync")
reminder_schedule = _queue("flrts.reminders.schedule")
reminder_send = _queue("flrts.reminders.send")
telegram_outbound = _queue("flrts.telegram.outbound")
telegram_command = _queue("flrts.telegram.command")
openproject_sync = _queue("flrts.openproject.sync")
openproject_webhook = _queue("flrts.openproject.webhook")
