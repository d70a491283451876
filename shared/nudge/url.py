"""Nudges over HTTP: a request to the deployment's own drain route, for Vercel and other servers."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from .hops import HEADER
from .nudge import NudgeRefused

PATH = "/api/cron/drain"
SECONDS = 0.8
"""To connect and to send the request."""
REFUSED_WITHIN = 0.1
"""Seconds in which a refusal is seen. A drain that has begun has not answered by then, and goes on
without its caller."""
FIRST_ERROR = 300
"""The lowest status of an answer that is none of a drain. A redirect is one too: the secret goes
to the configured host only."""


class UrlNudge:
    """Calls the route at `base`, which is from the configuration and never from a request."""

    def __init__(
        self, base: str, secret: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._base, self._secret, self._transport = base, secret, transport
        self._client: httpx.AsyncClient | None = None

    async def call(self, queues: Sequence[str], hops: int) -> None:
        client = self._client = self._client or self._open()
        try:
            answer = await client.post(
                PATH, params={"queue": ",".join(queues)}, headers={HEADER: str(hops)}
            )
        except httpx.ReadTimeout:
            return  # it was sent
        if answer.status_code >= FIRST_ERROR:
            raise NudgeRefused(f"the drain route answered {answer.status_code}")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._base,
            headers={"Authorization": f"Bearer {self._secret}"},
            timeout=httpx.Timeout(SECONDS, read=REFUSED_WITHIN),
            follow_redirects=False,
            trust_env=False,  # no proxy sees the secret
            transport=self._transport,
        )
