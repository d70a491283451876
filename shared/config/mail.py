"""The mail server that sends alerts, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import ConfigurationError
from ..jobs.redact import keep_secret
from .addresses import LOCAL_HOSTS

TO, SERVER, FROM = "TIDEGATE_ALERT_EMAIL", "TIDEGATE_ALERT_SMTP", "TIDEGATE_ALERT_FROM"
PORTS = {"smtps": 465, "smtp": 587}
_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9._-]+")
_GRAMMAR = (
    f"{SERVER}: write smtps://user:password@host:465, or smtp://user:password@host:587, which then "
    "speaks TLS by STARTTLS; encode special characters of the password as in any URL"
)


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Who is written to, from which address, and by which server. `tls`: from the first byte on;
    else by STARTTLS, which only a server on this machine may lack."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """True for a server on this machine."""
        return self.host in LOCAL_HOSTS


def mail_settings(env: Mapping[str, str]) -> MailSettings | None:
    """The settings of the environment; None where no address is named. Raises
    ConfigurationError."""
    to = tuple(filter(None, (one.strip() for one in env.get(TO, "").split(","))))
    server, sender = env.get(SERVER, "").strip(), env.get(FROM, "").strip()
    if not to and not server:
        return None
    if not to or not server:
        there, missing = (TO, SERVER) if to else (SERVER, TO)
        raise ConfigurationError(f"{missing} is not set, but {there} is; set both")
    for name, address in ((TO, one) for one in to):
        _require_address(address, name)
    _require_address(sender or to[0], FROM)
    return _server(server, to, sender or to[0])


def _server(text: str, to: tuple[str, ...], sender: str) -> MailSettings:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        raise ConfigurationError(_GRAMMAR) from None
    keep_secret([password])
    rest = (parts.path.strip("/"), parts.query, parts.fragment)
    if parts.scheme not in PORTS or not host or any(rest):
        raise ConfigurationError(_GRAMMAR)
    _require_host(host)
    _require_printable(user, "user")
    _require_printable(password, "password")
    return MailSettings(
        to=to,
        sender=sender,
        host=host,
        port=port or PORTS[parts.scheme],
        tls=parts.scheme == "smtps",
        user=user or None,
        password=password or None,
    )


def _require_address(text: str, name: str) -> None:
    if not _ADDRESS.fullmatch(text):
        raise ConfigurationError(f"{name}: {text[:80]!r} is no e-mail address: write name@host")


def _require_host(host: str) -> None:
    """Raises ConfigurationError for a name that no resolver takes."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise ConfigurationError(
            f"{SERVER}: the host is no name of the DNS: each part of it has 1 to 63 characters"
        ) from None


def _require_printable(text: str, what: str) -> None:
    """Raises ConfigurationError, without the text, for what SMTP's login can't carry."""
    if not (text.isascii() and (text.isprintable() or not text)):
        raise ConfigurationError(
            f"{SERVER}: the {what} has characters beyond printable ASCII, which the login of SMTP "
            "can't carry; choose another one at the mail server"
        )
