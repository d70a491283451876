"""The application's settings, from the environment. They are read when a job runs."""

from __future__ import annotations

import os
from pathlib import Path


def files_location() -> str:
    """Where pictures lie that the app keeps itself: `s3://bucket/prefix`, or a folder."""
    return os.environ.get("WEATHER_FILES") or ".tidegate/weather"


def data_folder() -> Path:
    """The folder of its tables where no database is configured."""
    return Path(os.environ.get("WEATHER_DATA_DIR") or ".tidegate/data")
