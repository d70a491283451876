"""What became of warnings that Expo has taken. Often it is only then known that a phone is gone:
Apple and Google say so.

https://docs.expo.dev/push-notifications/sending-notifications/#push-receipts
"""

from __future__ import annotations

import asyncio

from functions.providers.expo import expo
from shared import Discard

from .payloads import SentAlerts
from .sending import MOST_REASONS
from .tables import Tables


async def settle(sent: SentAlerts, tables: Tables) -> dict[str, object]:
    """Forget the phones that are gone. Raises Discard where the project's credentials are wrong:
    then no phone gets a warning. One without a receipt is found gone by its next warning."""
    receipts = await expo().receipts(list(sent.phones))
    kinds = {name: receipt.meaning for name, receipt in receipts.items()}
    gone = [sent.phones[name] for name, kind in kinds.items() if kind == "gone"]
    await asyncio.to_thread(tables.unsubscribe, gone)
    wrong = [receipts[name].reason for name, kind in kinds.items() if kind == "wrong"]
    if wrong:
        raise Discard(f"Expo: {wrong[0]}")
    failed = [receipts[name].reason for name, kind in kinds.items() if kind in ("later", "refused")]
    return {
        "delivered": len(kinds) - len(gone) - len(failed),
        "gone": len(gone),
        "failed": failed[:MOST_REASONS],
        "unknown": len(sent.phones) - len(kinds),
    }
