"""Requests to addresses that strangers wrote: to public servers only, bounded in time and in bytes.
Applications fetch with `download` and call with `post`, and nothing else."""

from __future__ import annotations

from ..jobs.redact import bare_urls
from .downloads import FetchFailed, download
from .post import post
from .transport import PublicTransport

__all__ = ["FetchFailed", "PublicTransport", "bare_urls", "download", "post"]
