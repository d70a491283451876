"""The authorizer of the API: who a caller is, and whether that opens an operation.

The tokens of the environment are compared without a read. A stored token is looked up in the copy
that the process has (known.py), and only if its text has the right form; so garbage costs nothing.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from ..config.settings import ROLES, Settings
from ..errors import MissingSecret, Unauthenticated
from .caller import PUBLIC, Caller
from .known import KnownTokens
from .rights import Access, environment_rights
from .token import NO_TOKEN
from .token_text import read_text


class Authorizer:
    """Compares a request's bearer token with every known one, in constant time."""

    def __init__(self, settings: Settings, known: KnownTokens) -> None:
        self._tokens = [
            (_digest(token), Caller(f"environment:{role}", environment_rights(role)))
            for token, role in settings.api_tokens.items()
        ]
        self._cron = None if settings.cron_secret is None else _digest(settings.cron_secret)
        self._deployed = settings.platform != "local"
        self._known = known

    async def authorize(
        self, authorization: str | None, access: Access, *, own: bool = False
    ) -> Caller:
        """The caller. `own`: the operation also opens to a caller who sees only its own jobs.

        Raises Unauthenticated, Forbidden, StoreError where the tokens can't be read, or
        MissingSecret where no configured secret opens this.
        """
        if access == "public":
            return PUBLIC
        scheme, _space, text = (authorization or "").partition(" ")
        token = text.strip() if scheme.lower() == "bearer" else ""
        caller = self._configured_caller(token, access) or await self._stored_caller(token)
        if caller is None:
            self._require_secrets(access)
            raise Unauthenticated("Send a known token: Authorization: Bearer <token>.")
        caller.require(access, own=own)
        return caller

    def _configured_caller(self, token: str, access: Access) -> Caller | None:
        """The caller by a token of the environment, or by the cron secret."""
        presented = _digest(token)
        match = None
        for digest, caller in self._tokens:  # to the end, whichever matches: constant time
            if hmac.compare_digest(digest, presented):
                match = caller
        is_cron = self._cron is not None and hmac.compare_digest(self._cron, presented)
        return _CRON if is_cron and access == "drain" else match

    async def _stored_caller(self, token_text: str) -> Caller | None:
        """The caller by a stored token. Raises Unauthenticated for one that is not known."""
        presented = read_text(token_text, self._known.prefix)
        if presented is None:
            return None
        token = await self._known.find(presented)
        if token is None:
            raise Unauthenticated(NO_TOKEN)
        return token.caller()

    def _require_secrets(self, access: Access) -> None:
        """On a platform a missing secret is a fault of the deployment, and answered as one."""
        if not self._deployed:
            return
        if access == "drain" and self._cron is None:
            raise MissingSecret(
                "CRON_SECRET is not set. Set it to 32 random characters, and have the scheduler "
                "send it as Authorization: Bearer <CRON_SECRET>."
            )
        if access != "drain" and not self._tokens:
            raise MissingSecret(
                "TIDEGATE_API_TOKENS is not set. Set it to role:token pairs, "
                f"comma-separated; roles are {', '.join(ROLES)}. "
                "Or make stored tokens: tidegate tokens create."
            )


_CRON = Caller("cron", frozenset({"drain"}))


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
