"""The application's settings, from the environment. They are read when a job runs, not at import.

The names start with JOURNAL_ because TIDEGATE_ is the engine's prefix.
"""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder of `file:` sources and of the journal itself."""
    return Path(os.environ.get("JOURNAL_DATA_DIR") or ".tidegate/data")
