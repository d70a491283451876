"""The application's settings, from the environment. They are read when a job runs."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from shared import ConfigurationError


def data_folder() -> Path:
    """The folder of its tables where no database is configured."""
    return Path(os.environ.get("TASKS_DATA_DIR") or ".tidegate/data")


def members() -> frozenset[int]:
    """The ids of the users whose commands the bot runs: anybody can find a bot, and write to it.
    Raises ConfigurationError."""
    text = os.environ.get("TELEGRAM_USERS") or ""
    ids = [part.strip() for part in text.split(",") if part.strip()]
    if not ids or not all(name.isascii() and name.isdecimal() for name in ids):
        raise ConfigurationError(
            f"TELEGRAM_USERS={text!r:.80}: give the Telegram ids of the users, comma-separated"
        )
    return frozenset(map(int, ids))


def bot_name() -> str | None:
    """The bot's user name on Telegram, without `@`; None where it is not set."""
    return (os.environ.get("TELEGRAM_BOT_NAME") or "").strip().removeprefix("@") or None


def timezone() -> dt.tzinfo:
    """The time zone in which users write times. Raises ConfigurationError."""
    name = os.environ.get("TASKS_TIMEZONE") or "UTC"
    if name == "UTC":
        return dt.UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - cold start

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(f"TASKS_TIMEZONE={name!r:.80}: write Europe/Berlin") from None
