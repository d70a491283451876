"""The sink of e-mails: over SMTP, which each provider of mail speaks (Amazon SES, Resend, …)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from threading import Timer

from ..config.mail import MailSettings
from .notice import Notice

log = logging.getLogger("tidegate.alerts")

SECONDS = 10.0
"""Longest wait for one answer of the server, however many lines it has."""


class EmailSink:
    """An e-mail for each notice. Its Message-ID is the same in every try."""

    name = "email"

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def tell(self, notice: Notice) -> bool:
        try:
            await asyncio.to_thread(self._send, self._message(notice))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # Its text is left out: servers repeat addresses and what they were told.
            extra = {"notice": notice.id, "error": type(error).__name__}
            log.warning("alert_email_failed", extra=extra)
            return False
        return True

    def _message(self, notice: Notice) -> EmailMessage:
        settings, message = self._settings, EmailMessage()
        message["From"], message["To"] = settings.sender, ", ".join(settings.to)
        message["Subject"] = f"[tidegate] {notice.kind}: {notice.text}"
        message["Date"] = format_datetime(datetime.fromtimestamp(notice.at_ms / 1000, UTC))
        message["Message-ID"] = f"<{notice.id}@{settings.sender.partition('@')[2]}>"
        lines = [f"rule: {notice.rule}", f"value: {notice.value:g}"]
        if notice.threshold is not None:
            lines.append(f"threshold: {notice.threshold:g}")
        message.set_content("\n".join([notice.text, "", *lines, ""]))
        return message

    def _send(self, message: EmailMessage) -> None:
        settings, context = self._settings, ssl.create_default_context()
        server = self._connect(context)
        try:
            if not settings.tls and (not settings.is_local or server.has_extn("starttls")):
                server.starttls(context=context)
            if settings.user is not None:
                server.login(settings.user, settings.password or "")
            server.send_message(message)
            # The server has taken the mail: what it answers to QUIT does not change that.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    def _connect(self, context: ssl.SSLContext) -> smtplib.SMTP:
        settings = self._settings
        if settings.tls:
            return _TlsClient(settings.host, settings.port, timeout=SECONDS, context=context)
        server = _Client(settings.host, settings.port, timeout=SECONDS)
        server.ehlo_or_helo_if_needed()
        return server


class _Client(smtplib.SMTP):
    """A client that waits for a whole answer as long as for a line of it: the time-out of a socket
    begins anew with each byte."""

    def getreply(self) -> tuple[int, bytes]:
        timer = Timer(SECONDS, self._cut)
        timer.daemon = True
        timer.start()
        try:
            return super().getreply()
        finally:
            timer.cancel()

    def _cut(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self.sock.shutdown(socket.SHUT_RDWR)


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same over TLS."""
