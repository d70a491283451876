"""The application's settings, from the environment. They are read when a job runs, not at import.

The names start with JOURNAL_ because TIDEGATE_ is the engine's prefix.
"""

from __future__ import annotations

import os
from pathlib import Path

from shared import ConfigurationError


def data_folder() -> Path:
    """The folder of `file:` sources and of the journal itself."""
    return Path(os.environ.get("JOURNAL_DATA_DIR") or ".tidegate/data")


def mail_folder() -> Path:
    """The folder for emails on a machine without an email provider.

    Raises ConfigurationError on a function host: its disk is deleted, and the emails with it.
    """
    path = os.environ.get("JOURNAL_MAIL_FOLDER")
    if not path and ("AWS_LAMBDA_FUNCTION_NAME" in os.environ or "VERCEL" in os.environ):
        raise ConfigurationError("no email provider; set RESEND_API_KEY and JOURNAL_MAIL_FROM")
    return Path(path or ".tidegate/mail")


def resend_key() -> str | None:
    """The key of Resend's API. None: emails are written to the mail folder."""
    return os.environ.get("RESEND_API_KEY") or None


def sender_address() -> str:
    """The From address. A provider accepts only addresses of a domain that you have verified."""
    address = os.environ.get("JOURNAL_MAIL_FROM")
    if not address and resend_key():
        raise ConfigurationError(
            "RESEND_API_KEY is set; set JOURNAL_MAIL_FROM to a sender that Resend has verified"
        )
    return address or "journal@tidegate.invalid"
