"""Downloads from addresses that strangers wrote: from public servers only, bounded in time and in
bytes. Applications fetch with `download` and nothing else."""

from __future__ import annotations

from ..jobs.redact import bare_urls
from .downloads import FetchFailed, download
from .transport import PublicTransport

__all__ = ["FetchFailed", "PublicTransport", "bare_urls", "download"]
