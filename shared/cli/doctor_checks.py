"""The checks of `tidegate doctor`. They read only; the one key they write is their own."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Mapping

import httpx

from ..config.settings import Settings
from ..connect import require_embedded
from ..declare.app import App, Registry
from ..declare.queue import Queue
from ..deployment import Deployment
from ..errors import ConfigurationError, ScriptError, StoreError
from ..extras import MissingExtra
from ..observe.explain import TICK_LATE
from ..store import Store
from ..store.keys import agenda, part
from ..store.queue_stats import QueueStats
from ..store.repair import repair
from ..store.usage import fullness
from .archive_checks import check_dead_letters
from .finding import Finding
from .key_checks import check_keys
from .settings_checks import contradictions

NAME = "tidegate-doctor"
"""The queue of the script checks. It is always empty."""
SLOW = 0.05
"""Seconds of a round trip from which on the functions should move closer to the store."""
ROUND_TRIPS = 5
NEARLY_FULL = 0.8
MOST_COMPARED = 2000
"""Jobs of a queue that are compared with their lists; more would cost too many commands."""


async def examine(env: Mapping[str, str], *, wait: float = 5.0) -> AsyncIterator[Finding]:
    """Every check in order; those that depend on a failed one are left out. `wait`: seconds in
    which the store must answer."""
    try:
        settings = Settings.from_env(env)
    except ConfigurationError as error:
        yield Finding("settings", "FAIL", str(error), "correct the environment, then repeat this")
        return
    yield Finding("settings", "OK", f"platform {settings.platform}, prefix {settings.prefix!r}")
    registry = Registry([])
    try:
        registry = Registry.load(settings.apps)
        yield _apps(registry)
    except ConfigurationError as error:
        yield Finding("apps", "FAIL", str(error), "correct TIDEGATE_APPS, or the declaration")
    for finding in contradictions(settings, registry, env):
        yield finding
    yield check_keys(settings, registry)
    async for finding in _store(Deployment(settings, registry), wait, env):
        yield finding


async def _store(
    deployment: Deployment, wait: float, env: Mapping[str, str]
) -> AsyncIterator[Finding]:
    settings = deployment.settings
    try:
        yield await _kind(settings)
    except MissingExtra as error:
        yield Finding("store", "FAIL", str(error), "install it, or set UPSTASH_REDIS_REST_URL")
        return
    except (ConfigurationError, StoreError) as error:
        yield Finding("store", "FAIL", str(error), f"see {settings.data_dir}/server.log")
        return
    store = deployment.store
    try:
        yield await _reach(store, wait)
        yield await _write(store)
        yield await _scripts(store, settings)
        yield await _eviction(store)
        yield _clock(store)
        if deployment.registry.queues():
            async for finding in _queues(deployment, env):
                yield finding
    except StoreError as error:
        yield Finding("reach", "FAIL", str(error), "check the URL, the token and the network")
    finally:
        await deployment.close()


async def _kind(settings: Settings) -> Finding:
    if settings.redis_url is not None:
        return Finding("store", "OK", f"Upstash REST at {httpx.URL(settings.redis_url).host}")
    require_embedded()
    from ..embedded import open_embedded

    embedded = await open_embedded(data_dir=settings.data_dir, volatile=settings.volatile)
    try:
        detail = f"embedded, {embedded.engine_name}"
        if embedded.volatile:
            return Finding("store", "WARN", f"{detail}, volatile", "its jobs end with the process")
        return Finding("store", "OK", f"{detail}, in {settings.data_dir}")
    finally:
        await embedded.close()


async def _reach(store: Store, wait: float) -> Finding:
    # The first request opens the connection.
    await store.rest.execute(["EXISTS", agenda(store.prefix)], "doctor", within=wait)
    seconds = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        await store.agenda()
        seconds.append(time.perf_counter() - began)
    middle = statistics.median(seconds)
    detail = f"a round trip takes {middle * 1000:.1f} ms"
    if middle > SLOW:
        return Finding("reach", "WARN", detail, "run the functions in the database's region")
    return Finding("reach", "OK", detail)


async def _write(store: Store) -> Finding:
    try:
        await store.rest.execute(["DEL", part(store.prefix, NAME, "records")], "doctor")
    except StoreError as error:
        return Finding("write", "FAIL", str(error), "use the standard token, not the read-only one")
    return Finding("write", "OK", "the token may write")


async def _scripts(store: Store, settings: Settings) -> Finding:
    """Run a script with and without the key-locking flag."""
    queue = App("doctor").queue(NAME)
    other = Store(store.rest, store.prefix, key_locking=not settings.key_locking)
    runs, reason = await _runs(store, queue)
    if runs and settings.key_locking:
        return Finding("scripts", "OK", "scripts run, key locking accepted")
    if runs:
        accepted, _ = await _runs(other, queue)
        if not accepted:
            return Finding("scripts", "OK", "scripts run, without key locking")
        advice = "unset TIDEGATE_KEY_LOCKING, so that queues don't wait for each other"
        return Finding("scripts", "WARN", "scripts run, key locking is switched off", advice)
    if settings.key_locking and (await _runs(other, queue))[0]:
        advice = "set TIDEGATE_KEY_LOCKING=0"
        return Finding("scripts", "FAIL", "the store does not accept key locking", advice)
    return Finding("scripts", "FAIL", reason, "the token must be allowed to run EVALSHA and EVAL")


async def _runs(store: Store, queue: Queue) -> tuple[bool, str]:
    try:
        await store.stats(queue)
    except ScriptError as error:
        return False, str(error)
    return True, ""


async def _eviction(store: Store) -> Finding:
    """Whether the store may delete keys when it is full. INFO is not billed."""
    try:
        info = str(await store.rest.execute(["INFO", "memory"], "doctor"))
    except ScriptError:  # a store without INFO
        info = ""
    policy = next(
        (
            line.partition(":")[2].strip()
            for line in info.splitlines()
            if line.startswith("maxmemory_policy:")
        ),
        None,
    )
    if policy is None:
        detail = "the store does not tell; keep eviction off in its console"
        return Finding("eviction", "OK", detail)
    if policy == "noeviction":
        return Finding("eviction", "OK", "eviction is off")
    advice = "switch it off: an evicted key is a lost queue"
    return Finding("eviction", "FAIL", f"eviction is on ({policy})", advice)


async def _queues(deployment: Deployment, env: Mapping[str, str]) -> AsyncIterator[Finding]:
    stats = [await deployment.store.stats(queue) for queue in deployment.queues()]
    late = [one.queue.name for one in stats if _is_late(one)]
    if late:
        detail = f"jobs wait and no drain comes: {', '.join(late)}"
        yield Finding("ticks", "WARN", detail, "is the schedule on, and does it send CRON_SECRET?")
    yield await check_dead_letters(deployment, stats, env)
    yield await _jobs(deployment.store, stats)


def _is_late(stats: QueueStats) -> bool:
    """True if a drain should have come for the waiting jobs and has not."""
    seen = max(stats.turn_ms, stats.oldest_ms or stats.now_ms)
    return not stats.paused and stats.now_ms - seen > TICK_LATE * 1000


async def _jobs(store: Store, queues: list[QueueStats]) -> Finding:
    """Records against places, and room. Large queues are left to `tidegate repair`."""
    compared, wrong, full, fewer = 0, [], [], []
    for stats in queues:
        queue = stats.queue
        level = fullness(stats.usage, queue.max_jobs, queue.max_bytes)
        if level > NEARLY_FULL:
            full.append(f"{queue.name} {level:.0%}")
        if len(stats.usage) > queue.shards:
            fewer.append(f"{queue.name} ({len(stats.usage)})")
        if stats.jobs > MOST_COMPARED:
            continue
        repairs = await repair(store, queue, dry_run=True)
        compared += repairs.jobs
        if not repairs.is_sound:
            wrong.append(queue.name)
    if wrong:
        detail = f"records and lists do not agree: {', '.join(wrong)}"
        return Finding("jobs", "WARN", detail, "tidegate repair --dry-run, then without it")
    if full:
        detail = f"nearly full: {', '.join(full)}"
        return Finding(
            "jobs", "WARN", detail, "drain, delete dead letters, or raise max_jobs, max_bytes"
        )
    if fewer:
        detail = f"declared with fewer shards than stored: {', '.join(fewer)}"
        return Finding("jobs", "WARN", detail, "declare as many; a queue's shards can only grow")
    return Finding("jobs", "OK", f"{compared} jobs compared with their lists; all queues have room")


def _clock(store: Store) -> Finding:
    skew = store.rest.skew_ms() / 1000
    if not skew:
        return Finding("clock", "OK", "this machine's clock and the store's agree within 2 s")
    advice = "correct this machine's clock; it times ticks and labels (jobs use the store's)"
    return Finding("clock", "WARN", f"the store's clock differs by {skew:+.0f} s", advice)


def _apps(registry: Registry) -> Finding:
    queues = registry.queues()
    if not queues:
        return Finding(
            "apps", "WARN", "no queue is declared", "name your applications in TIDEGATE_APPS"
        )
    types = sum(len(queue.types) for queue in queues)
    apps = ", ".join(sorted({queue.app for queue in queues}))
    some = f"{len(queues)} queue{'s' * (len(queues) != 1)}, {types} job type{'s' * (types != 1)}"
    return Finding("apps", "OK", f"{apps}: {some}")
