"""The state of the alerts in the store: one text, replaced only while it is as it was read."""

from __future__ import annotations

from . import keys
from .client.rest import Rest
from .scripts import script

LIFETIME_MS = 30 * 86_400_000
"""The state goes where nothing has evaluated for so long."""


class AlertState:
    """The text of one deployment. Raises StoreError."""

    def __init__(self, rest: Rest, prefix: str, *, key_locking: bool) -> None:
        self._rest, self._key, self._key_locking = rest, keys.alerts(prefix), key_locking

    async def read(self) -> str:
        """The text; "" where there is none."""
        return str(await self._rest.execute(["GET", self._key], "alerts") or "")

    async def replace(self, before: str, text: str) -> bool:
        """Write `text` if the text is still `before`. False also where this very request was
        repeated by the client: then it stands, and the next evaluation goes on from it."""
        exchange = script("exchange", key_locking=self._key_locking)
        args = (before, text, LIFETIME_MS)
        (done,) = (await exchange.send(self._rest, [self._key], args)).value
        return bool(done == "1")
