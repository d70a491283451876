"""The settings, read from the environment and checked once. docs/configuration.md describes every
variable."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..encryption.keyring import EncryptionKey
from ..encryption.setting import VARIABLE, parse_keys
from ..errors import ConfigurationError
from ..jobs.ids import NAME_GRAMMAR, is_name
from ..jobs.redact import keep_secret
from .addresses import is_service_url
from .callbacks import callback_secrets
from .nudge import NudgeSettings, read_nudge
from .platform import LOCAL, detect_platform
from .secrets import read_secrets

ROLES = ("producer", "viewer", "operator", "admin")
"""The roles of tokens, in order: each has the rights of all roles before it."""
MIN_SECRET_LENGTH = 16
ALERT_VARIABLES = (
    *("TIDEGATE_ALERTS", "TIDEGATE_ALERT_WEBHOOK", "TIDEGATE_STORE_BYTES"),
    *("TIDEGATE_ALERT_EMAIL", "TIDEGATE_ALERT_SMTP", "TIDEGATE_ALERT_FROM"),
)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Durations are in seconds."""

    redis_url: str | None = None
    redis_token: str | None = field(default=None, repr=False)
    cache_url: str | None = None
    """A database of the cache's own, which may evict. None: the cache shares the queues' one."""
    cache_token: str | None = field(default=None, repr=False)
    prefix: str = "tidegate"
    api_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Token → role."""
    cron_secret: str | None = field(default=None, repr=False)
    encryption_keys: tuple[EncryptionKey, ...] = field(default=(), repr=False)
    archive_url: str | None = field(default=None, repr=False)
    """The Postgres of the archive, DATABASE_URL. None: dead letters stay in Redis."""
    archive_days: float = 30.0
    store_commands: int | None = None
    """The billed commands a month that the store's plan has. None: not known."""
    apps: tuple[str, ...] = ()
    """The applications as `module:attribute`; without any, those of `functions.apps:APPS`."""
    data_dir: Path = Path(".tidegate")
    volatile: bool = False
    key_locking: bool = True
    max_duration: float = 300.0
    batch: int = 100
    patience: float = 5.0
    sweep_every: float = 300.0
    log_level: str = "INFO"
    events: bool = False
    """Drains write events for their readers: one command more in a turn that has any."""
    nudge: NudgeSettings = field(default_factory=NudgeSettings)
    platform: str = LOCAL

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read and check the environment. Raises ConfigurationError, whose message names what to
        set. The values of TIDEGATE_SECRETS become variables of this process, since applications
        have theirs among them."""
        env = _with_secrets(os.environ if env is None else env)
        url, token = _database(env, *_QUEUES)
        cache_url, cache_token = _database(env, *_CACHE)
        platform = detect_platform(env)
        if url is None and platform != LOCAL:
            raise ConfigurationError(_NO_STORE)
        return cls(
            redis_url=url,
            redis_token=token,
            cache_url=cache_url,
            cache_token=cache_token,
            prefix=_prefix(env),
            api_tokens=_tokens(env.get("TIDEGATE_API_TOKENS", "")),
            cron_secret=_secret(env, "CRON_SECRET"),
            encryption_keys=_encryption_keys(env),
            archive_url=_archive_url(env),
            archive_days=_number(env, "TIDEGATE_ARCHIVE_DAYS", 30.0, 1, 3650),
            store_commands=whole(env, "TIDEGATE_STORE_COMMANDS"),
            apps=_parts(env.get("TIDEGATE_APPS", "")),
            data_dir=Path(env.get("TIDEGATE_DATA") or ".tidegate"),
            volatile=_flag(env, "TIDEGATE_VOLATILE", default=False),
            key_locking=_flag(env, "TIDEGATE_KEY_LOCKING", default=True),
            max_duration=_number(env, "TIDEGATE_MAX_DURATION", 300.0, 1, 3600),
            batch=int(_number(env, "TIDEGATE_BATCH", 100, 1, 1000)),
            patience=_number(env, "TIDEGATE_PATIENCE", 5.0, 0, 900),
            sweep_every=_number(env, "TIDEGATE_SWEEP_SECONDS", 300.0, 0, 86_400),
            log_level=_level(env.get("TIDEGATE_LOG_LEVEL", "INFO").strip().upper()),
            events=_flag(env, "TIDEGATE_EVENTS", default=False),
            nudge=read_nudge(env, _number(env, "TIDEGATE_NUDGE_WINDOW", 0.25, 0.1, 10)),
            platform=platform,
        )


_QUEUES = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
)
_CACHE = (("TIDEGATE_CACHE_REST_URL", "TIDEGATE_CACHE_REST_TOKEN"),)
_NO_STORE = (
    "UPSTASH_REDIS_REST_URL is not set. The embedded store is for a developer's machine "
    "only: on a function host it would lose jobs. Set it, and UPSTASH_REDIS_REST_TOKEN."
)


def _database(env: Mapping[str, str], *variables: tuple[str, str]) -> tuple[str | None, str | None]:
    """URL and token of a database; None, None where no variable names one. `variables`: pairs of
    their names. The first pair with a value counts, and a token never goes to another's URL.

    A half or an empty pair is an error: without a URL the embedded store would take the jobs
    without a sign of it.
    """
    pairs = [pair for pair in variables if any(env.get(one, "").strip() for one in pair)]
    name, token_name = pairs[0] if pairs else variables[0]
    url, token = _header_text(env, name), _header_text(env, token_name)
    if url is None and token is None:
        _refuse_empty(env, [one for pair in variables for one in pair])
        return None, None
    if url is None or token is None:
        there, missing = (name, token_name) if url else (token_name, name)
        raise ConfigurationError(f"{missing} is not set, but {there} is; set both")
    if not is_service_url(url):
        raise ConfigurationError(
            f"{name} must be https://host, without a user name (plain http only for localhost)"
        )
    return url, token


def _prefix(env: Mapping[str, str]) -> str:
    prefix = env.get("TIDEGATE_PREFIX", "tidegate")
    if not is_name(prefix):
        raise ConfigurationError(f"TIDEGATE_PREFIX={prefix!r}: {NAME_GRAMMAR}")
    return prefix


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _refuse_empty(env: Mapping[str, str], names: Iterable[str]) -> None:
    empty = [name for name in names if name in env]
    if empty:
        raise ConfigurationError(
            f"{' and '.join(empty)}: set, but empty. Give the value, or unset the variable"
        )


def _with_secrets(env: Mapping[str, str]) -> Mapping[str, str]:
    secrets = read_secrets(env)
    keep_secret(secrets.values())
    if env is os.environ:
        os.environ.update(secrets)
    env = {**env, **secrets}
    callback_secrets(env)  # each callback reads them; here a wrong one stops the start
    _check_alerts(env)
    return env


def _check_alerts(env: Mapping[str, str]) -> None:
    """Each evaluation reads the settings of alerts; here a wrong one stops the start."""
    if any(env.get(name, "").strip() for name in ALERT_VARIABLES):
        from .alerts import AlertSettings  # noqa: PLC0415 - cold start: most functions have none

        AlertSettings.from_env(env)


_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def _header_text(env: Mapping[str, str], name: str) -> str | None:
    """The variable without white space around it, which a file or a pipe may have added; None if
    it is not set. Raises ConfigurationError for what no URL or header can carry."""
    value = env.get(name, "").strip()
    _require_header_text(value, name)
    if value[:1] in ("'", '"') and value[:1] == value[-1:]:
        raise ConfigurationError(f"{name} has quotes around its value; write it without them")
    return value or None


def _require_header_text(value: str, name: str) -> None:
    if not re.fullmatch(r"[!-~]*", value):
        raise ConfigurationError(
            f"{name} contains a space, a line break or a character outside of ASCII; copy it again"
        )


def _tokens(text: str) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        role, colon, token = pair.partition(":")
        if not colon or role not in ROLES:
            raise ConfigurationError(
                f"TIDEGATE_API_TOKENS: write role:token pairs; roles are {', '.join(ROLES)}"
            )
        token = token.strip()
        _require_header_text(token, f"TIDEGATE_API_TOKENS: the {role} token")
        if len(token) < MIN_SECRET_LENGTH:
            raise ConfigurationError(
                f"TIDEGATE_API_TOKENS: the {role} token has fewer than "
                f"{MIN_SECRET_LENGTH} characters"
            )
        if tokens.setdefault(token, role) != role:
            raise ConfigurationError(
                f"TIDEGATE_API_TOKENS: one token has the roles {tokens[token]} and {role}; "
                "give each role a token of its own"
            )
    return tokens


def _secret(env: Mapping[str, str], name: str) -> str | None:
    value = _header_text(env, name)
    if value is not None and len(value) < MIN_SECRET_LENGTH:
        raise ConfigurationError(
            f"{name} has fewer than {MIN_SECRET_LENGTH} characters; use 32 random ones"
        )
    return value


def _archive_url(env: Mapping[str, str]) -> str | None:
    """DATABASE_URL where it names a Postgres. Another database is some application's own business;
    `tidegate doctor` reports that there is no archive then."""
    url = env.get("DATABASE_URL", "").strip()
    if not url.startswith(("postgres://", "postgresql://")):
        return None
    keep_secret([url])
    try:
        password = urlsplit(url).password
    except ValueError:  # its text may quote the password
        raise ConfigurationError(
            "DATABASE_URL can't be read: write postgresql://user:password@host:5432/name, with "
            "each of [ ] / ? # @ : in user and password percent-encoded (%5B for [)"
        ) from None
    keep_secret([password])
    return url


def _encryption_keys(env: Mapping[str, str]) -> tuple[EncryptionKey, ...]:
    text = env.get(VARIABLE, "")
    keep_secret(entry.partition(":")[2].strip() for entry in text.split(","))
    return parse_keys(text)


def _level(name: str) -> str:
    if name not in LOG_LEVELS:
        raise ConfigurationError(f"TIDEGATE_LOG_LEVEL={name!r}: write {', '.join(LOG_LEVELS)}")
    return name


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = env.get(name, "").strip().lower()
    if not value:
        return default
    if value not in (*_ON, *_OFF):
        choices = " or ".join(map("/".join, (_ON, _OFF)))
        raise ConfigurationError(f"{name}={value[:40]!r}: write {choices}")
    return value in _ON


def whole(env: Mapping[str, str], name: str) -> int | None:
    """The variable as a number above 0; None where it is not set. Raises ConfigurationError."""
    text = env.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or len(text) > 15 or int(text) == 0:
        raise ConfigurationError(f"{name}={text[:40]!r}: write a whole number above 0")
    return int(text)


def _number(
    env: Mapping[str, str], name: str, default: float, minimum: float, maximum: float
) -> float:
    text = env.get(name)
    try:
        value = default if not text else float(text)
    except ValueError:
        value = minimum - 1
    if not minimum <= value <= maximum:
        raise ConfigurationError(f"{name}={text!r}: write a number from {minimum:g} to {maximum:g}")
    return value
