"""Schedules: which job is due when. A declaration; `shared/schedules` computes and enqueues."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from ..checks import check_fields, check_function, require
from ..errors import ConfigurationError
from ..jobs.ids import NAME_GRAMMAR, is_name
from .cron import ALIASES, average_distance, cron_fault, is_zone, shortest_distance
from .queue import JobType

Missed = Literal["latest", "skip", "all"]
Overlap = Literal["allow", "skip"]
Payload = BaseModel | Callable[[datetime], BaseModel]
"""A payload, or a function that makes it of the planned instant."""

LONGEST_EVERY = 366 * 86_400.0
TICK = 60.0
"""Seconds between ticks, as deployments have them."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job type, its payload, and the instants at which it is due. Seconds unless a name says
    otherwise. Made by `App.schedule`, which describes each field."""

    name: str
    app: str
    job_type: JobType[Any]
    payload: Payload
    cron: str | None
    every: float | None
    timezone: str
    missed: Missed
    within: float | None
    overlap: Overlap
    jitter: float

    def __post_init__(self) -> None:
        what = f"schedule {self.name!r:.80}"
        check_fields(self, Schedule, what)
        require(is_name(self.name), f"{what}: {NAME_GRAMMAR}")
        require(
            self.job_type.queue.app == self.app,
            f"{what}: job type {self.job_type.name!r} belongs to application "
            f"{self.job_type.queue.app!r}; declare the schedule there",
        )
        self._check_payload(what)
        ok = (self.cron is None) != (self.every is None)
        require(ok, f"{what}: give cron or every, and not both")
        ok = self.within is None or 0 < self.within <= LONGEST_EVERY
        require(ok, f"{what}: within is above 0 and at most {LONGEST_EVERY:.0f} seconds, or None")
        require(0 <= self.jitter <= 86_400, f"{what}: jitter is 0 to 86400 seconds")
        if self.every is not None:
            ok = 1 <= self.every <= LONGEST_EVERY
            require(ok, f"{what}: every is 1 to {LONGEST_EVERY:.0f} seconds")
            ok = self.timezone == "UTC"
            require(ok, f"{what}: timezone belongs to cron; every counts from 1970 on, in any zone")
        else:
            self._check_cron(what)
        if self.overlap == "skip" and self.jitter > 0:
            distance = self.every or shortest_distance(self.expression).total_seconds()
            longest = max(0.0, distance - TICK)
            require(
                self.jitter <= longest,
                f"{what}: with overlap='skip' jitter is at most {longest:g} seconds here: a job "
                "that waits out its jitter has not ended, and the next one would be left out",
            )

    def _check_payload(self, what: str) -> None:
        model, payload = self.job_type.model, self.payload
        if isinstance(payload, model):
            return
        if not callable(payload):
            text = f"the payload is a {model.__name__}, or a function that makes one"
            raise ConfigurationError(f"{what}: {text}")
        check_function(payload, "the planned instant", f"{what}: the payload's function")

    def _check_cron(self, what: str) -> None:
        zone = is_zone(self.timezone)
        require(zone, f"{what}: there is no time zone {self.timezone!r}; write Europe/Berlin")
        fault = cron_fault(self.expression)
        require(
            fault is None,
            f"{what}: cron={self.cron!r:.80}: {fault}; write minute, hour, day, month and weekday, "
            f"such as '0 7 * * 1-5', or one of {', '.join(ALIASES)}",
        )

    @property
    def expression(self) -> str:
        """The five fields of `cron`; empty for `every`."""
        return ALIASES.get(self.cron or "", self.cron or "")

    @property
    def average_seconds(self) -> float:
        """Seconds between two occurrences, on average over the next ten."""
        return self.every or average_distance(self.expression).total_seconds()

    @property
    def key(self) -> str:
        """The name over all applications."""
        return f"{self.app}/{self.name}"

    @property
    def entry(self) -> str:
        """The agenda's member. It begins with "@", as no queue does, and changes with the times,
        so a changed schedule begins anew."""
        times = f"{self.expression} {self.every} {self.timezone}"
        return f"{self.pause}#{hashlib.sha256(times.encode()).hexdigest()[:8]}"

    @property
    def pause(self) -> str:
        """The agenda's member while it is paused, whatever its times."""
        return f"@{self.key}"
