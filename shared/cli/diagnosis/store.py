"""Checks of the store: that it answers, takes what Tidegate sends, keeps it, and tells the time."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Mapping

import httpx

from ...config.settings import Settings
from ...connect import require_embedded
from ...declare.app import App
from ...declare.queue import Queue
from ...errors import ScriptError, StoreError
from ...store import Store
from ...store.keys import agenda, part
from .finding import Finding

NAME = "tidegate-doctor"
"""The queue of the script checks. It is always empty."""
SLOW = 0.05
"""Seconds of a round trip from which on the functions should move closer to the store."""
ROUND_TRIPS = 5
FULL_MEMORY = 0.8


async def check_kind(settings: Settings) -> Finding:
    """Which store the settings select. Opens the embedded one; raises MissingExtra and StoreError
    where that fails."""
    if settings.redis_url is not None:
        return Finding("store", "OK", f"Upstash REST at {httpx.URL(settings.redis_url).host}")
    require_embedded()
    from ...embedded import open_embedded

    embedded = await open_embedded(data_dir=settings.data_dir, volatile=settings.volatile)
    try:
        detail = f"embedded, {embedded.engine_name}"
        if embedded.volatile:
            return Finding("store", "WARN", f"{detail}, volatile", "its jobs end with the process")
        return Finding("store", "OK", f"{detail}, in {settings.data_dir}")
    finally:
        await embedded.close()


async def check_store(store: Store, settings: Settings, wait: float) -> AsyncIterator[Finding]:
    """Every check of an open store. `wait`: seconds in which it must answer. Raises StoreError."""
    yield await check_reach(store, wait)
    yield await check_write(store)
    yield await check_scripts(store, settings)
    told = await _memory(store)
    yield check_eviction(told)
    yield check_memory(told)
    yield check_clock(store.rest.skew_ms())


async def check_reach(store: Store, wait: float) -> Finding:
    """How long a round trip takes."""
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


async def check_write(store: Store) -> Finding:
    """Whether the token may write."""
    try:
        await store.rest.execute(["DEL", part(store.prefix, NAME, "records")], "doctor")
    except StoreError as error:
        return Finding("write", "FAIL", str(error), "use the standard token, not the read-only one")
    return Finding("write", "OK", "the token may write")


async def check_scripts(store: Store, settings: Settings) -> Finding:
    """Whether scripts run, with and without the key-locking flag."""
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


async def _memory(store: Store) -> dict[str, str]:
    """What INFO tells of the memory, by name; nothing of a store without INFO. It is not billed."""
    try:
        info = str(await store.rest.execute(["INFO", "memory"], "doctor"))
    except ScriptError:
        return {}
    pairs = (line.strip().partition(":") for line in info.splitlines())
    return {name: value for name, _colon, value in pairs}


def check_eviction(told: Mapping[str, str]) -> Finding:
    """Whether the store deletes keys when it is full. `told`: INFO memory by name."""
    policy = told.get("maxmemory_policy")
    if policy is None:
        detail = "the store does not tell; keep eviction off in its console"
        return Finding("eviction", "OK", detail)
    if policy == "noeviction":
        return Finding("eviction", "OK", "eviction is off")
    advice = "switch it off: an evicted key is a lost queue"
    return Finding("eviction", "FAIL", f"eviction is on ({policy})", advice)


def check_memory(told: Mapping[str, str]) -> Finding:
    """How full the store is, with everything in it. `told`: INFO memory by name."""
    used, most = (_number(told.get(name)) for name in ("used_memory", "maxmemory"))
    if not used or not most:
        return Finding("memory", "OK", "the store does not tell how much it may hold")
    detail = f"{used / most:.0%} of the store's {most / 2**20:,.0f} MiB are used"
    if used / most <= FULL_MEMORY:
        return Finding("memory", "OK", detail)
    advice = "a full store refuses every write: delete dead letters, keep less, or take more memory"
    return Finding("memory", "WARN", detail, advice)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def check_clock(skew_ms: float) -> Finding:
    """Whether the store's clock is this machine's. `skew_ms`: the store's minus ours; 0: within
    2 s."""
    if not skew_ms:
        return Finding("clock", "OK", "this machine's clock and the store's agree within 2 s")
    advice = "correct this machine's clock; it times ticks and labels (jobs use the store's)"
    detail = f"the store's clock differs by {skew_ms / 1000:+.0f} s"
    return Finding("clock", "WARN", detail, advice)
