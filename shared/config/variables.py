"""The names of our environment variables, and those of an environment that look like a slip."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES = frozenset(
    {
        *("TIDEGATE_ALERTS", "TIDEGATE_ALERT_WEBHOOK", "TIDEGATE_STORE_BYTES"),
        *("TIDEGATE_STORE_COMMANDS", "TIDEGATE_ALERT_EMAIL", "TIDEGATE_ALERT_SMTP"),
        "TIDEGATE_ALERT_FROM",
        *("TIDEGATE_API_TOKENS", "TIDEGATE_APPS", "TIDEGATE_BATCH", "TIDEGATE_CACHE_REST_TOKEN"),
        *("TIDEGATE_ARCHIVE_DAYS", "TIDEGATE_EVENTS"),
        *("TIDEGATE_CACHE_REST_URL", "TIDEGATE_CALLBACK_SECRET", "TIDEGATE_DATA"),
        *("TIDEGATE_ENCRYPTION_KEYS", "TIDEGATE_KEY_LOCKING", "TIDEGATE_LOG_LEVEL"),
        *("TIDEGATE_MAX_DURATION", "TIDEGATE_NUDGE", "TIDEGATE_NUDGE_WINDOW"),
        *("TIDEGATE_PATIENCE", "TIDEGATE_PREFIX", "TIDEGATE_REDIS_BIN", "TIDEGATE_SECRETS"),
        *("TIDEGATE_SWEEP_SECONDS", "TIDEGATE_URL", "TIDEGATE_VOLATILE"),
    }
)
"""Every name that begins with TIDEGATE_. docs/configuration.md describes them."""
STORE = ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN")
ALIKE = 0.5
"""The likeness (0 to 1, of difflib) from which on a name is taken for a slip of another."""


def unknown_variables(env: Mapping[str, str]) -> dict[str, str | None]:
    """Each variable that begins with TIDEGATE_ and that nothing reads → the name that was probably
    meant, None where none is near. While no database is named, those that begin with UPSTASH_REDIS_
    too: a slip there means the embedded store."""
    families = [("TIDEGATE_", VARIABLES)]
    if not any(name in env for name in (*STORE, "KV_REST_API_URL")):
        families.append(("UPSTASH_REDIS_", frozenset(STORE)))
    return {
        name: _nearest(name, prefix, known)
        for prefix, known in families
        for name in sorted(env)
        if name.startswith(prefix) and name not in known
    }


def _nearest(name: str, prefix: str, known: frozenset[str]) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 - for a developer's machine only

    ends = sorted(one.removeprefix(prefix) for one in known)  # what differs; the prefix does not
    near = get_close_matches(name.removeprefix(prefix), ends, n=1, cutoff=ALIKE)
    return prefix + near[0] if near else None
