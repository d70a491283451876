"""The email providers: Resend's API, or a folder on a machine without a provider.

Each takes the job's id as the email's key. Two calls with one key send one email.
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

import httpx

from shared import Discard

from .http import client, is_transient
from .settings import mail_folder, resend_key, sender_address
from .templates import Email

RESEND = "https://api.resend.com/emails"


class Provider(Protocol):
    """A service that sends emails. Raises Discard when it will never accept this email."""

    async def send(self, email: Email, key: str) -> dict[str, str]:
        """Send the email once for any number of calls with `key`; return the provider's answer."""


def provider() -> Provider:
    """The provider that the environment selects."""
    key = resend_key()
    return Resend(key, sender_address()) if key else MailFolder(mail_folder(), sender_address())


class Resend:
    """Resend's HTTP API. It stores an Idempotency-Key for a day, longer than any retry waits."""

    def __init__(self, api_key: str, sender: str) -> None:
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
        if response.is_success:
            return {"sent": "resend", "id": _field(response, "id")}
        # A request of an earlier attempt may still be under way; the retry gets its result.
        if is_transient(response) or _field(response, "name") == "concurrent_idempotent_requests":
            response.raise_for_status()
        raise Discard(f"Resend answers {response.status_code}: {_field(response, 'message')}")


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


def _field(response: httpx.Response, name: str) -> str:
    try:
        answer = response.json()
    except ValueError:
        return ""
    return str(answer.get(name, ""))[:200] if isinstance(answer, dict) else ""


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
