"""The queues of the weather app, with the numbers of its requirements (story 0.4)."""

from __future__ import annotations

from shared import App, RateLimit, Retention, Retry

app = App("weather-fashion")

# The story's ADR-003: three retries, after 1, 5 and 25 s.
_RETRY = Retry.waits([1, 5, 25])
_COMPLETED, _DEAD = Retention(count=100), Retention(count=1000)

weather = app.queue(
    "weather-ingestion",
    concurrency=10,
    # OpenWeather's own limit, which a burst on top would pass: evenly spaced, one a second.
    limit=RateLimit(60, per=60, burst=1),
    retry=_RETRY,
    timeout=30,
    completed=_COMPLETED,
    dead=_DEAD,
)
alerts = app.queue(
    "alert-fanout",
    concurrency=20,
    retry=_RETRY,
    priority="high",
    timeout=10,
    completed=_COMPLETED,
    dead=_DEAD,
)
colors = app.queue(
    "color-extraction",
    concurrency=5,
    limit=RateLimit(5, per=1, burst=5),
    retry=_RETRY,
    timeout=60,
    completed=_COMPLETED,
    dead=_DEAD,
)
moderation = app.queue(
    "moderation-review",
    concurrency=10,
    retry=_RETRY,
    timeout=120,
    completed=_COMPLETED,
    dead=_DEAD,
)
