"""URLs of services to which the settings send secrets."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")


def is_host(text: str) -> bool:
    """True for a host name, with or without a port, and nothing else."""
    return _HOST.fullmatch(text.lower()) is not None


def is_service_url(url: str) -> bool:
    """True for https://host, and for plain http on this machine, both without a user name."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = _HOST.fullmatch(parts.netloc.lower())
    if host is None or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host[1] in LOCAL_HOSTS)
