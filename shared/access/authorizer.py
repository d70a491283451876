"""The authorizer of the API: the role of a caller, and whether it opens an operation. It reads no
store, so an unauthenticated request costs no command."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Literal

from ..config.settings import ROLES, Settings
from ..errors import Forbidden, MissingSecret, Unauthenticated

Access = Literal["public", "producer", "viewer", "operator", "admin", "cron"]
"""The access that an operation needs: a role (or a higher one), "cron" (the cron secret, or an
operator), or "public"."""


class Authorizer:
    """Compares a request's bearer token with every known one, in constant time."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = [(_digest(token), role) for token, role in settings.api_tokens.items()]
        self._cron = None if settings.cron_secret is None else _digest(settings.cron_secret)
        self._deployed = settings.platform != "local"

    def authorize(self, authorization: str | None, access: Access) -> str:
        """The caller's role.

        Raises Unauthenticated, Forbidden, or MissingSecret where no configured secret opens this.
        """
        if access == "public":
            return access
        role = self._role(authorization, access)
        if role is None:
            self._require_secrets(access)
            raise Unauthenticated("Send a known token: Authorization: Bearer <token>.")
        least = "operator" if access == "cron" else access
        if role != "cron" and ROLES.index(role) < ROLES.index(least):
            raise Forbidden(f"This needs the role {least}; the token has {role}.")
        return role

    def _role(self, authorization: str | None, access: Access) -> str | None:
        scheme, _space, token = (authorization or "").partition(" ")
        presented = _digest(token.strip()) if scheme.lower() == "bearer" else b""
        match = None
        for digest, role in self._tokens:  # to the end, whichever matches: constant time
            if hmac.compare_digest(digest, presented):
                match = role
        is_cron = self._cron is not None and hmac.compare_digest(self._cron, presented)
        return "cron" if is_cron and access == "cron" else match

    def _require_secrets(self, access: Access) -> None:
        """On a platform a missing secret is a fault of the deployment, and answered as one."""
        if not self._deployed:
            return
        if access == "cron" and self._cron is None:
            raise MissingSecret(
                "CRON_SECRET is not set. Set it to 32 random characters, and have the scheduler "
                "send it as Authorization: Bearer <CRON_SECRET>."
            )
        if access != "cron" and not self._tokens:
            raise MissingSecret(
                "TIDEGATE_API_TOKENS is not set. Set it to role:token pairs, "
                f"comma-separated; roles are {', '.join(ROLES)}."
            )


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
