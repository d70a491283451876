"""The settings of alerts, from the environment: thresholds, the webhook, the size of the store.
Read where alerts are evaluated, so that no other function pays for them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ConfigurationError
from ..jobs.ids import is_name
from ..jobs.redact import keep_secret
from .addresses import is_service_url
from .callbacks import VARIABLE as SECRET
from .callbacks import callback_secrets
from .mail import MailSettings, mail_settings
from .settings import whole

THRESHOLDS: Mapping[str, float] = {
    "backlog": 100.0,
    "parked": 0.0,
    "failure_rate": 0.05,
    "latency": 2.0,
    "crash_loop": 2.0,
    "queue_full": 0.8,
    "store_bytes": 0.8,
    "missed_ticks": 150.0,
    "archive_behind": 3600.0,
    "refused": 100.0,
    "month_commands": 0.8,
}
"""Rule -> the value beyond which it fires (docs/operations.md has the units)."""
OF_DEPLOYMENT = frozenset(
    {"store_bytes", "missed_ticks", "archive_behind", "refused", "month_commands"}
)
"""Rules that are not evaluated queue by queue."""
OFF = math.inf
_GRAMMAR = (
    "TIDEGATE_ALERTS: write rule=number or queue/rule=number, comma-separated, for example "
    f"backlog=500,import/backlog=5000,latency=off; rules are {', '.join(THRESHOLDS)}"
)


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """`thresholds`: those that differ from THRESHOLDS, by (queue, rule); queue "": of every queue.
    `webhook`: where to notices are sent, signed with `secrets`; `mail`: where they are mailed to.
    `store_bytes`, `store_commands`: how much the store's plan holds, and how many commands a month
    it has; None: not known, and its rule is off."""

    thresholds: Mapping[tuple[str, str], float] = field(default_factory=dict)
    webhook: str | None = None
    mail: MailSettings | None = None
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    store_bytes: int | None = None
    store_commands: int | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> AlertSettings:
        """Read and check the environment. Raises ConfigurationError."""
        webhook = env.get("TIDEGATE_ALERT_WEBHOOK", "").strip() or None
        secrets = callback_secrets(env)
        keep_secret([webhook])  # the path of one may be its only credential
        if webhook is not None and not is_service_url(webhook):
            raise ConfigurationError("TIDEGATE_ALERT_WEBHOOK must be an https:// address")
        if webhook is not None and not secrets:
            raise ConfigurationError(
                f"{SECRET} is not set, but TIDEGATE_ALERT_WEBHOOK is: its notices must be signed"
            )
        return cls(
            thresholds=_thresholds(env.get("TIDEGATE_ALERTS", "")),
            webhook=webhook,
            secrets=secrets,
            mail=mail_settings(env),
            store_bytes=whole(env, "TIDEGATE_STORE_BYTES"),
            store_commands=whole(env, "TIDEGATE_STORE_COMMANDS"),
        )

    def threshold(self, rule: str, queue: str = "") -> float:
        """The value beyond which this rule fires for this queue."""
        for known in ((queue, rule), ("", rule)):
            if known in self.thresholds:
                return self.thresholds[known]
        return THRESHOLDS[rule]


def _thresholds(text: str) -> dict[tuple[str, str], float]:
    thresholds: dict[tuple[str, str], float] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _equals, number = entry.partition("=")
        queue, slash, rule = name.strip().rpartition("/")
        known = rule in THRESHOLDS and (not slash or (is_name(queue) and rule not in OF_DEPLOYMENT))
        value = OFF if number.strip() == "off" else _number(number)
        if not known or not value > 0 or (queue, rule) in thresholds:
            raise ConfigurationError(f"{_GRAMMAR}. This can't be read: {entry[:80]!r}")
        thresholds[queue, rule] = value
    return thresholds


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0
