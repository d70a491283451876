"""The application's settings, from the environment. They are read when a job runs."""

from __future__ import annotations

import os


def location() -> str:
    """Where documents are kept: `s3://bucket/prefix`, or a folder on a developer's machine."""
    return os.environ.get("DOCUMENTS_FILES") or ".tidegate/documents"
