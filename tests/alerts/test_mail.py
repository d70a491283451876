"""E-mails: sent by a mail server that speaks SMTP, once more where it does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.alerts.evaluate import sinks_of
from shared.alerts.mail import EmailSink
from shared.config.alerts import AlertSettings
from shared.config.mail import MailSettings, mail_settings
from shared.errors import ConfigurationError
from tests.alerts.test_webhook import NOTICE

TO = "ops@example.com, night@example.com"


@dataclass
class MailServer:
    """A server that takes mail. `refuses`: the word of the client that it answers with 451;
    `repeats`: the one that it answers without an end."""

    host: str = "127.0.0.1"
    port: int = 0
    refuses: str = ""
    repeats: str = ""
    features: str = ""
    said: list[str] = field(default_factory=list)
    talks: set[asyncio.Task[None] | None] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.add(asyncio.current_task())
        writer.write(b"220 here\r\n")
        in_data = False
        while raw := await reader.readline():
            line = raw.decode().rstrip("\r\n")
            self.said.append(line)
            word = line.partition(" ")[0].upper()
            if in_data:
                in_data = line != "."
                if in_data:
                    continue
            answer = {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 ok")
            if word == "EHLO" and self.features:
                answer = f"250-here\r\n250 {self.features}"
            if word == self.refuses:
                answer = "451 not now"
            with suppress(ConnectionError):
                while word == self.repeats and not reader.at_eof():
                    writer.write(b"250-and more\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            in_data = answer.startswith("354")
            writer.write(f"{answer}\r\n".encode())
            if word == "QUIT":
                break
        writer.close()


@asynccontextmanager
async def serve_mail(host: str = "127.0.0.1") -> AsyncIterator[MailServer]:
    mail = MailServer(host)
    listening = await asyncio.start_server(mail.serve, host, 0)
    mail.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield mail
        await asyncio.gather(*filter(None, mail.talks))


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with serve_mail() as mail:
        yield mail


def sink(server: MailServer) -> EmailSink:
    settings = mail_settings(
        {
            "TIDEGATE_ALERT_EMAIL": TO,
            "TIDEGATE_ALERT_SMTP": f"smtp://{server.host}:{server.port}",
            "TIDEGATE_ALERT_FROM": "tidegate@example.org",
        }
    )
    assert settings is not None
    return EmailSink(settings)


async def test_a_notice_is_mailed_to_everyone(server: MailServer) -> None:
    assert await sink(server).tell(NOTICE)

    text = "\n".join(server.said)
    assert "<ops@example.com>" in text
    assert "rcpt TO:<night@example.com>" in text
    assert "Subject: [tidegate] fired: queue q: 140 waiting jobs" in text
    assert f"Message-ID: <{NOTICE.id}@example.org>" in text
    assert "threshold: 100" in text


@pytest.mark.parametrize("word", ["MAIL", "RCPT", "DATA"])
async def test_a_server_that_refuses_is_tried_again(server: MailServer, word: str) -> None:
    server.refuses = word

    assert not await sink(server).tell(NOTICE)


async def test_a_mail_that_was_taken_counts_whatever_is_answered_to_the_farewell(
    server: MailServer,
) -> None:
    server.refuses = "QUIT"

    assert await sink(server).tell(NOTICE)


@pytest.mark.parametrize("word", ["EHLO", "MAIL", "QUIT"])
async def test_an_answer_without_an_end_is_cut_off(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr("shared.alerts.mail.SECONDS", 0.2)
    server.repeats = word

    assert await sink(server).tell(NOTICE) is (word == "QUIT")


@pytest.mark.parametrize("wrong", [
    {"user": "us\u00e9r", "password": "password"}, {"user": "user", "password": "p\u00e4ss"},
    {"host": f"{'a' * 64}.example.com"},
])  # fmt: skip
async def test_settings_that_smtp_cannot_carry_fail_the_notice_alone(
    server: MailServer, wrong: dict[str, Any]
) -> None:
    server.features = "AUTH PLAIN LOGIN"
    settings = MailSettings(("a@b.de",), "a@b.de", server.host, server.port, tls=False)

    assert not await EmailSink(replace(settings, **wrong)).tell(NOTICE)


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    assert not await sink(MailServer(port=1)).tell(NOTICE)


async def test_nothing_is_sent_to_another_machine_without_tls() -> None:
    async with serve_mail("127.0.0.2") as server:
        assert not await sink(server).tell(NOTICE)

    assert server.said
    assert not any(line.upper().startswith(("MAIL", "AUTH")) for line in server.said)


@pytest.mark.parametrize(
    ("email", "server", "words"),
    [
        ("a@b.de", "", "TIDEGATE_ALERT_SMTP is not set"),
        ("", "smtp://a", "TIDEGATE_ALERT_EMAIL is not set"),
        ("a at b", "smtp://a", "no e-mail address"),
        ("a@b.de\r\nBcc: c@d.de", "smtp://a", "no e-mail address"),
        ("a@b.de", "http://a", "write smtps://"),
        ("a@b.de", "smtp://", "write smtps://"),
        ("a@b.de", "smtp://a:port", "write smtps://"),
        ("a@b.de", "smtp://a/path", "write smtps://"),
        ("a@b.de", "smtps://a:9#word-hidden", "write smtps://"),
        ("a@b.de", "smtps://u:p%C3%A4ss-word-hidden@a", "the password has characters"),
        ("a@b.de", "smtps://u:p\u00e4ss-word-hidden@a", "the password has characters"),
        ("a@b.de", "smtps://us%C3%A9r:word-hidden@a", "the user has characters"),
        ("a@b.de", "smtps://u%0aRCPT:word-hidden@a", "the user has characters"),
        ("a@b.de", "smtps://u:word-hidden%00@a", "the password has characters"),
        ("a@b.de", f"smtps://{'a' * 64}.example.com", "no name of the DNS"),
        ("a@b.de", "smtps://mail..example.com", "no name of the DNS"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(email: str, server: str, words: str) -> None:
    env = {"TIDEGATE_ALERT_EMAIL": email, "TIDEGATE_ALERT_SMTP": server}

    with pytest.raises(ConfigurationError, match=words) as refused:
        AlertSettings.from_env(env)
    assert "hidden" not in str(refused.value)


def test_the_server_is_read_with_its_password_which_stands_nowhere() -> None:
    env = {
        "TIDEGATE_ALERT_EMAIL": "a@b.de",
        "TIDEGATE_ALERT_SMTP": "smtps://user%40x:p%2Fss-word@mail.b.de",
    }
    settings = AlertSettings.from_env(env)

    assert settings.mail is not None
    assert (settings.mail.user, settings.mail.password) == ("user@x", "p/ss-word")
    assert (settings.mail.port, settings.mail.tls, settings.mail.sender) == (465, True, "a@b.de")
    assert "ss-word" not in repr(settings)
    assert [one.name for one in sinks_of(settings)] == ["log", "email"]
