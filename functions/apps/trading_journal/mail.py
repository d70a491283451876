"""How a letter leaves: through a provider, or into a folder on a machine that has none.

Every way out takes the job's id as its key, and the same key twice is one letter.
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import tempfile
from email.message import EmailMessage as Mime
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

import httpx

from shared import Discard

from .http import client, passing
from .settings import outbox_folder, resend_key, sender
from .templates import Letter

RESEND = "https://api.resend.com/emails"


class Provider(Protocol):
    """A way out. Raises Discard when this letter will never be taken."""

    async def send(self, letter: Letter, key: str) -> dict[str, str]:
        """Send it once, however often this is called with `key`; answer where it went."""


def provider() -> Provider:
    """The way out that the environment chooses."""
    key = resend_key()
    return Resend(key, sender()) if key else Outbox(outbox_folder(), sender())


class Resend:
    """Resend's HTTP API. It remembers an Idempotency-Key for a day, longer than any retry waits."""

    def __init__(self, api_key: str, sent_by: str) -> None:
        self._api_key = api_key
        self._sent_by = sent_by

    async def send(self, letter: Letter, key: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._api_key}", "Idempotency-Key": key}
        body = {
            "from": self._sent_by,
            "to": [letter.to],
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
        }
        async with client() as http:
            response = await http.post(RESEND, headers=headers, json=body)
        if response.is_success:
            return {"sent": "resend", "id": _said(response, "id")}
        # An earlier try of this job may still be on its way: the next one learns how it ended.
        if passing(response) or _said(response, "name") == "concurrent_idempotent_requests":
            response.raise_for_status()
        raise Discard(f"Resend answers {response.status_code}: {_said(response, 'message')}")


class Outbox:
    """One `.eml` file per letter: complete or absent, and readable only by its owner."""

    def __init__(self, folder: Path, sent_by: str) -> None:
        self._folder = folder
        self._sent_by = sent_by

    async def send(self, letter: Letter, key: str) -> dict[str, str]:
        file = self._folder / f"{key}.eml"
        content = _mime(letter, self._sent_by, key).as_bytes(policy=SMTP)
        await asyncio.to_thread(_write_once, file, content)
        return {"sent": "outbox", "id": file.name}


def _said(response: httpx.Response, name: str) -> str:
    try:
        answer = response.json()
    except ValueError:
        return ""
    return str(answer.get(name, ""))[:200] if isinstance(answer, dict) else ""


def _mime(letter: Letter, sent_by: str, key: str) -> Mime:
    mime = Mime()
    mime["From"] = sent_by
    mime["To"] = letter.to
    mime["Subject"] = letter.subject
    mime["Date"] = email.utils.localtime()
    mime["Message-ID"] = f"<{key}@tidegate.invalid>"
    mime["Auto-Submitted"] = "auto-generated"
    mime.set_content(letter.text)
    mime.add_alternative(letter.html, subtype="html")
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
            Path(part.name).replace(file)  # two runs at once wrote one letter: either may stand
        except BaseException:
            Path(part.name).unlink()
            raise
