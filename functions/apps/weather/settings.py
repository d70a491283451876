"""The application's settings, from the environment. They are read when a job runs."""

from __future__ import annotations

import os
from pathlib import Path

from shared import ConfigurationError

DAY = 86_400


def files_location() -> str:
    """Where pictures lie that the app keeps itself: `s3://bucket/prefix`, or a folder."""
    return os.environ.get("WEATHER_FILES") or ".tidegate/weather"


def data_folder() -> Path:
    """The folder of its tables where no database is configured."""
    return Path(os.environ.get("WEATHER_DATA_DIR") or ".tidegate/data")


def receipts_after() -> float:
    """Seconds after which Expo is asked what became of a warning. It writes a receipt within half
    an hour, and keeps it for a day. Raises ConfigurationError."""
    text = os.environ.get("WEATHER_RECEIPTS_AFTER") or "1800"
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < DAY):
        raise ConfigurationError(
            f"WEATHER_RECEIPTS_AFTER={text!r:.80}: write seconds, less than a day, such as 1800"
        )
    return float(text)
