"""No provider's secret is in a job's errors, notes or log, nor in a log, whatever the service says
and wherever the secret comes from: here from plain variables, as on Vercel."""

from __future__ import annotations

import base64
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import respx
from pydantic import BaseModel

import functions.providers
from functions.providers.alpaca import broker
from functions.providers.expo import expo
from functions.providers.files import files_at
from functions.providers.mail import mail_provider
from functions.providers.openai import language_model
from functions.providers.openproject import openproject
from functions.providers.openweather import openweather
from functions.providers.telegram import telegram
from functions.providers.templates import Email
from functions.providers.tradingview import tradingview
from shared import App, JobContext
from shared.jobs import redact
from shared.testing import FakeClock, embedded_store, run_job

EMAIL = Email(to="a@example.com", subject="s", text="t", html="h")
Call = Callable[[], Awaitable[object]]


class NoPayload(BaseModel):
    """No field."""


async def write_file() -> None:
    """boto3 takes the account's keys from the environment."""
    files = files_at("s3://bucket/prefix")
    try:
        files.write("../outside", b"", "text/plain")
    except ValueError as error:
        raise ValueError("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG") from error


PROVIDERS: dict[str, tuple[dict[str, str], Call]] = {
    "alpaca": (
        {"ALPACA_KEY_ID": "PK-alpaca-id-0123", "ALPACA_SECRET_KEY": "alpaca-secret-4567"},
        lambda: broker().fills(None, None),
    ),
    "expo": ({"EXPO_ACCESS_TOKEN": "expo-token-0123"}, lambda: expo().push(["p"], "t", "b")),
    "files": (
        {"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG", "AWS_DEFAULT_REGION": "eu-central-1"},
        write_file,
    ),
    "mail": (
        {"RESEND_API_KEY": "re_resend-key-0123", "MAIL_FROM": "a@example.com"},
        lambda: mail_provider().send(EMAIL, "k"),
    ),
    "openai": (
        {"OPENAI_API_KEY": "sk-live-0123456789abcdef"},
        lambda: language_model().complete("x", "y"),
    ),
    "openproject": (
        {
            "OPENPROJECT_API_KEY": "openproject-key-0123",
            "OPENPROJECT_URL": "https://projects.example.com",
            "OPENPROJECT_PROJECT": "p",
        },
        lambda: openproject().find("r"),
    ),
    "openweather": ({"OPENWEATHER_API_KEY": "weather-0123"}, lambda: openweather().current(1, 2)),
    "telegram": ({"TELEGRAM_BOT_TOKEN": "12345:bot-token-0123"}, lambda: telegram().send(1, "t")),
    "tradingview": (
        {"TRADINGVIEW_SESSION": "session-0123456789"},
        lambda: tradingview().grant("u", "s", None),
    ),
}
WITHOUT = {"__init__", "address", "database", "http", "instant", "sqlite", "templates"}
"""Modules of no service. That of Postgres has a test in test_database.py."""
SECRETS = ("KEY", "TOKEN", "SESSION")


def echo(secrets: dict[str, str], status: int) -> httpx.Response:
    text = f"Incorrect key: {' '.join(secrets.values())}"
    return httpx.Response(status, json={"message": text, "error": {"message": text}})


@pytest.mark.parametrize("status", [400, 401, 403, 422, 500])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_what_a_service_repeats_of_a_key_is_kept_nowhere(
    name: str, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redact, "_secrets", set[str]())
    variables, call = PROVIDERS[name]
    secrets = {key: value for key, value in variables.items() if key.endswith(SECRETS)}
    secrets |= {key: value for key, value in variables.items() if "KEY_ID" in key}
    sent = base64.b64encode(f"apikey:{variables.get('OPENPROJECT_API_KEY')}".encode()).decode()
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    app, clock = App("secrets"), FakeClock()

    @app.queue("q").job("ask")
    async def ask(payload: NoPayload, job: JobContext) -> None:
        try:
            await call()
        except Exception as error:
            job.log(f"failed: {error} {secrets}")
            job.progress(1, f"Basic {sent} {secrets}")
            job.logger.warning("failed: %s %s", error, secrets)
            raise RuntimeError(f"{error} {secrets}") from error

    with caplog.at_level(logging.DEBUG), respx.mock(assert_all_called=False) as services:
        services.route(host="embedded.localhost").pass_through()
        services.route().mock(return_value=echo({**secrets, "sent": sent}, status))
        async with embedded_store(clock=clock) as store:
            view = await run_job(store, ask, NoPayload(), clock=clock, attempts=1)

    assert view.state == "dead"
    kept = f"{view.errors} {view.progress} {view.log} {caplog.text}"
    assert "[secret]" in kept
    for secret in (*secrets.values(), sent if name == "openproject" else "none such"):
        assert secret not in kept


def test_every_provider_is_in_this_table() -> None:
    (folder,) = functions.providers.__path__
    modules = {path.stem for path in Path(folder).glob("*.py")}

    assert modules - WITHOUT - {"postgres"} == set(PROVIDERS)
