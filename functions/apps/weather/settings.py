"""The application's settings, from the environment. They are read when a job runs."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder of its tables where no database is configured."""
    return Path(os.environ.get("WEATHER_DATA_DIR") or ".tidegate/data")
