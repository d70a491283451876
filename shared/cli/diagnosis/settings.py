"""The checks of `tidegate doctor` that need no store: settings that contradict each other,
and variables that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...config.alerts import AlertSettings
from ...config.settings import Settings
from ...config.variables import unknown_variables
from ...declare.app import Registry
from .finding import Finding


def contradictions(settings: Settings, env: Mapping[str, str]) -> Iterator[Finding]:
    """Settings that are valid one by one and contradict each other."""
    url, kv = env.get("UPSTASH_REDIS_REST_URL"), env.get("KV_REST_API_URL")
    if url and kv and url != kv:
        yield _warn("two databases are named", "UPSTASH_REDIS_REST_URL wins; unset KV_REST_API_URL")
    for name, meant in unknown_variables(env).items():
        yield _warn(f"nothing reads {name}", f"set {meant} instead" if meant else "unset it")
    if settings.redis_url is not None and settings.volatile:
        yield _warn("TIDEGATE_VOLATILE has no meaning with a database", "unset it")
    if settings.sweep_every == 0:
        yield _warn("no sweeps: a lost agenda entry stays lost", "unset TIDEGATE_SWEEP_SECONDS")
    yield from _secrets(settings)


def _secrets(settings: Settings) -> Iterator[Finding]:
    if settings.cron_secret in settings.api_tokens:
        yield _warn("CRON_SECRET is also an API token", "make two: tidegate tokens generate")
    if settings.redis_url is None:
        return  # `tidegate dev` makes its own
    if not settings.api_tokens:
        detail = "no API tokens in TIDEGATE_API_TOKENS: the API opens to stored tokens only"
        yield _warn(detail, "make some: tidegate tokens generate")
    if settings.cron_secret is None:
        yield _warn("no CRON_SECRET: cron ticks are refused", "make one: tidegate tokens generate")


def check_alerts(settings: Settings, registry: Registry, alerts: AlertSettings) -> Finding:
    """Whether somebody is told of an alert, and whether each threshold is one of a queue."""
    declared = {queue.name for queue in registry.queues()}
    others = sorted({queue for queue, _ in alerts.thresholds if queue} - declared)
    if others:
        detail = f"TIDEGATE_ALERTS names queues that no application declares: {', '.join(others)}"
        return Finding("alerts", "WARN", detail, "correct the names, or leave these out")
    also = [
        *(["the webhook"] if alerts.webhook is not None else []),
        *(["by e-mail"] if alerts.mail is not None else []),
    ]
    if also:
        return Finding("alerts", "OK", f"alerts are told to the log, {' and '.join(also)}")
    detail = "alerts are told to the log only"
    if settings.redis_url is None:
        return Finding("alerts", "OK", detail)
    return Finding("alerts", "WARN", detail, "set TIDEGATE_ALERT_WEBHOOK or TIDEGATE_ALERT_EMAIL")


def _warn(detail: str, advice: str) -> Finding:
    return Finding("settings", "WARN", detail, advice)
