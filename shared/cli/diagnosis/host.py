"""Checks of the deployment's host: the time of a function against jobs and leases, and the ticks
against the plan, the schedules and what must be seen in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...config.settings import Settings
from ...declare.app import Registry
from ...drain.budget import Budget
from ...drain.leases import LEASE
from .finding import Finding
from .host_files import HostFile

Plan = Literal["hobby", "pro"]
"""Vercel's plans."""
DAY = 86_400.0
LONGEST_RUN: dict[Plan, float] = {"hobby": 300.0, "pro": 800.0}
"""Seconds, the largest `maxDuration` of each plan."""
SEEN_WITHIN = 3600.0
"""Seconds between ticks from which on a dead function's jobs and due retries wait for long."""


def check_window(settings: Settings, registry: Registry, files: Sequence[HostFile]) -> Finding:
    """Whether each job fits the time of a function that runs it, and its settles after it. A job
    that does not fit is killed with its function, and its lease must end before it runs again."""
    named = [(file.window, file.name) for file in files if file.window is not None]
    seconds, source = min([*named, (settings.max_duration, "TIDEGATE_MAX_DURATION")])
    window = Budget.of(seconds).handler_time()
    long = [
        f"{job_type.name} may take {job_type.timeout:g} s"
        for queue in registry.queues()
        for job_type in queue.types.values()
        if job_type.timeout > window
    ]
    if long:
        detail = f"{', '.join(long)}; a function has {window:.0f} ({source})"
        return Finding("window", "WARN", detail, f"raise {source}, or lower the timeouts")
    if settings.max_duration > seconds and source == "vercel.json":
        detail = f"TIDEGATE_MAX_DURATION is {settings.max_duration:g} s, {source} gives {seconds:g}"
        advice = f"set both alike: a drain that is cut off keeps its leases for {LEASE:.0f} s"
        return Finding("window", "WARN", detail, advice)
    if window < LEASE and settings.redis_url is not None:
        detail = f"a function has {window:.0f} s ({source}), a lease {LEASE:.0f}"
        advice = "give it a minute: jobs of a killed function wait for longer than a run takes"
        return Finding("window", "WARN", detail, advice)
    return Finding("window", "OK", f"every job fits the {window:.0f} s of a function ({source})")


def check_tick_plan(files: Sequence[HostFile], plan: Plan | None) -> Finding:
    """Whether Vercel's plan takes what `vercel.json` needs. `plan`: None where it is not known."""
    file = next((one for one in files if one.name == "vercel.json"), None)
    if file is None:
        return Finding("platform", "OK", "no vercel.json here")
    daily = file.tick is None or file.tick >= DAY
    if plan is None:
        fits = "both plans" if daily else "Pro; Hobby refuses it (tell yours by --plan)"
        return Finding("platform", "OK", f"the crons of vercel.json fit {fits}")
    if plan == "hobby" and not daily:
        detail = "vercel.json has a cron more often than once a day: Hobby refuses to deploy it"
        advice = "take the once-a-day file (vercel.hobby.json) and an outside ticker"
        return Finding("platform", "FAIL", detail, advice)
    if file.window is not None and file.window > LONGEST_RUN[plan]:
        detail = f"maxDuration {file.window:g} s; {plan} gives {LONGEST_RUN[plan]:g}"
        return Finding("platform", "FAIL", detail, "lower maxDuration in vercel.json")
    return Finding("platform", "OK", f"vercel.json fits the plan {plan}")


def check_density(registry: Registry, files: Sequence[HostFile]) -> Finding:
    """Whether ticks come often enough for the schedules, and for jobs that wait for one."""
    rare = [one for one in files if one.tick is not None and one.tick > SEEN_WITHIN]
    if not rare:
        ticks = ", ".join(f"{one.name}: {one.tick:g} s" for one in files if one.tick is not None)
        return Finding("density", "OK", f"seconds between ticks: {ticks or 'no file here tells'}")
    each = ", ".join(f"{one.name} ticks every {(one.tick or 0) / 3600:g} h" for one in rare)
    missed = [
        one.key
        for one in registry.schedules
        if one.average_seconds < max(file.tick or 0.0 for file in rare)
    ]
    behind = f"; schedules due more often: {', '.join(missed)}" if missed else ""
    detail = f"{each}: a job, a retry or a dead function's job may wait as long{behind}"
    advice = "have an outside ticker call the drain each minute (docs/deploy-vercel.md), or nudges"
    return Finding("density", "WARN", detail, advice)
