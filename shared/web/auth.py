"""Who may do what. Decided without the store: an unauthenticated request costs it nothing."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Literal

from ..settings import ROLES, Settings
from .problems import Kind, Problem

Need = Literal["public", "producer", "viewer", "operator", "admin", "cron"]
"""What a route asks for: a role (or more), "cron" (the cron secret, or an operator), or nothing."""

UNAUTHENTICATED = Kind("unauthenticated", 401, "Unauthenticated")
FORBIDDEN = Kind("forbidden", 403, "Forbidden")
NOT_CONFIGURED = Kind("misconfigured", 503, "Misconfigured")


class Gate:
    """Compares a request's bearer token with every known one, in constant time."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = [(_digest(token), role) for token, role in settings.api_tokens.items()]
        self._cron = None if settings.cron_secret is None else _digest(settings.cron_secret)
        self._deployed = settings.platform != "local"

    def admit(self, authorization: str | None, need: Need) -> str:
        """The caller's role. Raises Problem: 401, 403, or 503 where no secret could open this."""
        if need == "public":
            return need
        role = self._role(authorization, need)
        if role is None:
            self._require_secrets(need)
            raise Problem(
                UNAUTHENTICATED,
                "Send a known token: Authorization: Bearer <token>.",
                headers={"WWW-Authenticate": 'Bearer realm="tidegate"'},
            )
        least = "operator" if need == "cron" else need
        if role != "cron" and ROLES.index(role) < ROLES.index(least):
            raise Problem(FORBIDDEN, f"This needs the role {least}; the token has {role}.")
        return role

    def _role(self, authorization: str | None, need: Need) -> str | None:
        scheme, _space, token = (authorization or "").partition(" ")
        shown = _digest(token.strip()) if scheme.lower() == "bearer" else b""
        found = None
        for digest, role in self._tokens:  # to the end, whichever matches
            if hmac.compare_digest(digest, shown):
                found = role
        is_cron = self._cron is not None and hmac.compare_digest(self._cron, shown)
        return "cron" if is_cron and need == "cron" else found

    def _require_secrets(self, need: Need) -> None:
        """On a platform a secret that is not set is the operator's mistake, never an open door."""
        if not self._deployed:
            return
        if need == "cron" and self._cron is None:
            raise Problem(
                NOT_CONFIGURED,
                "CRON_SECRET is not set. Set it to 32 random characters, and have the scheduler "
                "send it as Authorization: Bearer <CRON_SECRET>.",
            )
        if need != "cron" and not self._tokens:
            raise Problem(
                NOT_CONFIGURED,
                "TIDEGATE_API_TOKENS is not set. Set it to role:token pairs, "
                f"comma-separated; roles are {', '.join(ROLES)}.",
            )


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
