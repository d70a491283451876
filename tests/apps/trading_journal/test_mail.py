"""Emails are sent once, complete or not at all."""

from __future__ import annotations

import email
import json
from email.message import EmailMessage as Mime
from email.policy import default
from pathlib import Path

import httpx
import pytest
import respx

from functions.apps.trading_journal import EmailMessage, send_email
from functions.apps.trading_journal.templates import render
from functions.providers.mail import RESEND
from shared import ConfigurationError, Discard

from ..conftest import MakeContext

WELCOME = EmailMessage(to="ada@example.com", template="welcome", values={"name": "Ada"})


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*")}


@pytest.fixture
def mail_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAIL_FOLDER", str(tmp_path / "mail"))
    return tmp_path / "mail"


@pytest.fixture
def resend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESEND_API_KEY", "re_test")
    monkeypatch.setenv("MAIL_FROM", "Journal <journal@example.com>")


async def test_without_a_provider_the_email_is_a_file_in_the_mail_folder(
    mail_folder: Path, context: MakeContext
) -> None:
    answer = await send_email(WELCOME, context("mail1", queue="email"))

    assert answer == {"sent": "folder", "id": "mail1.email.eml"}
    mime = email.message_from_bytes((mail_folder / "mail1.email.eml").read_bytes(), policy=default)
    assert isinstance(mime, Mime)
    assert (mime["To"], mime["From"]) == ("ada@example.com", "tidegate@tidegate.invalid")
    assert mime["Subject"] == "Welcome to your trading journal, Ada"
    assert mime["Message-ID"] == "<mail1.email@tidegate.invalid>"
    assert [part.get_content_type() for part in mime.iter_parts()] == ["text/plain", "text/html"]


async def test_emails_of_every_language_are_stored(mail_folder: Path, context: MakeContext) -> None:
    name = "Zoë 木村 🌊"

    await send_email(WELCOME.model_copy(update={"values": {"name": name}}), context())

    content = (mail_folder / "job1.import.eml").read_bytes()
    mime = email.message_from_bytes(content, policy=default)
    assert isinstance(mime, Mime)
    body = mime.get_body(("plain",))
    assert mime["Subject"].endswith(name)
    assert body is not None
    assert name in body.get_content()


async def test_a_second_run_writes_no_second_email(mail_folder: Path, context: MakeContext) -> None:
    await send_email(WELCOME, context())
    before = files(mail_folder)

    await send_email(WELCOME, context())

    assert files(mail_folder) == before
    assert len(before) == 1


async def test_a_write_that_fails_leaves_no_partial_email(
    mail_folder: Path, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        await send_email(WELCOME, context())

    assert files(mail_folder) == {}


async def test_an_email_is_readable_by_its_owner_only(
    mail_folder: Path, context: MakeContext
) -> None:
    await send_email(WELCOME, context())

    assert (mail_folder / "job1.import.eml").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", ["AWS_LAMBDA_FUNCTION_NAME", "VERCEL"])
async def test_no_email_is_left_on_a_function_s_disk(
    host: str, context: MakeContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(host, "1")

    with pytest.raises(ConfigurationError, match="RESEND_API_KEY"):
        await send_email(WELCOME, context())


async def test_a_provider_needs_a_sender(
    context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEND_API_KEY", "re_test")

    with pytest.raises(ConfigurationError, match="MAIL_FROM"):
        await send_email(WELCOME, context())


@respx.mock
async def test_a_provider_gets_the_email_under_the_job_s_id(
    resend: None, mail_folder: Path, context: MakeContext
) -> None:
    route = respx.post(RESEND).respond(200, json={"id": "49a3999c"})

    answer = await send_email(WELCOME, context("mail1", queue="email"))

    assert answer == {"sent": "resend", "id": "49a3999c"}
    request = route.calls[0].request
    assert request.headers["authorization"] == "Bearer re_test"
    assert request.headers["idempotency-key"] == "mail1.email"
    sent = json.loads(request.content)
    assert (sent["from"], sent["to"]) == ("Journal <journal@example.com>", ["ada@example.com"])
    assert (sent["subject"], sent["text"], sent["html"]) == (
        render(WELCOME).subject,
        render(WELCOME).text,
        render(WELCOME).html,
    )
    assert files(mail_folder) == {}


@respx.mock
async def test_every_run_of_a_job_sends_the_same_request(
    resend: None, context: MakeContext
) -> None:
    route = respx.post(RESEND).respond(200, json={"id": "49a3999c"})

    for _ in range(2):
        await send_email(WELCOME, context())

    first, second = (call.request for call in route.calls)
    assert first.content == second.content
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@respx.mock
async def test_a_response_that_is_not_json_is_still_a_success(
    resend: None, context: MakeContext
) -> None:
    respx.post(RESEND).respond(200, text="ok")

    assert await send_email(WELCOME, context()) == {"sent": "resend", "id": ""}


@respx.mock
@pytest.mark.parametrize("status", [500, 503])
async def test_a_provider_error_carries_its_retry_after(
    status: int, resend: None, context: MakeContext
) -> None:
    respx.post(RESEND).respond(status, headers={"retry-after": "12"})

    with pytest.raises(httpx.HTTPStatusError) as caught:
        await send_email(WELCOME, context())

    assert caught.value.response.headers["retry-after"] == "12"


@respx.mock
async def test_a_request_that_is_still_under_way_is_retried(
    resend: None, context: MakeContext
) -> None:
    respx.post(RESEND).respond(409, json={"name": "concurrent_idempotent_requests"})

    with pytest.raises(httpx.HTTPStatusError):
        await send_email(WELCOME, context())


@respx.mock
@pytest.mark.parametrize("changed", ["sender", "template", "nothing"])
async def test_an_email_whose_answer_was_lost_is_sent_once_whatever_a_deploy_changes_meanwhile(
    changed: str, resend: None, context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, bytes] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        """As Resend: a key belongs to the first request that it takes."""
        key = request.headers["idempotency-key"]
        if key not in taken:
            taken[key] = request.content
            raise httpx.ReadTimeout("slow", request=request)
        if taken[key] == request.content:
            return httpx.Response(200, json={"id": "49a3999c"})
        message = "This idempotency key has been used with another payload"
        body = {"statusCode": 409, "name": "invalid_idempotent_request", "message": message}
        return httpx.Response(409, json=body)

    respx.post(RESEND).mock(side_effect=answer)
    with pytest.raises(httpx.ReadTimeout):
        await send_email(WELCOME, context())
    if changed == "sender":
        monkeypatch.setenv("MAIL_FROM", "Journal <news@example.com>")
    values = {"name": "Ada L."} if changed == "template" else WELCOME.values

    sent = await send_email(WELCOME.model_copy(update={"values": values}), context())

    assert sent == {"sent": "resend", "id": "49a3999c" if changed == "nothing" else ""}
    assert len(taken) == 1


@respx.mock
@pytest.mark.parametrize("status", [400, 401, 403, 409, 422])
async def test_an_email_that_the_provider_refuses_is_not_retried(
    status: int, resend: None, context: MakeContext
) -> None:
    respx.post(RESEND).respond(status, json={"name": "validation_error", "message": "bad `to`"})

    with pytest.raises(Discard, match=f"Resend answers {status}: bad `to`"):
        await send_email(WELCOME, context())


@respx.mock
async def test_a_transport_error_is_retried(resend: None, context: MakeContext) -> None:
    respx.post(RESEND).mock(side_effect=httpx.ConnectTimeout("slow"))

    with pytest.raises(httpx.ConnectTimeout):
        await send_email(WELCOME, context())
