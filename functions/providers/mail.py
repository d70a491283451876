"""The email providers: Resend's API, or a folder on a machine without a provider.

Each takes the job's unique id as the email's key. Two calls with one key send one email.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from email.message import EmailMessage as Mime
from email.policy import SMTP
from email.utils import localtime
from pathlib import Path
from typing import Protocol

from shared import ConfigurationError
from shared.jobs.redact import keep_secret

from .http import check, client, field_of, limited
from .templates import Email

RESEND = "https://api.resend.com/emails"
QUOTA_WAIT = 3600.0
"""Seconds to wait where the emails of a day are used up: until the next day some hours pass."""


class Provider(Protocol):
    """A service that sends emails. Raises Discard when it will never accept this email."""

    async def send(self, email: Email, key: str) -> dict[str, str]:
        """Send the email once for any number of calls with `key`; return the provider's answer."""


def mail_provider() -> Provider:
    """The provider that the environment selects: Resend where `RESEND_API_KEY` is set, else the
    folder `MAIL_FOLDER`. `MAIL_FROM` is the sender.

    Raises ConfigurationError for Resend without a sender, which it must have verified, and for a
    folder on a function host: its disk is deleted, and the emails with it.
    """
    key, sender = os.environ.get("RESEND_API_KEY"), os.environ.get("MAIL_FROM")
    if key and not sender:
        raise ConfigurationError(
            "RESEND_API_KEY is set; set MAIL_FROM to a sender that Resend has verified"
        )
    if key and sender:
        return Resend(key, sender)
    folder = os.environ.get("MAIL_FOLDER")
    if not folder and ("AWS_LAMBDA_FUNCTION_NAME" in os.environ or "VERCEL" in os.environ):
        raise ConfigurationError("no email provider; set RESEND_API_KEY and MAIL_FROM")
    return MailFolder(Path(folder or ".tidegate/mail"), sender or "tidegate@tidegate.invalid")


class Resend:
    """Resend's HTTP API. It stores an Idempotency-Key for a day, longer than any retry waits. It
    takes two to five requests a second of a whole team: those beyond them wait."""

    def __init__(self, api_key: str, sender: str) -> None:
        keep_secret([api_key])
        self._api_key = api_key
        self._sender = sender

    async def send(self, email: Email, key: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._api_key}", "Idempotency-Key": key}
        body = {
            "from": self._sender,
            "to": [email.to],
            "subject": email.subject,
            "text": email.text,
            "html": email.html,
        }
        async with client() as http:
            response = await http.post(RESEND, headers=headers, json=body)
        # A request of an earlier attempt may still be under way; the retry gets its result.
        name = field_of(response, "name")
        if name == "concurrent_idempotent_requests":
            response.raise_for_status()
        # The email of this key was taken, with other words: the answer to an earlier attempt was
        # lost, and a deploy has changed the template or the sender since.
        if name == "invalid_idempotent_request":
            return {"sent": "resend", "id": ""}
        if name == "daily_quota_exceeded":
            raise limited("Resend", QUOTA_WAIT)
        check(response, "Resend")
        return {"sent": "resend", "id": field_of(response, "id")}


class MailFolder:
    """A folder with one `.eml` file per email: complete or absent, readable only by its owner."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, email: Email, key: str) -> dict[str, str]:
        file = self._folder / f"{key}.eml"
        content = _mime(email, self._sender, key).as_bytes(policy=SMTP)
        await asyncio.to_thread(_write_once, file, content)
        return {"sent": "folder", "id": file.name}


def _mime(email: Email, sender: str, key: str) -> Mime:
    mime = Mime()
    mime["From"] = sender
    mime["To"] = email.to
    mime["Subject"] = email.subject
    mime["Date"] = localtime()
    mime["Message-ID"] = f"<{key}@tidegate.invalid>"
    mime["Auto-Submitted"] = "auto-generated"
    mime.set_content(email.text)
    mime.add_alternative(email.html, subtype="html")
    return mime


def _write_once(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        return
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        try:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(file)  # two simultaneous runs write equal emails: either wins
        except BaseException:
            Path(part.name).unlink()
            raise
