"""What the environment says to this application; read when a job runs, not at import."""

from __future__ import annotations

import os
from pathlib import Path

from shared import ConfigurationError


def data_folder() -> Path:
    """Holds the files of `file:` sources and the journal itself."""
    return Path(os.environ.get("TIDEGATE_DATA_DIR") or ".tidegate/data")


def outbox_folder() -> Path:
    """Where letters go on a machine without a mail provider.

    On a function host that is a configuration error: its disk is thrown away, and the mail with it.
    """
    chosen = os.environ.get("TIDEGATE_OUTBOX")
    if not chosen and ("AWS_LAMBDA_FUNCTION_NAME" in os.environ or "VERCEL" in os.environ):
        raise ConfigurationError("no mail provider here; set RESEND_API_KEY and TIDEGATE_MAIL_FROM")
    return Path(chosen or ".tidegate/outbox")


def resend_key() -> str | None:
    """The key of Resend's API; None means letters go to the outbox."""
    return os.environ.get("RESEND_API_KEY") or None


def sender() -> str:
    """Who letters come from. A provider accepts only addresses of a domain it knows as yours."""
    chosen = os.environ.get("TIDEGATE_MAIL_FROM")
    if not chosen and resend_key():
        raise ConfigurationError(
            "RESEND_API_KEY is set; set TIDEGATE_MAIL_FROM to a sender it knows"
        )
    return chosen or "journal@tidegate.invalid"
