"""Each check of `tidegate doctor` fires on its fault, with a cure, and is silent without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel

from shared import App, RateLimit, Retry
from shared.alerts.state import State
from shared.alerts.state_json import write_state
from shared.cli.diagnosis.declarations import (
    check_entries,
    check_plan,
    check_rates,
    check_retries,
)
from shared.cli.diagnosis.finding import Finding, Verdict
from shared.cli.diagnosis.host import Plan, check_density, check_tick_plan, check_window
from shared.cli.diagnosis.host_files import HostFile, read_host_files
from shared.cli.diagnosis.queues import LASTING, LONG_BACKLOG, check_backlogs, check_parked
from shared.cli.diagnosis.schemas import (
    MOST_MINUTES,
    check_alert_state,
    check_evaluations,
)
from shared.cli.diagnosis.settings import check_alerts
from shared.cli.diagnosis.store import check_clock, check_eviction, check_memory
from shared.config.alerts import AlertSettings
from shared.config.settings import Settings
from shared.declare.app import Registry
from shared.deployment import Deployment
from shared.errors import ConfigurationError
from shared.store.queue_stats import SIZES, TOTALS, QueueStats
from tests.cli.conftest import ROOT, Cli

MIB = 2**20
UPSTASH = Settings(redis_url="https://a.upstash.io", redis_token="x")
SECRET = "whsec_" + "QUFB" * 8


class EmptyPayload(BaseModel):
    """An empty payload."""


def registry(declare: Callable[[App], object]) -> Registry:
    app = App("sound")
    declare(app)
    return Registry([app])


def queue(**options: object) -> Registry:
    """One queue of these options with a job type of two minutes."""

    def declare(app: App) -> None:
        one = app.queue("q", timeout=120, **options)  # type: ignore[arg-type]  # any option

        @one.job("t")
        async def handle(payload: EmptyPayload) -> None: ...

    return registry(declare)


def scheduled(limit: RateLimit | None, *times: Mapping[str, object]) -> Registry:
    """A queue with this limit and schedules."""

    def declare(app: App) -> None:
        one = app.queue("q", limit=limit)

        @one.job("t")
        async def handle(payload: EmptyPayload) -> None: ...

        for at, options in enumerate(times):
            app.schedule(f"s{at}", handle, EmptyPayload(), **options)  # type: ignore[arg-type]  # as above

    return registry(declare)


def judged(finding: Finding, verdict: Verdict, check: str, words: str) -> None:
    """The finding is this one, and tells its cure unless all is well."""
    assert (finding.check, finding.verdict) == (check, verdict), finding
    assert words in finding.detail
    assert bool(finding.advice) == (verdict != "OK")


@pytest.mark.parametrize(
    ("declared", "verdict"),
    [
        (queue(), "OK"),
        (queue(retry=Retry.waits([28_800.0, 57_600.0])), "OK"),  # 24 h to the second
        (queue(retry=Retry.waits([28_800.0, 57_601.0])), "WARN"),
        (queue(retry=Retry.exponential(attempts=100, cap=3600)), "WARN"),
    ],
)
def test_retries_beyond_the_idempotency_key(declared: Registry, verdict: Verdict) -> None:
    judged(check_retries(declared), verdict, "retries", "Idempotency-Key")


@pytest.mark.parametrize(
    ("declared", "verdict", "words"),
    [
        (queue(max_bytes=51 * MIB), "OK", "fits"),
        (queue(max_bytes=52 * MIB), "WARN", "q up to 101 MiB"),
        (queue(max_bytes=32 * 48 * MIB, shards=32), "OK", "fits"),
        (queue(max_bytes=500 * MIB, shards=4), "WARN", "q up to 229 MiB"),
        (queue(max_jobs=2_219_000), "OK", "fits"),
        (queue(max_jobs=2_220_000), "WARN", "q up to 100 MiB"),
        (queue(max_jobs=10_000_000, shards=16), "WARN", "q up to 451 MiB"),
    ],
)
def test_entries_beyond_the_plans(declared: Registry, verdict: Verdict, words: str) -> None:
    judged(check_entries(declared), verdict, "entries", words)


@pytest.mark.parametrize(
    ("env", "verdict"),
    [
        ({}, "OK"),
        ({"TIDEGATE_STORE_BYTES": str(84 * MIB)}, "OK"),
        ({"TIDEGATE_STORE_BYTES": str(84 * MIB - 1)}, "WARN"),
    ],
)
def test_bounds_beyond_the_plan(env: dict[str, str], verdict: Verdict) -> None:
    judged(check_plan(queue(), AlertSettings.from_env(env)), verdict, "plan", "84 MiB")


@pytest.mark.parametrize(
    ("declared", "verdict"),
    [
        (scheduled(None, {"every": 1.0}), "OK"),
        (scheduled(RateLimit(1, per=60), {"every": 60.0}), "OK"),
        (scheduled(RateLimit(1, per=60), {"every": 60.0}, {"cron": "0 * * * *"}), "WARN"),
        (scheduled(RateLimit(1, per=3600), {"cron": "0,1 0 * * *"}), "OK"),  # two a day
    ],
)
def test_schedules_beyond_a_limit(declared: Registry, verdict: Verdict) -> None:
    judged(check_rates(declared), verdict, "rates", "limit")


@pytest.mark.parametrize(
    ("settings", "env", "verdict"),
    [
        (Settings(), {}, "OK"),
        (UPSTASH, {}, "WARN"),
        (
            UPSTASH,
            {"TIDEGATE_ALERT_WEBHOOK": "https://a.de", "TIDEGATE_CALLBACK_SECRET": SECRET},
            "OK",
        ),
        (
            UPSTASH,
            {"TIDEGATE_ALERT_EMAIL": "a@b.de", "TIDEGATE_ALERT_SMTP": "smtps://u:p@b.de"},
            "OK",
        ),
    ],
)
def test_alerts_that_nobody_is_told(
    settings: Settings, env: dict[str, str], verdict: Verdict
) -> None:
    found = check_alerts(settings, Registry([]), AlertSettings.from_env(env))
    judged(found, verdict, "alerts", "told to the log")


def file(name: str = "vercel.json", *, window: float = 300.0, tick: float = 60.0) -> HostFile:
    return HostFile(name, window, tick)


@pytest.mark.parametrize(
    ("settings", "files", "verdict", "words"),
    [
        (UPSTASH, [], "OK", "297 s"),
        (UPSTASH, [file()], "OK", "every job fits"),
        (UPSTASH, [file(window=299.0)], "WARN", "gives 299"),
        (UPSTASH, [file("serverless.yml", window=100)], "WARN", "t may take 120 s"),
        (replace(UPSTASH, max_duration=60.0), [], "WARN", "a function has 57"),
        (UPSTASH, [file(window=200)], "WARN", "gives 200"),
        (replace(UPSTASH, max_duration=30.0), [], "WARN", "t may take"),
    ],
)
def test_jobs_beyond_the_functions_time(
    settings: Settings, files: list[HostFile], verdict: Verdict, words: str
) -> None:
    judged(check_window(settings, queue(), files), verdict, "window", words)


def test_a_function_that_is_shorter_than_a_lease() -> None:
    settings = replace(UPSTASH, max_duration=30.0)

    judged(check_window(settings, Registry([]), []), "WARN", "window", "a lease 45")
    judged(check_window(replace(settings, redis_url=None), Registry([]), []), "OK", "window", "27")


@pytest.mark.parametrize(
    ("files", "plan", "verdict", "words"),
    [
        ([], "hobby", "OK", "no vercel.json"),
        ([file("serverless.yml")], "hobby", "OK", "no vercel.json"),
        ([file()], None, "OK", "Hobby refuses it"),
        ([file()], "pro", "OK", "fits the plan"),
        ([file()], "hobby", "FAIL", "once a day"),
        ([file(tick=86_400.0)], "hobby", "OK", "fits the plan"),
        ([file(tick=86_400.0)], None, "OK", "both plans"),
        ([file(tick=86_400.0, window=301)], "hobby", "FAIL", "hobby gives 300"),
        ([file(window=801)], "pro", "FAIL", "pro gives 800"),
    ],
)
def test_crons_beyond_vercels_plan(
    files: list[HostFile], plan: Plan | None, verdict: Verdict, words: str
) -> None:
    judged(check_tick_plan(files, plan), verdict, "platform", words)


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ([], "OK", "no file here"),
        ([file()], "OK", "vercel.json: 60 s"),
        ([file(tick=86_400.0)], "WARN", "schedules due more often: sound/s0"),
        ([file("serverless.yml", tick=7200.0)], "WARN", "ticks every 2 h"),
    ],
)
def test_ticks_that_are_rare(files: list[HostFile], verdict: Verdict, words: str) -> None:
    judged(check_density(scheduled(None, {"every": 60.0}), files), verdict, "density", words)


def test_the_repositorys_own_host_files_are_read() -> None:
    assert read_host_files(ROOT) == [file(), file("serverless.yml")]
    assert read_host_files(ROOT / "docs") == []


@pytest.mark.parametrize("text", ["{", "[]", '{"crons": [{}]}', '{"functions": 3}'])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "vercel.json").write_text(text)

    with pytest.raises(ConfigurationError, match=r"vercel\.json can't be read"):
        read_host_files(tmp_path)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ({}, "OK"),
        ({"maxmemory_policy": "noeviction"}, "OK"),
        ({"maxmemory_policy": "allkeys-lru"}, "FAIL"),
    ],
)
def test_eviction(told: dict[str, str], verdict: Verdict) -> None:
    judged(check_eviction(told), verdict, "eviction", "")


@pytest.mark.parametrize(
    ("used", "most", "verdict"),
    [("1", "0", "OK"), ("", "100", "OK"), ("80", "100", "OK"), ("81", "100", "WARN")],
)
def test_memory(used: str, most: str, verdict: Verdict) -> None:
    judged(check_memory({"used_memory": used, "maxmemory": most}), verdict, "memory", "store")


@pytest.mark.parametrize(("skew", "verdict"), [(0.0, "OK"), (2500.0, "WARN"), (-9000.0, "WARN")])
def test_clocks_that_differ(skew: float, verdict: Verdict) -> None:
    judged(check_clock(skew), verdict, "clock", "clock")


def waiting(jobs: int, *, age: float, limit: RateLimit | None, paused: bool = False) -> QueueStats:
    """A queue with so many jobs, the oldest waiting for `age` seconds."""
    sizes = {**dict.fromkeys(SIZES, 0), "normal": jobs}
    now, totals = 10**12, dict.fromkeys(TOTALS, 0)
    owner = App("a").queue("q", limit=limit)
    oldest = now - round(age * 1000)
    return QueueStats(owner, now, sizes, "x.q", oldest, now, paused, None, totals, (), {}, {})


@pytest.mark.parametrize(
    ("jobs", "age", "limit", "paused", "verdict"),
    [
        (1000, LASTING, None, False, "OK"),
        (0, LASTING, RateLimit(1), False, "OK"),
        (601, LASTING, RateLimit(1), False, "WARN"),
        (600, LASTING, RateLimit(1), False, "OK"),
        (601, LASTING, RateLimit(1), True, "OK"),
        (5000, LASTING - 1, RateLimit(1), False, "OK"),  # a burst
        (int(LONG_BACKLOG) + 1, 1.0, RateLimit(1), False, "WARN"),
    ],
)
def test_limits_that_cannot_clear_their_backlog(
    jobs: int, age: float, limit: RateLimit | None, paused: bool, verdict: Verdict
) -> None:
    stats = waiting(jobs, age=age, limit=limit, paused=paused)

    judged(check_backlogs([stats]), verdict, "backlogs", "limit")


@pytest.mark.parametrize(("parked", "verdict"), [(0, "OK"), (1, "WARN"), (3000, "WARN")])
def test_parked_jobs_are_told(parked: int, verdict: Verdict) -> None:
    stats = waiting(0, age=0.0, limit=None, paused=False)
    stats = stats._replace(sizes={**stats.sizes, "parked": parked})

    judged(check_parked([stats]), verdict, "parked", "job")


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("minutes", "told", "verdict"),
    [
        (None, True, "WARN"), (None, False, "OK"), (0, True, "OK"), (MOST_MINUTES - 1, True, "OK"),
        (MOST_MINUTES + 1, True, "WARN"), (MOST_MINUTES + 1, False, "OK"),
    ],
)  # fmt: skip
async def test_alerts_that_nothing_evaluates(
    minutes: int | None, verdict: Verdict, *, told: bool
) -> None:
    deployment = Deployment.from_env()
    try:
        if minutes is not None:
            state = State(at_ms=deployment.clock.epoch_ms() - minutes * 60_000)
            await deployment.store.alerts.replace("", write_state(state))
        webhook = AlertSettings(webhook="https://example.com/hook" if told else None)
        found = await check_evaluations(deployment, webhook)
    finally:
        await deployment.close()

    judged(found, verdict, "evaluations", "evaluated" if told else "nobody")


@pytest.mark.usefixtures("environ")
async def test_a_state_of_another_version() -> None:
    deployment = Deployment.from_env()
    try:
        sound = await check_alert_state(deployment)
        await deployment.store.alerts.replace("", '{"version": 99}')
        other = await check_alert_state(deployment)
    finally:
        await deployment.close()

    judged(sound, "OK", "schemas", "nothing of another version")
    judged(other, "WARN", "schemas", "version 99")


@pytest.mark.parametrize("jobs", [0, 200])
def test_the_commands_of_an_examination_are_bounded(
    cli: Cli, upstash: dict[str, str], monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    for name, value in upstash.items():
        monkeypatch.setenv(name, value)
    if jobs:
        cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * jobs)
    before = commands(upstash)
    cli("doctor", "--json")
    used = commands(upstash) - before

    queues = 2
    assert used <= 20 + 70 * queues + 2 * jobs


def commands(upstash: dict[str, str]) -> int:
    """The billed commands of the served store so far."""
    url, token = (upstash[f"UPSTASH_REDIS_REST_{name}"] for name in ("URL", "TOKEN"))
    meter = httpx.get(f"{url}/_meter", headers={"Authorization": f"Bearer {token}"})
    return int(meter.json()["commands"])
