"""`tidegate doctor` and `tokens`: findings with advice, and secrets that the settings accept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.cli.diagnosis.settings import contradictions
from shared.cli.exit_codes import Exit
from shared.config.settings import ROLES, Settings
from shared.declare.queue import DEFAULT_MAX_JOBS
from shared.deployment import Deployment
from shared.embedded import open_embedded
from shared.jobs.job import Job
from tests.cli import sample
from tests.cli.conftest import Cli

Findings = list[dict[str, str]]


def verdicts(findings: Findings) -> dict[str, str]:
    return {finding["check"]: finding["verdict"] for finding in findings}


def test_every_check_passes_on_a_new_machine(cli: Cli) -> None:
    ran = cli("doctor", "--json")

    assert (ran.code, ran.json["ok"]) == (Exit.OK, True)
    checks = ["settings", "apps", "keys", "retries", "rates", "entries", "alerts", "plan"]
    checks += ["platform", "window", "density", "store", "reach", "write", "scripts", "eviction"]
    checks += [
        "memory",
        "clock",
        "schemas",
        "evaluations",
        "migrations",
        "ticks",
        "backlogs",
        "room",
        "names",
    ]
    checks += ["parked", "dead", "undeclared", "jobs"]
    assert verdicts(ran.json["findings"]) == dict.fromkeys(checks, "OK")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("work/backlog=5,slow/latency=3", "OK"), ("wrok/backlog=5", "WARN"), ("backlogg=3", None)],
)
def test_thresholds_are_of_queues_that_there_are(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, text: str, verdict: str | None
) -> None:
    monkeypatch.setenv("TIDEGATE_ALERTS", text)

    ran = cli("doctor", "--json")

    findings = {one["check"]: one for one in ran.json["findings"]}
    if verdict is None:  # nothing starts with it
        assert (ran.code, findings["settings"]["verdict"]) == (Exit.FAILED, "FAIL")
        assert cli("status").code is Exit.CONFIGURATION
        return
    assert (ran.code, findings["alerts"]["verdict"]) == (Exit.OK, verdict)
    assert ("no application declares: wrok" in findings["alerts"]["detail"]) == (verdict == "WARN")


def test_each_finding_is_a_line(cli: Cli) -> None:
    out = cli("doctor").out

    assert all(line.startswith(("OK ", "WARN ", "FAIL ")) for line in out.splitlines())
    assert "sample: 2 queues, 8 job types" in out
    assert "embedded, valkey" in out or "embedded, redis" in out


def test_doctor_leaves_no_key_behind(cli: Cli) -> None:
    before = cli("status", "--json").json
    cli("doctor")

    assert cli("status", "--json").json == before


def test_invalid_settings_fail(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_BATCH", "many")

    ran = cli("doctor", "--json")

    assert ran.code is Exit.FAILED
    assert verdicts(ran.json["findings"]) == {"settings": "FAIL"}


def test_applications_that_do_not_load_fail_and_the_rest_is_checked(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", "tests.cli.sample:nothing")

    ran = cli("doctor", "--json")

    checks = verdicts(ran.json["findings"])
    assert (ran.code, checks["apps"], checks["scripts"]) == (Exit.FAILED, "FAIL", "OK")


def test_an_unreachable_store_fails(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "none")

    ran = cli("doctor", "--wait", "0.2")

    assert ran.code is Exit.FAILED
    assert "FAIL reach" in ran.out
    assert "check the URL" in ran.out


def test_a_wrong_token_fails(
    cli: Cli, upstash: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", upstash["UPSTASH_REDIS_REST_URL"])
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "wrong")

    ran = cli("doctor", "--json")

    assert (ran.code, verdicts(ran.json["findings"])["reach"]) == (Exit.FAILED, "FAIL")


@pytest.mark.parametrize(
    ("env", "detail"),
    [
        ({"KV_REST_API_URL": "http://127.0.0.1:2"}, "two databases are named"),
        ({"TIDEGATE_VOLATILE": "1"}, "TIDEGATE_VOLATILE has no meaning"),
        ({"TIDEGATE_SWEEP_SECONDS": "0"}, "no sweeps"),
        ({}, "no API tokens"),
        ({}, "no CRON_SECRET"),
        ({"TIDEGATE_BACTH": "9"}, "nothing reads TIDEGATE_BACTH"),
        (
            {"CRON_SECRET": "0123456789abcdef", "TIDEGATE_API_TOKENS": "admin:0123456789abcdef"},
            "CRON_SECRET is also an API token",
        ),
    ],
)
def test_each_contradiction_is_a_warning(env: dict[str, str], detail: str) -> None:
    upstash = {"UPSTASH_REDIS_REST_URL": "http://127.0.0.1:1", "UPSTASH_REDIS_REST_TOKEN": "x"}
    variables = upstash | env

    findings = contradictions(Settings.from_env(variables), variables)

    warnings = [finding for finding in findings if detail in finding.detail]
    assert warnings
    assert all(finding.verdict == "WARN" and finding.advice for finding in warnings)


def test_consistent_settings_have_no_warning() -> None:
    env = {
        "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:1",
        "UPSTASH_REDIS_REST_TOKEN": "x",
        "CRON_SECRET": "0123456789abcdef",
        "TIDEGATE_API_TOKENS": "admin:fedcba9876543210",
    }

    assert not list(contradictions(Settings.from_env(env), env))


@pytest.fixture
def spread() -> Iterator[None]:
    """Queue "work" has four shards, and takes 100 jobs."""
    object.__setattr__(sample.work, "shards", 4)  # a frozen value: `monkeypatch` can't
    object.__setattr__(sample.work, "max_jobs", 100)
    yield
    object.__setattr__(sample.work, "shards", 1)
    object.__setattr__(sample.work, "max_jobs", DEFAULT_MAX_JOBS)


def room_finding(cli: Cli) -> dict[str, str]:
    findings: Findings = cli("doctor", "--json").json["findings"]
    return next(finding for finding in findings if finding["check"] == "room")


@pytest.mark.usefixtures("spread")
def test_a_shard_that_is_nearly_full_is_a_warning(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", "-", stdin='{"text": "x"}\n' * 30)  # in one shard

    finding = room_finding(cli)

    assert (finding["verdict"], finding["detail"]) == ("WARN", "nearly full: work 96%")


@pytest.mark.usefixtures("spread")
def test_a_declaration_with_fewer_shards_than_stored_is_a_warning(cli: Cli) -> None:
    cli("enqueue", "work", "note.keep", "-p", '{"text": "x"}')
    object.__setattr__(sample.work, "shards", 1)

    finding = room_finding(cli)

    assert finding["verdict"] == "WARN"
    assert finding["detail"] == "declared with fewer shards than stored: work (4)"


def test_a_token_without_its_url_fails(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "x")

    ran = cli("doctor", "--json")

    assert (ran.code, verdicts(ran.json["findings"])) == (Exit.FAILED, {"settings": "FAIL"})


def test_the_settings_accept_new_tokens(cli: Cli) -> None:
    lines = dict(line.split("=", 1) for line in cli("tokens", "generate").out.splitlines())

    settings = Settings.from_env(lines)

    assert sorted(settings.api_tokens.values()) == sorted(ROLES)
    assert settings.cron_secret == lines["CRON_SECRET"]


def test_tokens_differ_each_time_and_can_be_chosen(cli: Cli) -> None:
    one, two = (cli("tokens", "generate", "--role", "viewer", "--json").json for _ in range(2))

    assert list(one["api_tokens"]) == ["viewer"]
    assert one["api_tokens"]["viewer"] != two["api_tokens"]["viewer"]
    assert one["cron_secret"] != two["cron_secret"]


def test_an_unknown_role_is_refused(cli: Cli) -> None:
    ran = cli("tokens", "generate", "--role", "king")

    assert (ran.code, "producer, viewer, operator, admin" in ran.err) == (Exit.USAGE, True)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_eviction_fails(cli: Cli, data: Path, policy: str) -> None:
    async def evict() -> None:
        embedded = await open_embedded(data_dir=data, volatile=False)
        await embedded.engine.execute(("CONFIG", "SET", "maxmemory-policy", policy))
        await embedded.close()

    asyncio.run(evict())

    ran = cli("doctor", "--json")

    assert ran.code is Exit.FAILED
    assert verdicts(ran.json["findings"])["eviction"] == "FAIL"
    assert policy in str(ran.json["findings"])


def test_jobs_that_no_drain_comes_for_are_a_warning(cli: Cli) -> None:
    longago = round(time.time() * 1000) - 600_000
    job = Job("note.keep", '{"text": "x"}', id="old", created_ms=longago)

    async def store() -> None:
        deployment = Deployment.from_env()
        await deployment.store.enqueue(sample.work, [job])
        await deployment.close()

    asyncio.run(store())

    findings = {one["check"]: one for one in cli("doctor", "--json").json["findings"]}

    assert findings["ticks"]["verdict"] == "WARN"
    assert "no drain comes: work" in findings["ticks"]["detail"]
