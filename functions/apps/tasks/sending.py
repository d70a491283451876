"""A message of the bot to a chat.

Telegram has no idempotency keys, so a job whose function dies between its request and the note of
it sends its message a second time: rather twice than never.
"""

from __future__ import annotations

import asyncio
import datetime as dt

from functions.providers.telegram import telegram
from shared import JobContext

from .payloads import Message
from .tables import Tables


async def send(new: Message, job: JobContext, tables: Tables) -> dict[str, object]:
    """Send the message, unless an earlier run of this job did."""
    message = await asyncio.to_thread(tables.message_of, job.unique_id)
    if message is None:
        message = await telegram().send(new.chat_id, new.text, new.topic_id)
        today = dt.datetime.now(dt.UTC).date()
        await asyncio.to_thread(tables.mark_sent, job.unique_id, message, today)
    return {"message": message}
